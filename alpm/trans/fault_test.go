// SPDX-License-Identifier: GPL-3.0-or-later

package trans_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/internal/testkit"
)

// change is a transaction that is cut off everywhere.
type change struct {
	name          string
	before, after []spec
	prepare       func(root string) // after `before` is installed
	start, req    trans.Request
	hookRemoves   string // what a hook takes away before an upgrade
	// scriptlet is what the scriptlets of packages do to the root.
	scriptlet func(root string) error
}

func changes() []change {
	all := trans.Request{SysUpgrade: true}
	return []change{
		{name: "install", after: base, req: trans.Request{Targets: []string{"app", "tool"}}},
		{name: "upgrade with backups, replacement, a file that moves, links and directories that change",
			before: []spec{
				{info: "a 1-1 depends=b backup=etc/a,etc/kept,etc/dropped", files: map[string]string{
					"usr/a": "1", "usr/only/a1": "1", "etc/a": "1", "etc/kept": "1", "etc/dropped": "1", "usr/dir/x": "1", "usr/link": "-> dir", "etc/gone": "1", "usr/stays": "1", "usr/mode": "1"}},
				{info: "b 1-1 backup=etc/b", files: map[string]string{"usr/b": "1", "usr/moves": "1", "etc/b": "1", "usr/tofile/": "", "usr/tofile/y": "1", "usr/todir": "1"}},
				{info: "gone 1-1 backup=etc/saved", files: map[string]string{"usr/gone": "1", "etc/saved": "1", "usr/gonedir/": "", "usr/gonedir/z": "1"}},
			},
			after: []spec{
				{info: "a 2-1 depends=b,new backup=etc/a,etc/kept", files: map[string]string{
					"usr/a": "2", "usr/only/a2": "2", "etc/a": "2", "etc/kept": "1", "etc/dropped": "2", "usr/dir/x": "2", "usr/link": "-> only", "usr/moves": "2", "usr/stays": "1", "usr/mode": "4755 1"}},
				{info: "b 2-1 backup=etc/b", files: map[string]string{"usr/b": "2", "etc/b": "2", "usr/tofile": "2", "usr/todir/": "", "usr/todir/in/side": "2"}},
				{info: "new 2-1 replaces=gone conflicts=gone", files: map[string]string{"usr/new": "2", "usr/gonedir/": "0700 ", "usr/gonedir/z": "2"}},
			},
			prepare: func(root string) {
				for _, f := range []string{"etc/a", "etc/kept", "etc/dropped", "etc/saved"} {
					_ = os.WriteFile(filepath.Join(root, f), []byte("mine"), 0o644)
				}
				_ = os.WriteFile(filepath.Join(root, "etc/saved.pacsave"), []byte("earlier"), 0o644)
			},
			start: trans.Request{Targets: []string{"a", "gone"}}, req: all},
		{name: "reinstall", before: base, after: base, start: trans.Request{Targets: []string{"app", "tool"}},
			req: trans.Request{Targets: []string{"app", "tool", "libc"}}},
		{name: "upgrade of which a hook takes away what stays", hookRemoves: "usr/taken", start: trans.Request{Targets: []string{"a"}}, req: all,
			before: []spec{{info: "a 1-1", files: map[string]string{"usr/taken": "1", "usr/kept": "1", "usr/a": "1"}}},
			after:  []spec{{info: "a 2-1", files: map[string]string{"usr/taken": "1", "usr/kept": "1", "usr/a": "2"}}}},
		{name: "upgrade of which a scriptlet spoils what another package has", start: trans.Request{Targets: []string{"b"}}, req: all,
			before: spoilt("1"), after: spoilt("2"), hookRemoves: "usr/b/hooked", scriptlet: spoil},
		{name: "remove", before: base, after: base, start: trans.Request{Targets: []string{"app", "tool"}},
			prepare: func(root string) { _ = os.WriteFile(filepath.Join(root, "etc/app.conf"), []byte("mine"), 0o644) },
			req:     trans.Request{Remove: []string{"app", "tool"}, Recursive: true}},
	}
}

// spoilt are two packages of which the first has a scriptlet, and most files of
// the second stay as they are.
func spoilt(version string) []spec {
	return []spec{
		{info: "a " + version + "-1", files: map[string]string{"usr/a": version}, install: "post_upgrade() { :; }\n"},
		{info: "b " + version + "-1 depends=a", files: map[string]string{"usr/b/b": version, "usr/b/hooked": "1", "usr/b/taken": "one", "usr/b/written": "two",
			"usr/b/dressed": "0750 three", "usr/b/copied": "four", "usr/b/dir/in/side": "five", "usr/b/dir/new": version, "usr/b/stays": "six", "usr/b/mode": "0" + version + "00 7"}},
	}
}

// spoil does what a scriptlet should not do.
func spoil(root string) error {
	at := func(name string) string { return filepath.Join(root, "usr/b", name) }
	if _, err := os.Lstat(at("taken")); err != nil {
		return nil // it ran before
	}
	return errors.Join(os.Remove(at("taken")), os.WriteFile(at("written"), []byte("TWO"), 0o644), os.Chmod(at("dressed"), 0o600),
		os.WriteFile(at("copy"), []byte("four"), 0o644), os.Rename(at("copy"), at("copied")),
		os.Remove(at("mode")), os.WriteFile(at("mode"), []byte("7"), 0o644), os.RemoveAll(at("dir")))
}

// cutLab is a change that is ready to be cut off, again and again.
type cutLab struct {
	*lab
	change
	image    string   // the root before
	old, new []string // snapshots
}

func newCutLab(t *testing.T, c change) *cutLab {
	t.Helper()
	l := &cutLab{lab: newLab(t), change: c}
	l.durable = true
	l.image = filepath.Join(l.dir, "image")
	if c.hookRemoves != "" {
		l.programs()
	}
	if c.before != nil {
		l.publish(c.before...)
		l.run(c.start)
	}
	if c.prepare != nil {
		c.prepare(l.ours)
	}
	l.publish(c.after...)
	l.sync()
	l.old = snapshot(t, l.ours)
	l.copyRoot(l.ours, l.image)
	l.run(c.req)
	l.new = snapshot(t, l.ours)
	if slices.Equal(l.old, l.new) != (c.name == "reinstall") {
		t.Fatal("the change is not what it is meant to be")
	}
	return l
}

// programs lets a hook remove a file, and scriptlets do what the change has.
func (l *cutLab) programs() {
	l.t.Helper()
	hooks := l.t.TempDir()
	must(l.t, os.WriteFile(filepath.Join(hooks, "x.hook"), []byte("[Trigger]\nType = Package\nOperation = Upgrade\nTarget = *\n"+
		"[Action]\nWhen = PreTransaction\nExec = /bin/true\n"), 0o644))
	chroot := &fakeChroot{onCall: func(argv []string) (int, error) {
		if argv[0] == "/bin/true" {
			return 0, os.Remove(filepath.Join(l.ours, l.hookRemoves))
		}
		return 0, l.scriptlet(l.ours)
	}}
	l.env = func(e *trans.Env) { e.Chroot, e.HookDirs = chroot, []string{hooks} }
}

func (l *cutLab) copyRoot(from, to string) {
	l.t.Helper()
	must(l.t, os.RemoveAll(to))
	if out, err := exec.Command("cp", "-a", from, to).CombinedOutput(); err != nil {
		l.t.Fatalf("cp: %v\n%s", err, out)
	}
}

// reset brings the root back to where it was before.
func (l *cutLab) reset() { l.copyRoot(l.image, l.ours) }

// attempt runs the change, with a fault at its nth step, and returns how many
// steps it came to.
func (l *cutLab) attempt(n int, fault error) (steps int, err error) {
	l.t.Helper()
	env := l.environment()
	plan, err := trans.Prepare(context.Background(), env, l.req)
	must(l.t, err)
	env.SetFault(func(string) error {
		if steps++; steps == n {
			return fault
		}
		return nil
	})
	env.Workers = 1
	return steps, trans.Run(context.Background(), env, plan, nil)
}

// whole checks that the root is exactly the old or the new one.
func (l *cutLab) whole(what string, n int, wantNew bool) {
	l.t.Helper()
	if diff := l.differs(wantNew); diff != "" {
		l.t.Fatalf("%s at step %d (new: %v):\n%s", what, n, wantNew, diff)
	}
}

// differs compares the root with the old or the new one.
func (l *cutLab) differs(isNew bool) string {
	l.t.Helper()
	want := l.old
	if isNew {
		want = l.new
	}
	got := snapshot(l.t, l.ours)
	var diff []string
	for _, line := range got {
		if !slices.Contains(want, line) {
			diff = append(diff, "got:  "+line)
		}
	}
	for _, line := range want {
		gone := !isNew && l.hookRemoves != "" && strings.HasPrefix(line, l.hookRemoves+" ") // which nobody brings back
		if !gone && !slices.Contains(got, line) {
			diff = append(diff, "want: "+line)
		}
	}
	return strings.Join(diff, "\n")
}

// Stopped before any single step, the change is taken back or finished by a
// recovery, and the root is exactly the old or the new one.
func TestStoppedBeforeEveryStep(t *testing.T) {
	for _, c := range changes() {
		t.Run(c.name, func(t *testing.T) {
			l := newCutLab(t, c)
			finished, undone := 0, 0
			for n := 1; ; n++ {
				l.reset()
				_, err := l.attempt(n, trans.ErrStopped)
				if err == nil {
					break
				}
				if !errors.Is(err, trans.ErrStopped) {
					t.Fatalf("step %d: %v", n, err)
				}
				rec, err := trans.Recover(context.Background(), l.environment(), nil)
				must(t, err)
				isNew := rec != nil && rec.Finished || rec == nil && n > 10
				if isNew {
					finished++
				} else {
					undone++
				}
				l.whole("stopped", n, isNew)
				if n%7 == 0 && testingPacman() {
					l.clean(l.ours)
				}
			}
			t.Logf("%d stops were taken back, %d finished", undone, finished)
			if undone < 3 || finished < 5 {
				t.Errorf("only %d and %d stops", undone, finished)
			}
		})
	}
}

// What programs of a change do to files of others that stay is made good, each
// file with its own content.
func TestWhatProgramsSpoilIsMadeGood(t *testing.T) {
	for _, c := range changes() {
		if c.scriptlet == nil {
			continue
		}
		l := newCutLab(t, c)
		for name, want := range c.after[1].files {
			got, err := os.ReadFile(filepath.Join(l.ours, name))
			info, _ := os.Stat(filepath.Join(l.ours, name))
			mode, content := "0644", want
			if m, rest, ok := strings.Cut(want, " "); ok {
				mode, content = m, rest
			}
			if err != nil || string(got) != content || fmt.Sprintf("%#o", info.Mode()) != mode {
				t.Errorf("%s is %q, %v, want %q with %s (%v)", name, got, info, content, mode, err)
			}
		}
	}
}

// Where a recovery needs an archive that is gone, it finishes the rest and names
// what is missing; with another one in its place, too.
func TestRecoveryWithoutTheArchive(t *testing.T) {
	l := newCutLab(t, changes()[4])
	archive := filepath.Join(l.dir, "cache-ours", "b-2-1-any.pkg.tar.zst")
	content, err := os.ReadFile(archive)
	must(t, err)
	for _, spoilArchive := range []func() error{
		func() error { return os.Remove(archive) },
		func() error { return os.WriteFile(archive, content[:len(content)/2], 0o644) },
	} {
		l.reset()
		must(t, os.WriteFile(archive, content, 0o644))
		env := l.environment()
		plan, err := trans.Prepare(context.Background(), env, l.req)
		must(t, err)
		ran := false
		l.change.scriptlet = func(root string) error { ran = true; return spoil(root) }
		env.SetFault(func(string) error {
			if ran {
				return trans.ErrStopped
			}
			return nil
		})
		if err := trans.Run(context.Background(), env, plan, nil); !errors.Is(err, trans.ErrStopped) {
			t.Fatal(err)
		}
		must(t, spoilArchive())
		lost := map[string]bool{}
		rec, err := trans.Recover(context.Background(), l.environment(), func(e trans.Event) {
			if e.About == trans.AboutLost {
				lost[e.Path] = e.Name == "b" && e.Err != nil
			}
		})
		must(t, err)
		if want := map[string]bool{"usr/b/taken": true, "usr/b/dir/in/side": true, "usr/b/dir/new": true}; !rec.Finished || !maps.Equal(lost, want) {
			t.Errorf("%v, lost: %v", rec, lost)
		}
		if p, err := trans.Installed(l.environment()); err != nil || p.Package("b").Version != "2-1" {
			t.Errorf("b was not installed: %v", err)
		}
	}
}

func testingPacman() bool {
	_, err := exec.LookPath("pacman")
	return err == nil && os.Getenv("RASTOS_TEST_INTEGRATION") == "1"
}

// A recovery that is stopped itself comes to the same end the next time.
func TestRecoveryStoppedBeforeEveryStep(t *testing.T) {
	testkit.Integration(t)
	all := changes()
	for _, c := range append(all[:2:2], all[4]) {
		l := newCutLab(t, c)
		total, err := l.attempt(0, nil)
		must(t, err)
		for n := 3; n < total-3; n += max(1, total/12) {
			for m := 1; ; m++ {
				l.reset()
				if _, err := l.attempt(n, trans.ErrStopped); !errors.Is(err, trans.ErrStopped) {
					t.Fatalf("step %d: %v", n, err)
				}
				env, steps := l.environment(), 0
				env.SetFault(func(string) error {
					if steps++; steps == m {
						return trans.ErrStopped
					}
					return nil
				})
				rec, err := trans.Recover(context.Background(), env, nil)
				if err != nil && !errors.Is(err, trans.ErrStopped) {
					t.Fatalf("stopped at %d and %d: %v", n, m, err)
				}
				ended := err == nil
				if !ended {
					rec, err = trans.Recover(context.Background(), l.environment(), nil)
					must(t, err)
				}
				if rec != nil { // nil: the journal was gone already
					l.whole("stopped twice", n*1000+m, rec.Finished)
				}
				if ended {
					break
				}
			}
		}
	}
}

// A disk that fails leaves the old root before the commit, and after it one
// that the next command finishes.
func TestFailingDiskAtEveryStep(t *testing.T) {
	l := newCutLab(t, changes()[1])
	for n := 1; ; n++ {
		l.reset()
		_, err := l.attempt(n, syscall.EIO)
		if err == nil {
			break
		}
		var unfinished *trans.UnfinishedError
		if !errors.As(err, &unfinished) {
			if there, _ := trans.Interrupted(l.environment()); there {
				t.Fatalf("step %d: a journal is left and the error does not say so: %v", n, err)
			}
			if !slices.Equal(snapshot(t, l.ours), l.new) {
				l.whole("failed", n, false)
			}
			continue
		}
		if unfinished.Hint() == "" || !errors.Is(err, syscall.EIO) {
			t.Errorf("step %d: %v", n, err)
		}
		if _, err := os.Lstat(filepath.Join(l.ours, "var/lib/pacman/db.lck")); err != nil {
			t.Errorf("step %d: pacman is not kept out: %v", n, err)
		}
		rec, err := trans.Recover(context.Background(), l.environment(), nil)
		must(t, err)
		if rec == nil {
			t.Fatalf("step %d: nothing to recover", n)
		}
		l.whole("failed and recovered", n, rec.Finished)
	}
}
