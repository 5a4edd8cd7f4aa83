// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/internal/report"
)

// mountTable is mounts that are only written down. A power switch stands for
// kill -9: after so many steps, nothing that is asked for happens any more.
type mountTable struct {
	calls []string
	stack map[string][]string // by folder, what was mounted there
	below map[string][]string
	fail  string // a call that fails
	last  int    // the last step that happens; 0: all do
}

var errKilled = errors.New("the program was killed")

func (t *mountTable) step(format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	switch {
	case t.last > 0 && len(t.calls) >= t.last:
		return errKilled
	case t.fail != "" && strings.Contains(text, t.fail):
		return errors.New("the kernel refuses")
	}
	t.calls = append(t.calls, text)
	return nil
}

func (t *mountTable) top(dir string) string {
	if s := t.stack[dir]; len(s) > 0 {
		return s[len(s)-1]
	}
	return dir
}

func (t *mountTable) Mount(source, target, _, options string) error {
	if err := t.step("mount %s %s %s", source, target, options); err != nil {
		return err
	}
	if t.stack == nil {
		t.stack = map[string][]string{}
	}
	t.stack[target] = append(t.stack[target], t.top(source))
	return nil
}

func (t *mountTable) Release(dir string) error {
	if err := t.step("release %s", dir); err != nil {
		return err
	}
	maps.DeleteFunc(t.stack, func(d string, _ []string) bool { return d == dir || strings.HasPrefix(d, dir+"/") })
	return nil
}

func (t *mountTable) Detach(dir string) error {
	if err := t.step("detach %s", dir); err != nil {
		return err
	}
	t.stack[dir] = t.stack[dir][:len(t.stack[dir])-1]
	return nil
}

func (t *mountTable) Shows(dir, folder string) (bool, error) { return t.top(dir) == folder, nil }
func (t *mountTable) Below(dir string) ([]string, error)     { return t.below[dir], nil }

// firstProcess runs from these files.
type firstProcess struct {
	mapped []string
	apart  bool
}

func (p firstProcess) Mapped() ([]string, error) { return p.mapped, nil }
func (p firstProcess) Apart() (bool, error)      { return p.apart, nil }

// noPrograms lets every program end well.
type noPrograms struct{ ran []string }

func (p *noPrograms) Output(_ context.Context, argv ...string) ([]byte, error) {
	p.ran = append(p.ran, strings.Join(argv, " "))
	return nil, nil
}

// live changes packages and lets the new node run at once.
func (b *packageBox) live(r trans.Request) (Changed, *mountTable, error) {
	b.t.Helper()
	table := &mountTable{below: map[string][]string{"/usr": {"/usr/local", "/usr/local"}}}
	return b.liveOver(table, r)
}

func (b *packageBox) liveOver(table *mountTable, r trans.Request) (Changed, *mountTable, error) {
	b.t.Helper()
	b.Mounts, b.Programs = table, &noPrograms{}
	if b.Init == nil {
		b.Init = firstProcess{}
	}
	w := b.world()
	p, err := b.PlanChange(b.t.Context(), report.Discard{}, w, ChangeRequest{Request: r, Verb: "upgrade", Refresh: true})
	b.check(err)
	b.check(w.AtOnce(p))
	done, err := b.RunChange(b.t.Context(), report.Discard{}, w, p)
	return done, table, err
}

func TestAChangeRunsAtOnce(t *testing.T) {
	b := newPackageBox(t)
	publish(t, b.repo, makePackage(t, b.repo, "tool", "2-1", nil, nil))
	done, table, err := b.live(trans.Request{SysUpgrade: true})
	b.check(err)
	if !done.Live || len(done.NotLive) > 0 {
		t.Fatalf("%+v", done)
	}
	sys, err := b.Running()
	b.check(err)
	stage, node, etc := b.exchangeStage(), sys.Nodes.Root(done.Deployment.Node), sys.Deploys.EtcPath(*done.Deployment)
	want := []string{
		"mount " + node + "/usr " + stage + " bind,private,ro",
		"mount /usr/local " + stage + "/local bind,private",
		"mount " + stage + " /usr rbind", "release " + stage,
		"mount " + etc + " " + stage + " bind,private,rw", "mount " + stage + " /etc rbind", "release " + stage,
	}
	if !slices.Equal(table.calls, want) {
		t.Errorf("the mounts:\n%s\nwant\n%s", strings.Join(table.calls, "\n"), strings.Join(want, "\n"))
	}
	st, err := b.Status()
	b.check(err)
	if st.Live != done.Deployment.Number || st.Booted.Number == st.Live {
		t.Errorf("the status says that %d runs, and %d was booted", st.Live, st.Booted.Number)
	}
	// Its /etc is the one that differs, and conflicts.
	b.check(os.WriteFile(filepath.Join(etc, "mine"), nil, 0o644))
	if list, err := b.EtcDiff([]string{"mine"}); err != nil || len(list) != 1 {
		t.Errorf("%+v, %v", list, err)
	}
	// It writes its own /etc from now on, and the next change goes on from that.
	d, err := sys.Deploys.Get(st.Live)
	b.check(err)
	if !d.Tried {
		t.Error("the boot would fold another /etc into it")
	}
	publish(t, b.repo, makePackage(t, b.repo, "tool", "3-1", nil, nil))
	w := b.world()
	p, err := b.PlanChange(t.Context(), report.Discard{}, w, ChangeRequest{Request: trans.Request{SysUpgrade: true}, Verb: "upgrade", Refresh: true})
	b.check(err)
	if p.From != st.Live || p.Base.Number != done.Deployment.Node {
		t.Errorf("the next change is made from deployment %d on node %d", p.From, p.Base.Number)
	}
}

// TestWhatCannotBeExchangedWaits: the reasons are told, and nothing is mounted.
func TestWhatCannotBeExchangedWaits(t *testing.T) {
	cases := map[string]struct {
		files map[string]string
		below map[string][]string
		init  firstProcess
		want  string
	}{
		"init":        {files: map[string]string{"sbin/init": "another"}, want: "init changes: /sbin/init"},
		"glibc":       {files: map[string]string{"usr/lib/libc.so.6": "another"}, want: "glibc changes: /usr/lib/libc.so.6"},
		"a library":   {files: map[string]string{"usr/lib/libx.so": "new"}, init: firstProcess{mapped: []string{"/usr/lib/libx.so"}}, want: "a file that init works with changes: /usr/lib/libx.so"},
		"namespace":   {init: firstProcess{apart: true}, want: "this program sees other mounts than the system does"},
		"root":        {files: map[string]string{"new/file": "x"}, want: "the root folder changes: /new"},
		"mount point": {below: map[string][]string{"/usr": {"/usr/share/absent"}}, want: "/usr/share/absent is mounted, and the new /usr has no place for it"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			b := newPackageBox(t)
			b.Init = c.init
			publish(t, b.repo, makePackage(t, b.repo, "tool", "2-1", c.files, nil))
			done, table, err := b.liveOver(&mountTable{below: c.below}, trans.Request{SysUpgrade: true})
			b.check(err)
			if done.Live || !slices.Contains(done.NotLive, c.want) || len(table.calls) > 0 {
				t.Errorf("%+v, mounts %v", done.NotLive, table.calls)
			}
			if st, err := b.Status(); err != nil || st.Live != 0 || st.Next != done.Deployment.Number {
				t.Errorf("the status: %+v, %v", st, err)
			}
		})
	}
	t.Run("kernel and rastos-init", func(t *testing.T) {
		b := newPackageBox(t)
		publish(t, b.repo, makePackage(t, b.repo, "linux", "7-1", map[string]string{
			modulesDir + "/7/vmlinuz": "kernel 7", modulesDir + "/7/pkgbase": "linux\n", modulesDir + "/7/modules.dep": "#",
			modulesDir + "/7/modules.builtin": "kernel/fs/btrfs/btrfs.ko\n", initPath: "init 7",
		}, nil))
		done, _, err := b.live(trans.Request{SysUpgrade: true})
		b.check(err)
		if want := []string{"the kernel changes", "rastos-init changes: /" + initPath}; !slices.Equal(done.NotLive, want) {
			t.Errorf("got %v, want %v", done.NotLive, want)
		}
	})
}

// TestAFailedExchangeIsTakenBack: what was mounted goes, and the deployment waits
// for the next boot. Asked once more, it runs.
func TestAFailedExchangeIsTakenBack(t *testing.T) {
	b := newPackageBox(t)
	publish(t, b.repo, makePackage(t, b.repo, "tool", "2-1", nil, nil))
	done, table, err := b.liveOver(&mountTable{fail: b.exchangeStage() + " /etc"}, trans.Request{SysUpgrade: true})
	if err == nil || !strings.Contains(err.Error(), "boots next, but it cannot be applied at once") {
		t.Fatalf("got %v", err)
	}
	if last := table.calls[len(table.calls)-1]; last != "detach /usr" {
		t.Errorf("the mounts %v", table.calls)
	}
	b.runs(table, done.Deployment.Number, false)

	table.fail = ""
	again, _, err := b.liveOver(table, trans.Request{SysUpgrade: true})
	b.check(err)
	if !again.Live || again.Deployment.Number != done.Deployment.Number {
		t.Errorf("once more: %+v", again)
	}
	b.runs(table, done.Deployment.Number, true)
}

// runs checks that a deployment runs in the place of the booted one, wholly or
// not at all, and that no trace of the way there is left.
func (b *packageBox) runs(table *mountTable, number int, want bool) {
	b.t.Helper()
	sys, err := b.Running()
	b.check(err)
	d, err := sys.Deploys.Get(number)
	b.check(err)
	if d.Tried != want || (sys.Live == number) != want {
		b.t.Errorf("deployment %d runs, want it of %d: %t; tried: %t", sys.Live, number, want, d.Tried)
	}
	for dir, source := range map[string]string{"/usr": filepath.Join(sys.Nodes.Root(d.Node), "usr"), "/etc": sys.Deploys.EtcPath(d)} {
		if got, _ := table.Shows(dir, source); got != want {
			b.t.Errorf("%s shows %s", dir, table.top(dir))
		}
	}
	if len(table.stack[b.exchangeStage()]) > 0 {
		b.t.Error("the stage is mounted")
	}
	if _, err := os.Stat(b.exchangeJournal()); err == nil {
		b.t.Error("the journal was left")
	}
}

// TestAKillAtAnyStepLeavesTheOldOrTheNew, once the next change has begun.
func TestAKillAtAnyStepLeavesTheOldOrTheNew(t *testing.T) {
	killed := func(t *testing.T, last int) (steps int, err error) {
		b := newPackageBox(t)
		publish(t, b.repo, makePackage(t, b.repo, "tool", "2-1", nil, nil))
		table := &mountTable{below: map[string][]string{"/usr": {"/usr/local"}}, last: last}
		done, _, err := b.liveOver(table, trans.Request{SysUpgrade: true})
		steps, table.last = len(table.calls), 0
		sys, oops := b.Running()
		b.check(oops)
		b.check(b.locked(sys, report.Discard{}, func() error { return nil }))
		b.runs(table, done.Deployment.Number, err == nil)
		return steps, err
	}
	killedAnywhere(t, 6, killed)
}

// killedAnywhere runs a story whole, of at least so many steps, and once more for
// every step after which it is killed.
func killedAnywhere(t *testing.T, least int, killed func(t *testing.T, last int) (steps int, err error)) {
	t.Helper()
	steps := 0
	t.Run("never", func(t *testing.T) {
		var err error
		if steps, err = killed(t, 0); err != nil || steps < least {
			t.Errorf("%d steps, %v", steps, err)
		}
	})
	for last := 1; last < steps; last++ {
		t.Run(fmt.Sprint("after step ", last), func(t *testing.T) {
			if _, err := killed(t, last); !errors.Is(err, errKilled) {
				t.Error(err)
			}
		})
	}
}
