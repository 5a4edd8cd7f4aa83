// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"github.com/rastos/rastos/alpm/syncdb"
	"github.com/rastos/rastos/bench/duel"
)

// hookDir is where packages bring hooks, below a root.
const hookDir = "usr/share/libalpm/hooks"

// maskHooks switches off the hooks of all packages of a repository in the way
// that alpm-hooks(5) has for it: a link to /dev/null of the same name.
func maskHooks(dir, filesDB string) error {
	db, err := syncdb.Open(filesDB)
	if err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	for _, p := range db.Packages() {
		for _, f := range p.Files {
			if path.Dir(f) != hookDir || !strings.HasSuffix(f, ".hook") {
				continue
			}
			if err := os.Symlink("/dev/null", filepath.Join(dir, path.Base(f))); err != nil {
				return err
			}
		}
	}
	return nil
}

// writeConf writes the pacman.conf of an installation. CheckSpace is on, as
// ours checks it too.
func (at *site) writeConf() error {
	level := "Never"
	if at.Signed {
		level = "Required DatabaseRequired"
	}
	text := fmt.Sprintf("[options]\nArchitecture = auto\nCheckSpace\nSigLevel = %s\nLocalFileSigLevel = Never\n[%s]\nServer = file://%s\n",
		level, at.Name, at.Repo)
	return os.WriteFile(at.Conf, []byte(text), 0o644)
}

// pacman is a command line for the installation's root.
func (at *site) pacman(args ...string) []string {
	return append([]string{
		"pacman", "--noconfirm", "--root", at.Root, "--dbpath", filepath.Join(at.Root, dbPath), "--config", at.Conf,
		"--cachedir", at.Cache, "--gpgdir", at.GPG, "--logfile", filepath.Join(at.Root, "var/log/pacman.log"),
		"--hookdir", at.Masks, // pacman itself adds the one below the root
	}, args...)
}

// check lets pacman judge what ours installed: all packages are there, their
// dependencies are met, and every file is as its package has it.
func (s *session) check(ctx context.Context, at *site) error {
	names, err := at.ask(ctx, "-Qq")
	if err != nil {
		return err
	}
	if got := len(strings.Fields(names)); got != len(at.Targets) {
		return fmt.Errorf("pacman finds %d packages installed instead of %d", got, len(at.Targets))
	}
	if _, err := at.ask(ctx, "-Dk"); err != nil {
		return err
	}
	out, err := at.ask(ctx, "-Qkk", "--quiet")
	if err != nil {
		return err
	}
	if strings.TrimSpace(out) != "" {
		return fmt.Errorf("pacman -Qkk is not content:\n%s", duel.Tail([]byte(out)))
	}
	return nil
}

// ask runs pacman on the root, out of the measured time, and returns both of
// its streams.
func (at *site) ask(ctx context.Context, args ...string) (string, error) {
	argv := at.pacman(args...)
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("pacman %s on what ours installed: %w\n%s", strings.Join(args, " "), err, duel.Tail(out))
	}
	return string(out), nil
}

// makeKeyring makes a pacman keyring that trusts the repository's key.
func makeKeyring(ctx context.Context, home, key string) error {
	if err := os.Mkdir(home, 0o700); err != nil {
		return err
	}
	// gpg would make a newer kind of keyring, which pacman does not look for.
	if err := os.WriteFile(filepath.Join(home, "pubring.gpg"), nil, 0o600); err != nil {
		return err
	}
	gpg := func(stdin string, args ...string) (string, error) {
		cmd := exec.CommandContext(ctx, "gpg", append([]string{"--homedir", home, "--batch", "--no-autostart", "--no-permission-warning"}, args...)...)
		cmd.Stdin = strings.NewReader(stdin)
		var errs bytes.Buffer
		cmd.Stderr = &errs
		out, err := cmd.Output()
		if err != nil {
			return "", fmt.Errorf("gpg %s: %w\n%s", strings.Join(args, " "), err, errs.Bytes())
		}
		return string(out), nil
	}
	if _, err := gpg("", "--import", key); err != nil {
		return err
	}
	listed, err := gpg("", "--list-keys", "--with-colons")
	if err != nil {
		return err
	}
	for line := range strings.Lines(listed) {
		if f := strings.Split(line, ":"); f[0] == "fpr" && len(f) > 9 {
			_, err = gpg(f[9]+":6:\n", "--import-ownertrust")
			return err
		}
	}
	return fmt.Errorf("gpg imported no key from %s", key)
}
