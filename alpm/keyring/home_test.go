// SPDX-License-Identifier: GPL-3.0-or-later

package keyring

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rastos/rastos/internal/testkit"
)

// A home is a GnuPG home directory, worked on by the real gpg.
type home struct {
	t   *testing.T
	dir string
}

// newHome makes a home. Old ones keep keys in pubring.gpg, as pacman-key's do;
// others in a keybox.
func newHome(t *testing.T, old bool) *home {
	t.Helper()
	testkit.NeedTool(t, "gpg")
	// not t.TempDir: the agent's socket must have a short path
	dir, err := os.MkdirTemp("", "gpg")
	if err != nil {
		t.Fatal(err)
	}
	h := &home{t: t, dir: dir}
	t.Cleanup(func() {
		exec.Command("gpgconf", "--homedir", dir, "--kill", "all").Run()
		os.RemoveAll(dir)
	})
	if old {
		if err := os.WriteFile(filepath.Join(dir, "pubring.gpg"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

// try runs gpg. Times are faked by a leading "@20200101T000000".
func (h *home) try(stdin []byte, args ...string) ([]byte, error) {
	h.t.Helper()
	full := []string{"--homedir", h.dir, "--batch", "--quiet", "--no-tty", "--yes", "--no-auto-check-trustdb",
		"--pinentry-mode", "loopback", "--passphrase", ""}
	if strings.HasPrefix(args[0], "@") {
		full = append(full, "--faked-system-time", args[0][1:])
		args = args[1:]
	}
	cmd := exec.Command("gpg", append(full, args...)...)
	cmd.Stdin = bytes.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.Bytes(), fmt.Errorf("gpg %q: %w\n%s", args, err, stderr.String())
	}
	return stdout.Bytes(), nil
}

func (h *home) gpg(args ...string) []byte { h.t.Helper(); return h.feed(nil, args...) }

func (h *home) feed(stdin []byte, args ...string) []byte {
	h.t.Helper()
	out, err := h.try(stdin, args...)
	if err != nil {
		h.t.Fatal(err)
	}
	return out
}

// generate makes a key and returns its fingerprint.
func (h *home) generate(name string, more ...string) string {
	h.t.Helper()
	at := []string{}
	if len(more) > 0 && strings.HasPrefix(more[0], "@") {
		at, more = more[:1], more[1:]
	}
	expire := "never"
	if len(more) > 0 {
		expire = more[0]
	}
	h.gpg(append(at, "--quick-gen-key", name+" <"+name+"@example.org>", "ed25519", "cert,sign", expire)...)
	return h.fingerprint(name)
}

func (h *home) fingerprint(name string) string {
	h.t.Helper()
	for line := range strings.Lines(string(h.gpg("--with-colons", "--list-keys", "<"+name+"@example.org>"))) {
		if fields := strings.Split(line, ":"); fields[0] == "fpr" {
			return fields[9]
		}
	}
	h.t.Fatalf("no fingerprint of %s", name)
	return ""
}

func (h *home) ownertrust(fingerprint string, value int) {
	h.t.Helper()
	h.feed(fmt.Appendf(nil, "%s:%d:\n", fingerprint, value), "--import-ownertrust")
}

// pass copies keys with all signatures, local ones too, from another home.
func (h *home) pass(from *home, keys ...string) {
	h.t.Helper()
	out := from.gpg(append([]string{"--export-options", "export-local-sigs", "--export"}, keys...)...)
	h.feed(out, "--import-options", "import-local-sigs", "--import")
}

func (h *home) sign(signer string, data []byte, at ...string) []byte {
	h.t.Helper()
	return h.feed(data, append(at, "-u", signer, "--detach-sign", "-o", "-")...)
}

func (h *home) load() *Ring {
	h.t.Helper()
	ring, err := Load(h.dir)
	if err != nil {
		h.t.Fatal(err)
	}
	return ring
}

// validityByGPG asks gpg what it thinks of a key.
func (h *home) validityByGPG(fingerprint string) string {
	h.t.Helper()
	h.gpg("--check-trustdb")
	for line := range strings.Lines(string(h.gpg("--with-colons", "--list-keys", fingerprint))) {
		if fields := strings.Split(line, ":"); fields[0] == "pub" {
			switch fields[1] {
			case "u":
				return "ultimate"
			case "f":
				return "full"
			case "m":
				return "marginal"
			case "-", "q", "o", "n":
				return "undefined"
			}
			return fields[1]
		}
	}
	return "absent"
}
