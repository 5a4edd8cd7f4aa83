// SPDX-License-Identifier: GPL-3.0-or-later

package trans_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rastos/rastos/alpm/localdb"
	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/internal/testkit"
)

// The process is killed at every event of an upgrade in turn. Whenever that
// is, every package is in the database, in its old or its new version, and the
// same upgrade run again comes to the same end.
func TestKilledAtEveryStep(t *testing.T) {
	if os.Getenv("TRANS_TEST_CRASH") != "" {
		crash(t)
		return
	}
	testkit.Integration(t)
	l := newLab(t)
	v1 := []spec{
		{info: "a 1-1 depends=b backup=etc/a", files: map[string]string{"usr/a": "1", "usr/only/a1": "1", "etc/a": "1"}},
		{info: "b 1-1", files: map[string]string{"usr/b": "1", "usr/moves": "1"}},
		{info: "gone 1-1", files: map[string]string{"usr/gone": "1"}},
	}
	v2 := []spec{
		{info: "a 2-1 depends=b,new backup=etc/a", files: map[string]string{"usr/a": "2", "usr/only/a2": "2", "etc/a": "2", "usr/moves": "2"}},
		{info: "b 2-1", files: map[string]string{"usr/b": "2"}},
		{info: "new 2-1 replaces=gone conflicts=gone", files: map[string]string{"usr/new": "2"}},
	}
	start := func() {
		l.t.Helper()
		must(t, os.RemoveAll(l.ours))
		must(t, os.MkdirAll(filepath.Join(l.ours, "var/lib/pacman"), 0o755))
		l.publish(v1...)
		l.run(trans.Request{Targets: []string{"a", "gone"}})
		must(t, os.WriteFile(filepath.Join(l.ours, "etc/a"), []byte("mine"), 0o644))
		l.publish(v2...)
		l.sync()
	}
	start()
	l.run(trans.Request{SysUpgrade: true})
	want := snapshot(t, l.ours)
	for n := 1; ; n++ {
		start()
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilledAtEveryStep$")
		cmd.Env = append(os.Environ(), "TRANS_TEST_CRASH="+strconv.Itoa(n), "TRANS_TEST_LAB="+l.dir)
		out, err := cmd.CombinedOutput()
		if err == nil {
			if n < 10 {
				t.Errorf("only %d events", n)
			}
			return
		}
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("event %d: %v\n%s", n, err, out)
		}
		checkAfterCrash(t, l, n)
		_, err = trans.Recover(context.Background(), l.environment(), nil)
		must(t, err)
		l.run(trans.Request{SysUpgrade: true})
		if got := snapshot(t, l.ours); !slices.Equal(got, want) {
			t.Fatalf("event %d, run again:\n%s\n\nwant:\n%s", n, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

func checkAfterCrash(t *testing.T, l *lab, n int) {
	t.Helper()
	db, err := localdb.Open(filepath.Join(l.ours, "var/lib/pacman/local"))
	must(t, err)
	for _, name := range []string{"a", "b"} {
		p := db.Package(name)
		if p == nil {
			t.Fatalf("event %d: %s is not installed any more", n, name)
		}
		must(t, db.LoadFiles(p))
		for _, f := range p.Files {
			if _, err := os.Lstat(filepath.Join(l.ours, f)); err != nil && f != "usr/moves" && !strings.HasPrefix(f, "usr/only/") {
				t.Errorf("event %d: %s-%s lacks %s", n, name, p.Version, f)
			}
		}
	}
}

// crash is the process that is killed, by itself, at the event it is told.
func crash(t *testing.T) {
	dir := os.Getenv("TRANS_TEST_LAB")
	l := &lab{t: t, dir: dir, repoDir: filepath.Join(dir, "repo"), ours: filepath.Join(dir, "ours")}
	at, err := strconv.Atoi(os.Getenv("TRANS_TEST_CRASH"))
	must(t, err)
	env := l.environment()
	env.Durable = true
	plan, err := trans.Prepare(context.Background(), env, trans.Request{SysUpgrade: true})
	must(t, err)
	n := 0
	must(t, trans.Run(context.Background(), env, plan, func(trans.Event) {
		if n++; n == at {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}))
}
