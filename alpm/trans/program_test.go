// SPDX-License-Identifier: GPL-3.0-or-later

package trans_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/internal/host/run"
	"github.com/rastos/rastos/internal/testkit"
)

// shell is a package with a static busybox as /bin/sh and what scriptlets use.
func shell(t *testing.T) spec {
	t.Helper()
	busybox, err := os.ReadFile(testkit.NeedTool(t, "busybox"))
	must(t, err)
	return spec{info: "shell 1-1", files: map[string]string{
		"bin/": "", "bin/busybox": "0755 " + string(busybox), "bin/sh": "-> busybox", "bin/cat": "-> busybox", "bin/echo": "-> busybox",
		"bin/ls": "-> busybox", "bin/rm": "-> busybox", "sbin/ldconfig": "0755 #!/bin/sh\necho run >>/ldconfig.log\n", "tmp/": "01777 ", "etc/ld.so.conf": "",
		"proc/": "", "sys/": "", "dev/": "", "run/": "",
	}}
}

// noting is a scriptlet whose functions write down how they were called, and
// whether a file is there.
func noting(name, file string) string {
	var b strings.Builder
	for _, fn := range []string{"pre_install", "post_install", "pre_upgrade", "post_upgrade", "pre_remove", "post_remove"} {
		fmt.Fprintf(&b, "%s() { echo \"%s %s $* $([ -e %s ] && echo there) $(cat %s 2>/dev/null)\" >>/notes; }\n", fn, name, fn, file, file)
	}
	return b.String()
}

func TestPeerScriptletsAndHooks(t *testing.T) {
	l := peer(t)
	l.env = func(e *trans.Env) { e.Chroot = run.InRoot{} }
	hook := func(name, when, kind, ops, target string) (string, string) {
		text := "[Trigger]\nType = " + kind + "\n"
		for _, op := range strings.Split(ops, ",") {
			text += "Operation = " + op + "\n"
		}
		text += "Target = " + target + "\n[Action]\nWhen = " + when + "\nNeedsTargets\n" +
			"Exec = /bin/sh -c 'while read x; do echo \"hook " + name + " $x\"; done >>/notes'\n"
		return "usr/share/libalpm/hooks/" + name + ".hook", text
	}
	hooks := spec{info: "hooks 1-1 depends=shell", files: map[string]string{}}
	for _, h := range [][5]string{
		{"10-pre", "PreTransaction", "Package", "Install,Upgrade,Remove", "*"},
		{"20-post", "PostTransaction", "Package", "Install,Upgrade", "a"},
		{"30-path", "PostTransaction", "Path", "Install,Upgrade,Remove", "usr/lib/*"},
		{"40-gone", "PostTransaction", "Path", "Remove", "usr/lib/*"},
	} {
		name, text := hook(h[0], h[1], h[2], h[3], h[4])
		hooks.files[name] = text
	}
	set := func(v string) []spec {
		return []spec{shell(t), hooks,
			{info: "a " + v + "-1 depends=b", files: map[string]string{"usr/lib/a": v, "usr/lib/a" + v: v}, install: noting("a", "/usr/lib/a")},
			{info: "b " + v + "-1 depends=hooks", files: map[string]string{"usr/lib/b": v}, install: noting("b", "/usr/lib/b")}}
	}
	l.publish(set("1")...)
	l.both(trans.Request{Targets: []string{"shell", "hooks"}}, "-S", "shell", "hooks")
	l.both(trans.Request{Targets: []string{"a"}}, "-S", "a")
	l.publish(set("2")...)
	l.both(trans.Request{SysUpgrade: true}, "-Su")
	l.both(trans.Request{Targets: []string{"a"}}, "-S", "a")
	l.both(trans.Request{Remove: []string{"a"}, Recursive: true}, "-Rs", "a")
	notes, err := os.ReadFile(filepath.Join(l.ours, "notes"))
	must(t, err)
	for _, want := range []string{"a post_upgrade 2-1 1-1 there 2", "a pre_upgrade 2-1 1-1 there 1", "a pre_remove 2-1", "hook 10-pre a", "hook 40-gone usr/lib/a1"} {
		if !strings.Contains(string(notes), want) {
			t.Errorf("no %q in the notes:\n%s", want, notes)
		}
	}
}

// What a scriptlet takes away of packages after its own, folders and all, is there
// in the end, as with pacman; what it takes away of its own is not.
func TestPeerScriptletTakesAwayWhatComes(t *testing.T) {
	l := peer(t)
	l.env = func(e *trans.Env) { e.Chroot = run.InRoot{} }
	l.publish(shell(t),
		spec{info: "a 1-1 depends=shell", files: map[string]string{"usr/lib/a": "own", "usr/share/": "0750 "},
			install: "post_install() { rm -r /usr/lib/a /usr/share/z /etc/z.conf; }\n"},
		spec{info: "z 1-1 depends=a backup=etc/z.conf", files: map[string]string{
			"usr/share/z/": "0700 ", "usr/share/z/one": "1", "usr/share/z/deep/two": "0640 2", "usr/share/z/link": "-> one", "etc/z.conf": "z"}})
	l.both(trans.Request{Targets: []string{"shell"}}, "-S", "shell")
	l.touch(func(root string) { // or the scriptlet would fail with pacman, which has them not there yet
		must(t, os.MkdirAll(filepath.Join(root, "usr/share/z"), 0o755))
		must(t, os.WriteFile(filepath.Join(root, "etc/z.conf"), []byte("mine"), 0o644))
	})
	l.both(trans.Request{Targets: []string{"z"}}, "-S", "z")
	if text, err := os.ReadFile(filepath.Join(l.ours, "etc/z.conf")); err != nil || string(text) != "z" {
		t.Errorf("etc/z.conf: %q, %v", text, err)
	}
	if _, err := os.Lstat(filepath.Join(l.ours, "usr/lib/a")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("usr/lib/a: %v", err)
	}
}

// A fresh install extracts everything before any post_install runs, in the
// order of dependencies.
func TestFreshInstallRunsScriptletsInOrder(t *testing.T) {
	testkit.Integration(t)
	testkit.NeedRoot(t)
	l := newLab(t)
	l.env = func(e *trans.Env) { e.Chroot = run.InRoot{} }
	script := func(name string) string {
		return "post_install() { echo " + name + " $1; ls /usr/lib; }\n"
	}
	l.publish(shell(t),
		spec{info: "a 1-1 depends=b,shell", files: map[string]string{"usr/lib/a": strings.Repeat("large", 99999)}, install: script("a")},
		spec{info: "b 1-1 depends=c,shell", files: map[string]string{"usr/lib/b": "1"}, install: script("b")},
		spec{info: "c 1-1 depends=shell", files: map[string]string{"usr/lib/c": "1"}, install: script("c")})
	l.run(trans.Request{Targets: []string{"a"}})
	var out []string
	for _, e := range l.events {
		if e.Kind == trans.EventOutput && e.Name != "ldconfig" {
			out = append(out, e.Name+": "+e.Text)
		}
	}
	want := []string{
		"c: c 1-1", "c: a", "c: b", "c: c",
		"b: b 1-1", "b: a", "b: b", "b: c",
		"a: a 1-1", "a: a", "a: b", "a: c",
	}
	if !slices.Equal(out, want) {
		t.Errorf("output:\n%s", strings.Join(out, "\n"))
	}
	if log, err := os.ReadFile(filepath.Join(l.ours, "ldconfig.log")); err != nil || string(log) != "run\n" {
		t.Errorf("ldconfig: %q, %v", log, err)
	}
}

// fakeChroot counts instead of running.
type fakeChroot struct {
	calls  []string
	onCall func(argv []string) (int, error)
}

func (f *fakeChroot) Run(_ context.Context, _ string, argv []string, _ io.Reader, out io.Writer) (int, error) {
	f.calls = append(f.calls, strings.Join(argv, " "))
	fmt.Fprintln(out, "a line")
	if f.onCall != nil {
		return f.onCall(argv)
	}
	return 0, nil
}

func TestFailingScriptletIsReported(t *testing.T) {
	l := newLab(t)
	chroot := &fakeChroot{onCall: func([]string) (int, error) { return 3, nil }}
	l.env = func(e *trans.Env) { e.Chroot = chroot }
	l.publish(spec{info: "a 1-1", files: map[string]string{"usr/a": "1"}, install: "post_install() { exit 3; }\n"})
	l.run(trans.Request{Targets: []string{"a"}})
	if !l.has(trans.EventWarning, "a") {
		t.Errorf("events %+v", l.events)
	}
	if len(chroot.calls) != 1 {
		t.Errorf("calls %q", chroot.calls)
	}
	chroot.calls = nil
	l.run(trans.Request{Targets: []string{"a"}, Options: trans.Options{NoScriptlet: true}})
	if len(chroot.calls) != 0 {
		t.Errorf("calls with NoScriptlet %q", chroot.calls)
	}
}

func TestAbortingHookLeavesTheRoot(t *testing.T) {
	l := newLab(t)
	chroot := &fakeChroot{onCall: func([]string) (int, error) { return 1, nil }}
	hooks := t.TempDir()
	l.env = func(e *trans.Env) { e.Chroot, e.HookDirs = chroot, []string{hooks} }
	must(t, os.WriteFile(filepath.Join(hooks, "x.hook"), []byte("[Trigger]\nType = Package\nOperation = Install\nTarget = *\n"+
		"[Action]\nWhen = PreTransaction\nExec = /bin/false\nAbortOnFail\n"), 0o644))
	l.publish(two()...)
	l.sync()
	before := snapshot(t, l.ours)
	if _, err := l.try(trans.Request{Targets: []string{"a"}}); err == nil {
		t.Fatal("the hook was ignored")
	}
	if after := snapshot(t, l.ours); !slices.Equal(before, after) {
		t.Errorf("the root was changed: %v", after)
	}
	must(t, os.WriteFile(filepath.Join(hooks, "x.hook"), []byte("nonsense"), 0o644))
	if _, err := l.try(trans.Request{Targets: []string{"a"}}); err == nil {
		t.Fatal("a mistake in a hook was ignored")
	}
}

// Interrupted between two packages, the database has the first and not the
// second, and running the same again finishes.
func TestInterruptedBetweenPackages(t *testing.T) {
	l := newLab(t)
	l.publish(spec{info: "first 1-1", files: map[string]string{"usr/first": "1"}, install: "pre_install() { :; }\n"},
		spec{info: "second 1-1 depends=first", files: map[string]string{"usr/second": "1"}})
	l.sync()
	ctx, cancel := context.WithCancelCause(context.Background())
	chroot := &fakeChroot{onCall: func([]string) (int, error) { cancel(errors.New("enough")); return 0, nil }}
	env := l.environment()
	env.Chroot = chroot
	plan, err := trans.Prepare(ctx, env, trans.Request{Targets: []string{"second"}})
	must(t, err)
	err = trans.Run(ctx, env, plan, nil)
	var pe *trans.PackageError
	if !errors.As(err, &pe) || pe.Package != "second" || pe.Done != 1 || !strings.Contains(err.Error(), "enough") {
		t.Fatalf("got %v", err)
	}
	for path, want := range map[string]bool{
		"usr/first": true, "usr/second": false,
		"var/lib/pacman/local/first-1-1": true, "var/lib/pacman/local/second-1-1": false, "var/lib/pacman/db.lck": false,
	} {
		if _, err := os.Lstat(filepath.Join(l.ours, path)); (err == nil) != want {
			t.Errorf("%s: %v", path, err)
		}
	}
	l.run(trans.Request{Targets: []string{"second"}})
}

// A killed transaction leaves its lock; the next one takes it over, but not
// while its holder lives.
func TestLockOfTheKilled(t *testing.T) {
	if os.Getenv("TRANS_TEST_LOCK") != "" {
		holdLock(t)
		return
	}
	l := newLab(t)
	l.publish(two()...)
	cmd := exec.Command(os.Args[0], "-test.run=^TestLockOfTheKilled$")
	cmd.Env = append(os.Environ(), "TRANS_TEST_LOCK="+l.ours)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	_, err = out.Read(make([]byte, 1)) // it has the lock
	must(t, err)
	_, err = trans.Sync(context.Background(), l.environment(), nil)
	var le *trans.LockError
	if !errors.As(err, &le) || le.PID != cmd.Process.Pid || le.ExitCode() != 10 || le.Hint() == "" {
		t.Fatalf("while it lives: %v", err)
	}
	must(t, cmd.Process.Kill())
	_ = cmd.Wait()
	lock := filepath.Join(l.ours, "var/lib/pacman/db.lck")
	if text, err := os.ReadFile(lock); err != nil || strings.TrimSpace(string(text)) != strconv.Itoa(cmd.Process.Pid) {
		t.Fatalf("the killed one's lock: %q, %v", text, err)
	}
	var told bool
	_, err = trans.Sync(context.Background(), l.environment(), func(e trans.Event) { told = told || e.Kind == trans.EventWarning })
	must(t, err)
	if !told {
		t.Error("nobody was told of the interrupted transaction")
	}
	if _, err := os.Lstat(lock); err == nil {
		t.Error("the lock is still there")
	}
}

// holdLock is the second process: it stops in the middle of a transaction.
func holdLock(t *testing.T) {
	root := os.Getenv("TRANS_TEST_LOCK")
	hooks := t.TempDir()
	must(t, os.WriteFile(filepath.Join(hooks, "x.hook"), nil, 0o644))
	env := trans.Env{Root: root, DBPath: filepath.Join(root, "var/lib/pacman")}
	_ = trans.Run(context.Background(), env, &trans.Plan{}, func(trans.Event) {
		fmt.Println("locked")
		select {}
	})
}

// The database may be behind a relative link, on another file system too.
func TestLocalDatabaseBehindALink(t *testing.T) {
	l := newLab(t)
	must(t, os.Symlink("../../../usr/lib/rastos/pacman/local", filepath.Join(l.ours, "var/lib/pacman/local")))
	l.env = func(e *trans.Env) { e.Durable = true }
	l.publish(two()...)
	l.run(trans.Request{Targets: []string{"a"}})
	for _, path := range []string{"usr/lib/rastos/pacman/local/a-1-1/desc", "var/lib/pacman/local/b-1-1/desc"} {
		if _, err := os.Stat(filepath.Join(l.ours, path)); err != nil {
			t.Error(err)
		}
	}
	l.run(trans.Request{Remove: []string{"a"}})
	if to, err := os.Readlink(filepath.Join(l.ours, "var/lib/pacman/local")); err != nil || to == "" {
		t.Errorf("the link is gone: %v", err)
	}
	if _, err := os.Stat(filepath.Join(l.ours, "usr/lib/rastos/pacman/local/b-1-1/desc")); err != nil {
		t.Error(err)
	}
}

func TestDatabaseOnly(t *testing.T) {
	l := newLab(t)
	l.publish(two()...)
	l.run(trans.Request{Targets: []string{"a"}, Options: trans.Options{DBOnly: true}})
	if _, err := os.Stat(filepath.Join(l.ours, "usr")); err == nil {
		t.Error("files were written")
	}
	if _, err := os.Stat(filepath.Join(l.ours, "var/lib/pacman/local/a-1-1/mtree")); err != nil {
		t.Error(err)
	}
	l.run(trans.Request{Remove: []string{"a"}, Options: trans.Options{DBOnly: true}})
}
