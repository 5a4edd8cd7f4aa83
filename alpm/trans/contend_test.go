// SPDX-License-Identifier: GPL-3.0-or-later

package trans_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"
	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/internal/testkit"
)

// contend takes the lock again and again. Whoever has it must be alone, which
// another lock tells that the kernel keeps.
func contend(ctx context.Context, env trans.Env) error {
	for {
		held, err := trans.Acquire(ctx, env, nil)
		var busy *trans.LockError
		if errors.As(err, &busy) {
			continue
		}
		if err != nil {
			return err
		}
		alone := flock.New(filepath.Join(env.DBPath, "alone"))
		if ok, err := alone.TryLock(); !ok || err != nil {
			return fmt.Errorf("two have the lock at once (%v)", err)
		}
		count(filepath.Join(env.DBPath, "taken"))
		if err := alone.Unlock(); err != nil {
			return err
		}
		held.Release()
	}
}

// count adds a line to a file; only who is alone calls it.
func count(name string) {
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err == nil {
		fmt.Fprintln(f, os.Getpid())
		f.Close()
	}
}

// Several programs want the lock and are killed at any moment, also while they
// make it or take it over. At no time do two have it, and it never stays locked.
func TestLockOfManyWhoAreKilled(t *testing.T) {
	testkit.Integration(t)
	l := newLab(t)
	o := order{Dir: l.dir, Root: l.ours, Contend: true}
	ended := make(chan error)
	begin := func() *exec.Cmd {
		cmd := o.start(t)
		go func() { ended <- cmd.Wait() }()
		return cmd
	}
	const many = 4
	var all []*exec.Cmd
	for range many {
		all = append(all, begin())
	}
	kills := testkit.Rounds(60, 2000)
	killed := func(i int) {
		must(t, all[i].Process.Kill())
		err := <-ended
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.Exited() {
			t.Fatalf("one ended by itself: %v", err)
		}
	}
	for range kills {
		time.Sleep(time.Duration(rand.Int63n(int64(8 * time.Millisecond))))
		i := rand.Intn(many)
		killed(i)
		all[i] = begin()
	}
	for i := range all {
		killed(i)
	}
	held, err := trans.Acquire(context.Background(), l.environment(), nil)
	must(t, err)
	held.Release()
	data, err := os.ReadFile(filepath.Join(l.ours, "var/lib/pacman/taken"))
	must(t, err)
	if n := strings.Count(string(data), "\n"); n < kills/2 {
		t.Errorf("the lock was taken %d times only", n)
	}
	left, _ := filepath.Glob(filepath.Join(l.ours, "var/lib/pacman/db.lck*"))
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// The pid in a lock may be another program's by now: what counts is whether
// somebody holds the file.
func TestLockWhosePidIsReused(t *testing.T) {
	l := newLab(t)
	path := filepath.Join(l.ours, "var/lib/pacman/db.lck")
	must(t, os.WriteFile(path, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o644))
	var told []trans.Event
	held, err := trans.Acquire(context.Background(), l.environment(), func(e trans.Event) { told = append(told, e) })
	must(t, err)
	if len(told) != 1 || !strings.Contains(told[0].Text, "taken over") {
		t.Errorf("it was told %+v", told)
	}
	var busy *trans.LockError
	if _, err := trans.Acquire(context.Background(), l.environment(), nil); !errors.As(err, &busy) || busy.PID != os.Getpid() {
		t.Errorf("a lock that was taken over is not held: %v", err)
	}
	held.Release()
}

// pacman's lock says nothing, but who has it open is alive.
func TestLockOfPacman(t *testing.T) {
	testkit.NeedRoot(t)
	l := newLab(t)
	path := filepath.Join(l.ours, "var/lib/pacman/db.lck")
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0) // as libalpm makes it
	must(t, err)
	var live, left *trans.LockError
	if _, err := trans.Acquire(context.Background(), l.environment(), nil); !errors.As(err, &live) || live.PID != os.Getpid() || live.Left {
		t.Errorf("a live lock: %+v", live)
	}
	f.Close()
	if _, err := trans.Acquire(context.Background(), l.environment(), nil); !errors.As(err, &left) || left.PID != 0 || !left.Left {
		t.Errorf("one that was left behind: %+v", left)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Error("a lock of somebody else's was removed")
	}
}

// Two transactions at once: one waits for nothing and is refused, and nothing
// of the other's is disturbed.
func TestTransactionDuringAnother(t *testing.T) {
	testkit.Integration(t)
	l := newCutLab(t, changes()[1])
	l.reset()
	cmd := order{Dir: l.dir, Root: l.ours, Request: l.req, Slow: time.Millisecond}.start(t)
	refused := 0
	plan, err := trans.Prepare(context.Background(), l.environment(), trans.Request{Remove: []string{"gone"}})
	must(t, err)
	for _, err = os.Stat(filepath.Join(l.ours, "var/lib/pacman/rastos.journal")); err != nil; {
		time.Sleep(100 * time.Microsecond)
		_, err = os.Stat(filepath.Join(l.ours, "var/lib/pacman/rastos.journal"))
	}
	for range 20 {
		var busy *trans.LockError
		err := trans.Run(context.Background(), l.environment(), plan, nil)
		if errors.As(err, &busy) && busy.PID == cmd.Process.Pid {
			refused++
		}
		time.Sleep(time.Millisecond)
	}
	must(t, cmd.Wait())
	if refused < 3 {
		t.Errorf("refused %d times only", refused)
	}
	l.judge("disturbed", nil)
	if !l.isNew() {
		t.Error("the transaction was not carried out")
	}
}
