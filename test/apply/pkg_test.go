// SPDX-License-Identifier: GPL-3.0-or-later

package apply_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rastos/rastos/alpm/desc"
)

// pkg runs a verb of `rastos pkg` on the root, which has a pacman.conf.
func (w *world) pkg(args ...string) (string, int) {
	w.t.Helper()
	return w.rastos(slices.Concat([]string{"pkg"}, args, []string{"--root", w.root})...)
}

func (w *world) rastos(args ...string) (string, int) {
	w.t.Helper()
	cmd := exec.Command(w.binary, args...)
	cmd.Env = append(os.Environ(), "RASTOS_CONFIG="+os.DevNull, "RASTOS_CACHE_DIR="+filepath.Join(w.dir, "cache"), "LC_ALL=C")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if cmd.ProcessState == nil {
		w.t.Fatal(err)
	}
	return string(out) + stderr.String(), cmd.ProcessState.ExitCode()
}

func (w *world) pkgOK(args ...string) string {
	w.t.Helper()
	out, code := w.pkg(args...)
	if code != 0 {
		w.t.Fatalf("rastos pkg %v: exit code %d\n%s", args, code, out)
	}
	return out
}

// names are those that `rastos pkg list` prints.
func (w *world) names(flags ...string) []string {
	w.t.Helper()
	cmd := append([]string{"list", "--json"}, flags...)
	var list []struct{ Name string }
	w.must(json.Unmarshal([]byte(strings.SplitN(w.pkgOK(cmd...), "\n", 2)[0]), &list))
	names := []string{}
	for _, p := range list {
		names = append(names, p.Name)
	}
	return names
}

// agrees compares a list with pacman's, which fails where it is empty.
func (w *world) agrees(flag, pacman string) {
	w.t.Helper()
	theirs, _ := w.pacman(pacman)
	if got := w.names(flag); !slices.Equal(got, strings.Fields(theirs)) {
		w.t.Errorf("rastos pkg list %s: %v; pacman %s: %q", flag, got, pacman, theirs)
	}
}

// newPkgWorld gives the root a pacman.conf, as other distributions have it.
func newPkgWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.must(os.MkdirAll(w.at("etc"), 0o755))
	w.must(os.WriteFile(w.at("etc/pacman.conf"), []byte(w.read(filepath.Join(w.dir, "pacman.conf"))), 0o644))
	w.must(os.MkdirAll(w.at("var/log"), 0o755))
	w.must(os.Symlink(w.at("var/log/pacman.log"), filepath.Join(w.dir, "log"))) // of the real pacman
	return w
}

func TestPkgAgreesWithPacman(t *testing.T) {
	w := newPkgWorld(t)
	w.pkgOK("install", "tool", "old", "--sync", "--yes")
	w.has("filesystem 1-1", "lib 1-1", "old 1-1", "shell 5-1", "tool 1-1")
	w.explicit("old", "tool")
	w.sound()
	w.pkgOK("install", w.archive(pkg("mine", "3-1", "depends=lib")), "--yes")
	w.publish(pkg("lib", "1.5-1"), pkg("tool", "2-1", "depends=lib", "depends=sh"))
	w.mustPacman("-Sy")
	w.mustPacman("-D", "--asdeps", "old")
	for flag, theirs := range map[string]string{
		"--explicit": "-Qeq", "--deps": "-Qdq", "--orphans": "-Qdtq", "--foreign": "-Qmq", "--native": "-Qnq", "--upgradable": "-Quq",
	} {
		w.agrees(flag, theirs)
	}
	var files []string
	for line := range strings.Lines(w.pkgOK("files", "shell")) {
		files = append(files, w.root+strings.TrimSpace(strings.TrimPrefix(line, "shell ")))
	}
	if theirs := strings.Fields(w.mustPacman("-Qlq", "shell")); !slices.Equal(files, theirs) {
		t.Errorf("files %v, pacman has %v", files, theirs)
	}
	if out := w.pkgOK("owns", "/bin/bash"); !strings.Contains(out, "shell") || !strings.Contains(w.mustPacman("-Qo", w.at("bin/bash")), "owned by shell 5-1") {
		t.Errorf("the owner of /bin/bash:\n%s", out)
	}
	w.pkgOK("verify")
	w.must(os.WriteFile(w.at("usr/bin/bash"), []byte("other"), 0o644))
	if out, code := w.pkg("verify"); code != 5 || !strings.Contains(out, "/usr/bin/bash") {
		t.Errorf("verify: exit code %d\n%s", code, out)
	}
	w.pkgOK("install", "shell", "--reinstall", "--as-deps", "--yes")
	w.pkgOK("upgrade", "--yes")
	w.has("filesystem 1-1", "lib 1.5-1", "mine 3-1", "old 1-1", "shell 5-1", "tool 2-1")
	w.pkgOK("remove", "tool", "--recursive", "--yes")
	w.has("lib 1.5-1", "mine 3-1", "old 1-1")
	w.sound()
}

// TestVerifyCountsEditedBackupFilesAsPacmanDoes: people are to edit them.
func TestVerifyCountsEditedBackupFilesAsPacmanDoes(t *testing.T) {
	w := newPkgWorld(t)
	conf := func(version string) made {
		p := pkg("conf", version)
		p.files = map[string]string{"etc/kept.conf": "a\n", "etc/plain.conf": "a\n"}
		p.Backup = []desc.Backup{{Path: "etc/kept.conf"}}
		return p
	}
	w.publish(conf("1-1"))
	w.pkgOK("install", "conf", "--sync", "--yes")
	agree := func(what string, sound bool) {
		t.Helper()
		out, code := w.pkg("verify", "conf")
		theirs, err := w.pacman("-Qkk", "conf")
		if (code == 0) != sound || (err == nil) != sound || !sound && code != 5 {
			t.Errorf("%s: exit code %d\n%s\npacman: %v\n%s", what, code, out, err, theirs)
		}
		if edited := strings.Contains(theirs, "backup file: conf: "+w.at("etc/kept.conf")); edited != strings.Contains(out, "a file for people to change") {
			t.Errorf("%s: pacman tells of the backup file: %v\n%s", what, edited, out)
		}
	}
	agree("as installed", true)
	w.must(os.WriteFile(w.at("etc/kept.conf"), []byte("mine\n"), 0o644))
	agree("edited", true)
	w.publish(conf("2-1"))
	w.pkgOK("upgrade", "--yes")
	w.file("etc/kept.conf", "mine\n")
	agree("edited, and kept by an upgrade", true)
	w.must(os.Chmod(w.at("etc/kept.conf"), 0o600))
	agree("with another mode", false)
	w.must(os.Chmod(w.at("etc/kept.conf"), 0o644))
	w.must(os.WriteFile(w.at("etc/plain.conf"), []byte("mine\n"), 0o644))
	agree("another file of /etc edited", false)
	w.must(os.Remove(w.at("etc/kept.conf")))
	agree("and the backup file gone", false)
}

// last is the id of the last transaction.
func (w *world) last() string {
	w.t.Helper()
	var list []struct{ ID string }
	w.must(json.Unmarshal([]byte(strings.SplitN(w.pkgOK("history", "--json"), "\n", 2)[0]), &list))
	return list[len(list)-1].ID
}

func TestUndoBringsBackWhatPacmanAgreesWith(t *testing.T) {
	w := newPkgWorld(t)
	conf := pkg("conf", "1-1")
	conf.files = map[string]string{"etc/conf": "one\n"}
	conf.Backup = []desc.Backup{{Path: "etc/conf"}}
	w.publish(conf)
	w.pkgOK("install", "tool", "conf", "old", "--sync", "--yes")
	first := w.mustPacman("-Q")
	reasons := w.mustPacman("-Qe")
	w.must(os.WriteFile(w.at("etc/conf"), []byte("mine\n"), 0o644))

	// An upgrade with a replacement and a new dependency, and back again.
	next := pkg("conf", "2-1", "depends=extra")
	next.files = map[string]string{"etc/conf": "two\n"}
	next.Backup = conf.Backup
	w.publish(next, pkg("extra", "1-1"), pkg("tool", "2-1", "depends=lib"), pkg("new", "1-1", "replaces=old", "conflicts=old"))
	w.pkgOK("upgrade", "--yes")
	w.has("conf 2-1", "extra 1-1", "filesystem 1-1", "lib 1-1", "new 1-1", "shell 5-1", "tool 2-1")
	upgrade := w.last()
	w.pkgOK("undo", upgrade, "--yes")
	if got := w.mustPacman("-Q"); got != first {
		t.Errorf("after the undo:\n%s\nbefore:\n%s", got, first)
	}
	if got := w.mustPacman("-Qe"); got != reasons {
		t.Errorf("asked for after the undo:\n%s\nbefore:\n%s", got, reasons)
	}
	w.file("etc/conf", "mine\n")
	w.sound()

	// What pacman did is undone, too, and an undo is undone.
	time.Sleep(time.Second) // pacman's log counts whole seconds
	w.mustPacman("-Rns", "tool")
	removed := w.last()
	if !strings.HasPrefix(removed, "p") {
		t.Fatalf("the last transaction is %s", removed)
	}
	w.pkgOK("undo", removed, "--yes")
	if got := w.mustPacman("-Q"); got != first {
		t.Errorf("after the undo of pacman's:\n%s\nbefore:\n%s", got, first)
	}
	again := w.last()
	w.pkgOK("undo", again, "--yes")
	if out, err := w.pacman("-Q", "tool"); err == nil {
		t.Errorf("the undone undo left %s", out)
	}
	w.sound()

	// pacman's own command line by rastos is in both records, and told once.
	before := strings.Count(w.pkgOK("history"), "\n")
	if out, code := w.rastos("pacman", "-S", "--noconfirm", "tool", "--config", w.at("etc/pacman.conf"), "-r", w.root,
		"--cachedir", filepath.Join(w.dir, "pacman-cache"), "--gpgdir", filepath.Join(w.dir, "gnupg"), "--logfile", w.at("var/log/pacman.log")); code != 0 {
		t.Fatalf("rastos pacman: %s", out)
	}
	out := w.pkgOK("history")
	if strings.Count(out, "\n") != before+1 || !strings.Contains(out, "pacman -S --noconfirm tool") {
		t.Errorf("the history:\n%s", out)
	}
}

// TestAKilledChangeIsSettledInTheHistory kills rastos at many moments; the next
// command finds a whole system, and says what became of the change.
func TestAKilledChangeIsSettledInTheHistory(t *testing.T) {
	w := newPkgWorld(t)
	big := pkg("big", "1-1")
	big.files = map[string]string{}
	for _, name := range strings.Split("abcdefghijklmnopqrstuvwxyz", "") {
		big.files["usr/share/bigger/"+name] = strings.Repeat(name, 200_000)
	}
	w.publish(big)
	w.pkgOK("install", "lib", "--sync", "--yes")
	install := func(after time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), after)
		defer cancel()
		cmd := exec.CommandContext(ctx, w.binary, "pkg", "install", "big", "--yes", "--root", w.root)
		cmd.Env = append(os.Environ(), "RASTOS_CONFIG="+os.DevNull)
		return cmd.Run()
	}
	// The moments are parts of what a whole run takes here.
	start := time.Now()
	if err := install(time.Minute); err != nil {
		t.Fatalf("install: %v", err)
	}
	whole := time.Since(start)
	w.pkgOK("remove", "big", "--yes")
	killed := 0
	for part := 1; part <= 9; part++ {
		if install(whole*time.Duration(part)/10) != nil {
			killed++
		}
		w.pkgOK("install", "tool", "--yes")
		w.pkgOK("remove", "tool", "--yes")
		out := w.pkgOK("history")
		if strings.Contains(out, "unfinished") {
			t.Fatalf("not settled:\n%s", out)
		}
		w.sound()
		if _, err := w.pacman("-Q", "big"); err == nil {
			w.pkgOK("remove", "big", "--yes")
		}
	}
	if killed == 0 {
		t.Error("no run was killed: all moments were too late")
	}
}
