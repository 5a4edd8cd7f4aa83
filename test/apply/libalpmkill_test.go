// SPDX-License-Identifier: GPL-3.0-or-later

package apply_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/history"
)

// newLibalpmWorld has a root whose own manifest chooses the host's libalpm.
func newLibalpmWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.byLibalpm()
	w.manifest(`"app"`)
	w.ok("apply", "--sync", "--yes")
	return w
}

// TestPkgByTheHostsLibalpm: the verbs for single packages, by the other engine.
func TestPkgByTheHostsLibalpm(t *testing.T) {
	w := newLibalpmWorld(t)
	w.pkgOK("install", "tool", "--yes")
	w.has("app 1-1", "filesystem 1-1", "lib 1-1", "linux 6-1", "shell 5-1", "tool 1-1")
	w.explicit("app", "linux", "tool")
	w.publish(pkg("lib", "1.5-1"), pkg("tool", "2-1", "depends=lib", "depends=sh"))
	w.pkgOK("upgrade", "--yes")
	w.has("app 1-1", "filesystem 1-1", "lib 1.5-1", "linux 6-1", "shell 5-1", "tool 2-1")
	w.pkgOK("remove", "tool", "--yes")
	w.pkgOK("undo", w.last(), "--yes")
	w.has("app 1-1", "filesystem 1-1", "lib 1.5-1", "linux 6-1", "shell 5-1", "tool 2-1")
	w.sound()
	// Each of them is in the history once.
	results := map[history.Result]int{}
	for _, e := range w.transactions() {
		results[e.Result]++
	}
	if len(results) != 1 || results[history.Done] != 5 {
		t.Errorf("the history has %v", results)
	}
	if out, code := w.pkg("install", "nosuch", "--yes"); code != 4 || !strings.Contains(out, "nosuch") {
		t.Errorf("exit code %d\n%s", code, out)
	}
}

func (w *world) transactions() []history.Entry {
	w.t.Helper()
	var list []history.Entry
	w.must(json.Unmarshal([]byte(w.pkgOK("history", "--json")), &list))
	return list
}

// big is a package that takes libalpm a while.
func big(version, folder string) made {
	p := pkg("big", version, "depends=lib")
	p.files = map[string]string{"etc/big.conf": "a\n", "usr/share/huge/" + version: "", "usr/share/" + folder + "/": ""}
	p.Backup = []desc.Backup{{Path: "etc/big.conf"}}
	for i := range 20000 {
		p.files[fmt.Sprintf("usr/share/huge/f%05d", i)] = version
	}
	for i := range 200 {
		p.files[fmt.Sprintf("usr/share/%s/g%03d", folder, i)] = version
	}
	return p
}

// killed starts a verb, and kills the helper that changes the root as soon as
// the moment has come.
func (w *world) killed(moment func() bool, args ...string) string {
	w.t.Helper()
	cmd := exec.Command(w.binary, slices.Concat([]string{"pkg"}, args, []string{"--yes", "--root", w.root})...)
	cmd.Env = append(os.Environ(), "RASTOS_CONFIG="+os.DevNull, "RASTOS_CACHE_DIR="+filepath.Join(w.dir, "cache"), "LC_ALL=C")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	w.must(cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for !moment() {
		select {
		case err := <-ended:
			w.t.Fatalf("it ended before it was killed: %v\n%s", err, out.String())
		case <-time.After(time.Millisecond):
		}
	}
	helper := child(cmd.Process.Pid)
	if helper == 0 {
		w.t.Fatalf("there is no helper\n%s", out.String())
	}
	w.must(syscall.Kill(helper, syscall.SIGKILL))
	select {
	case <-ended:
	case <-time.After(30 * time.Second):
		_ = cmd.Process.Kill()
		w.t.Fatalf("rastos waits for a helper that is gone\n%s", out.String())
	}
	if code := cmd.ProcessState.ExitCode(); code != 1 {
		w.t.Errorf("exit code %d", code)
	}
	return out.String()
}

// child finds the helper of a rastos.
func child(parent int) int {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		data, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		// The name is in parentheses and may hold anything.
		_, rest, _ := strings.Cut(string(data), ") ")
		if fields := strings.Fields(rest); len(fields) > 1 && fields[1] == strconv.Itoa(parent) && strings.Contains(string(data), "(rastos-libalpm)") {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			return pid
		}
	}
	return 0
}

// unlocked: neither program finds a lock, or anything else that is left.
func (w *world) unlocked() {
	w.t.Helper()
	if left, _ := filepath.Glob(w.at("var/lib/pacman/*.lck*")); left != nil {
		w.t.Errorf("left: %v", left)
	}
	for _, name := range []string{"dev", "proc", "run", "sys"} {
		if entries, err := os.ReadDir(w.at(name)); err == nil && len(entries) > 0 {
			w.t.Errorf("/%s holds %v", name, entries)
		}
	}
	w.mustPacman("-Dk")
}

func (w *world) there(pattern string) bool {
	found, _ := filepath.Glob(w.at(pattern))
	return len(found) > 0
}

func (w *world) unfinished(out string, words ...string) {
	w.t.Helper()
	for _, text := range append(words, "rastos-libalpm ended in the middle", "killed", "big", "run the same again") {
		if !strings.Contains(out, text) {
			w.t.Errorf("%q is not told:\n%s", text, out)
		}
	}
	all := w.transactions()
	if last := all[len(all)-1]; last.Result != history.Failed || !strings.Contains(last.Error, "ended in the middle") {
		w.t.Errorf("the history has %+v", last)
	}
}

// TestKilledHelperLosesNothing kills the real libalpm where it hurts most: when
// the old version is gone and the new one is not there, in the middle of a first
// installation, and of a removal. The database is whole, and the same again does
// what was wanted.
func TestKilledHelperLosesNothing(t *testing.T) {
	w := newLibalpmWorld(t)
	w.publish(big("1-1", "one"))
	w.pkgOK("sync")

	out := w.killed(func() bool { return w.there("usr/share/huge/f000*") }, "install", "big")
	w.unlocked()
	w.unfinished(out, "install big", "taken away again")
	w.has("app 1-1", "filesystem 1-1", "lib 1-1", "linux 6-1", "shell 5-1")
	if w.there("usr/share/huge/*") || w.there("usr/share/one") {
		t.Error("files of what is not installed are left")
	}
	w.pkgOK("install", "big", "--yes")
	w.sound()

	w.must(os.WriteFile(w.at("etc/big.conf"), []byte("mine\n"), 0o644))
	w.publish(big("2-1", "two"))
	out = w.killed(func() bool {
		return w.there("usr/share/huge/2-1") || w.there("usr/share/two/g*") || !w.there("usr/share/huge/f0000*")
	}, "upgrade")
	w.unlocked()
	w.unfinished(out, "upgrade big", "the database has big 1-1 again")
	w.has("app 1-1", "big 1-1", "filesystem 1-1", "lib 1-1", "linux 6-1", "shell 5-1")
	w.explicit("app", "big", "linux")
	w.pkgOK("upgrade", "--yes")
	w.has("app 1-1", "big 2-1", "filesystem 1-1", "lib 1-1", "linux 6-1", "shell 5-1")
	w.explicit("app", "big", "linux")
	w.file("etc/big.conf", "mine\n")
	w.sound()
	if w.there("usr/share/one/*") {
		t.Error("files of the old version are left")
	}

	out = w.killed(func() bool { return !w.there("usr/share/huge/f1999*") }, "remove", "big")
	w.unlocked()
	w.unfinished(out, "remove big", "the database has big 2-1 again")
	w.pkgOK("remove", "big", "--yes")
	w.has("app 1-1", "filesystem 1-1", "lib 1-1", "linux 6-1", "shell 5-1")
	if w.there("usr/share/huge/*") || w.there("usr/share/two/*") {
		t.Error("files of what was removed are left")
	}
	w.sound()
}
