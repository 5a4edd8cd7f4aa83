// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rastos/rastos/internal/boot"
	"github.com/rastos/rastos/internal/boot/esptest"
	"github.com/rastos/rastos/internal/deploy"
	"github.com/rastos/rastos/internal/report"
	"github.com/rastos/rastos/internal/testkit"
)

var errTest = errors.New("no room")

// fullESP fails to write boot entries.
type fullESP struct{ boot.ESP }

func (f fullESP) WriteFile(name string, data []byte) error {
	if strings.HasPrefix(name, boot.EntriesDir) {
		return errTest
	}
	return f.ESP.WriteFile(name, data)
}

func TestAnUpgradeThatFailedIsNotArmedLater(t *testing.T) {
	b := newBox(t, esptest.OldName)
	sys := b.system(1)
	sys.ESP = fullESP{sys.ESP}
	if _, err := b.upgrade(sys, "2"); !errors.Is(err, errTest) {
		t.Fatalf("got %v", err)
	}
	sys = b.system(1)
	b.check(b.recover(sys, report.Discard{}))
	if boots := b.boots(sys); !slices.Equal(boots, []int{1}) {
		t.Errorf("bootable: %v", boots)
	}
	b.noOrphans(sys)
}

func TestADamagedKernelOfAnotherDeploymentStopsNothing(t *testing.T) {
	b := newBox(t, esptest.OldName)
	d, err := b.upgrade(b.system(1), "2")
	b.check(err)
	b.check(b.bless(b.system(2), report.Discard{}, &Outcome{}))
	b.check(b.esp.Remove(strings.TrimPrefix(boot.BlobPath(d.Kernel, boot.Linux), "/")))
	b.check(boot.RemoveEntry(b.esp, d.EntryName()))
	sys := b.system(1)
	next, err := b.upgrade(sys, "3")
	b.check(err)
	if boots := b.boots(sys); !slices.Equal(boots, []int{next.Number, 1}) {
		t.Errorf("bootable: %v", boots)
	}
	if d, err = sys.Deploys.Get(2); err != nil || d.State != deploy.Bad || d.Why == "" {
		t.Errorf("the deployment without a kernel is %s (%s), %v", d.State, d.Why, err)
	}
}

func TestANodeBootsItsOwnKernelWhateverTheManifestSays(t *testing.T) {
	b := newBox(t, esptest.OldName)
	sys := b.system(1)
	text, err := os.ReadFile(b.manifestPath)
	b.check(err)
	b.check(os.WriteFile(b.manifestPath, append([]byte("[kernel]\npackage = \"linux-lts\"\n"), text...), 0o600))
	n := b.node(sys, 1, "2")
	if _, err := b.stage(t.Context(), report.Discard{}, sys, deploy.Request{Node: n, From: 1}); err != nil {
		t.Fatal(err)
	}
}

func TestAnUpgradePlannedOnAnOlderHeadIsRefused(t *testing.T) {
	b := newBox(t, esptest.OldName)
	sys := b.system(1)
	base, err := sys.Nodes.Get(1)
	b.check(err)
	plan := &ChangePlan{Base: &base, From: 1}
	b.check(plan.current(sys))
	_, err = b.upgrade(sys, "2") // somebody else's
	b.check(err)
	var stale *staleError
	if err := plan.current(sys); !errors.As(err, &stale) || stale.head != 2 {
		t.Errorf("got %v", err)
	}
}

func TestAHeadWithNoTriesLeftIsNothingToBuildOn(t *testing.T) {
	b := newBox(t, esptest.OldName)
	sys := b.system(1)
	d, err := b.upgrade(sys, "2")
	b.check(err)
	b.check(boot.MarkBad(b.esp, d.EntryName()))
	all, _, err := sys.assessed()
	b.check(err)
	if head, _ := deploy.Head(all); head.Number != 1 {
		t.Errorf("the head is deployment %d", head.Number)
	}
	// While it runs its last try, the one before is what comes next.
	st, err := b.status(b.system(2))
	b.check(err)
	if st.Next != 1 {
		t.Errorf("next is deployment %d", st.Next)
	}
}

func TestALoaderThatDoesNotCountEndsInNoLoop(t *testing.T) {
	b := newBox(t, esptest.OldName)
	_, err := b.upgrade(b.system(1), "2")
	b.check(err)
	sys := b.system(2)
	for try := 1; try <= 4; try++ {
		out := Outcome{Failure: "no web"}
		b.check(b.refuse(sys, report.Discard{}, &out))
		if want := try <= 3; out.Reboot != want {
			t.Errorf("try %d: reboot %v", try, out.Reboot)
		}
	}
}

// unhealthy is a start-up that ended in emergency mode.
func (b *box) unhealthy() {
	b.Programs = answers{"systemctl is-system-running": "maintenance\n", "systemctl list-units": `[{"unit":"efi.mount"}]`, "mount": ""}
}

func TestABrokenBootPartitionEndsInAFallback(t *testing.T) {
	b := newBox(t, esptest.OldName)
	_, err := b.upgrade(b.system(1), "2")
	b.check(err)
	b.unhealthy()
	b.MountedESP = func(string) (boot.ESP, error) { return nil, errTest }
	for booted, reboots := range map[int]bool{1: false, 2: true} { // the good one has nowhere to go
		b.booted = booted
		out, err := b.CompleteBoot(t.Context(), report.Discard{})
		if err != nil || out.Reboot != reboots || out.Healthy {
			t.Errorf("deployment %d: %+v, %v", booted, out, err)
		}
		d, err := b.system(booted).Deploys.Get(booted)
		if err != nil || !strings.Contains(d.Failure, "emergency mode: failed: efi.mount") || !strings.Contains(d.Failure, errTest.Error()) {
			t.Errorf("deployment %d: %q, %v", booted, d.Failure, err)
		}
	}
}

// TestABootClearsWhatWasHalfWrittenInEtc: what somebody writes now, and files of
// others, stay.
func TestABootClearsWhatWasHalfWrittenInEtc(t *testing.T) {
	b := newBox(t, esptest.OldName)
	sys := b.system(1)
	d, err := sys.Deploys.Get(1)
	b.check(err)
	etc := testTree{testkit.DirFiles{Dir: sys.Deploys.EtcPath(d)}}
	started, err := b.Started()
	b.check(err)
	for name, age := range map[string]time.Duration{".rastos-tmp-A": 1, "x/.rastos-tmp-B": time.Hour, ".rastos-tmp-now": -1, "x/.tmp": time.Hour} {
		put(t, etc, name, "half")
		b.check(os.Chtimes(etc.at(name), started.Add(-age), started.Add(-age)))
	}
	b.Programs = checked{}
	if out, err := b.CompleteBoot(t.Context(), report.Discard{}); err != nil || !out.Healthy {
		t.Fatalf("%+v, %v", out, err)
	}
	got := b.files(etc.Dir, "")
	for name, stays := range map[string]bool{".rastos-tmp-A": false, "x/.rastos-tmp-B": false, ".rastos-tmp-now": true, "x/.tmp": true, "hosts": true} {
		if (got[name] != "") != stays {
			t.Errorf("%s is there: %v", name, !stays)
		}
	}
}

func TestAnUnhealthyBootIsToldAndTriedAgain(t *testing.T) {
	b := newBox(t, esptest.OldName)
	_, err := b.upgrade(b.system(1), "2")
	b.check(err)
	b.unhealthy()
	b.booted = 2
	out, err := b.CompleteBoot(t.Context(), report.Discard{})
	if err != nil || !out.Reboot || out.Blessed || !strings.Contains(out.Failure, "emergency mode") {
		t.Errorf("%+v, %v", out, err)
	}
}

// checked is a start-up that ended well, with a health check.
type checked struct{ check func() error }

func (c checked) Output(ctx context.Context, argv ...string) ([]byte, error) {
	switch line := strings.Join(argv, " "); {
	case line == "/bin/sh -c /bin/web":
		return nil, c.check()
	case argv[0] == "systemctl":
		return answers{"systemctl is-system-running": "running\n", "systemctl list-units": noUnits}.Output(ctx, argv...)
	}
	return hostPrograms{}.Output(ctx, argv...)
}

// lockedOnce makes the system's lock one that only one holds.
func (b *box) lockedOnce() {
	held := false
	take := func() (func(), error) {
		if held {
			return nil, lockHeld{}
		}
		held = true
		return func() { held = false }, nil
	}
	b.WaitLock = func(context.Context, string) (func(), error) { return take() }
	b.Lock = func(path string) (func(), error) {
		if strings.Contains(path, "/work/") {
			return b.lock(path)
		}
		return take()
	}
}

// Health checks may take minutes: an upgrade need not wait for them, and what they
// say of the running deployment has nothing to do with the new one.
func TestAnUpgradeDuringTheHealthChecksIsNotLost(t *testing.T) {
	for _, verdict := range []error{nil, errTest} {
		b := newBox(t, esptest.OldName)
		_, err := b.upgrade(b.system(1), "2")
		b.check(err)
		b.booted = 2
		b.lockedOnce()
		text, err := os.ReadFile(b.manifestPath)
		b.check(err)
		b.check(os.WriteFile(b.manifestPath, append(text, "[[health]]\nname = \"web\"\ncommand = \"/bin/web\"\n"...), 0o600))
		b.Programs = checked{func() error {
			_, err := b.upgrade(b.system(2), "3")
			b.check(err)
			return verdict
		}}
		out, err := b.CompleteBoot(t.Context(), report.Discard{})
		if healthy := verdict == nil; err != nil || out.Blessed != healthy || out.Reboot == healthy {
			t.Errorf("%+v, %v", out, err)
		}
		sys := b.system(2)
		if boots := b.boots(sys); !slices.Equal(boots, []int{3, 2, 1}) {
			t.Errorf("bootable: %v", boots)
		}
		all, err := sys.Deploys.List()
		b.check(err)
		if len(all) != 3 {
			t.Fatalf("%+v", all)
		}
		if all[1].State != map[bool]deploy.State{true: deploy.Good, false: deploy.Armed}[verdict == nil] || all[2].State != deploy.Armed || all[2].From != 2 {
			t.Errorf("%+v", all[1:])
		}
		if n, err := sys.Nodes.Get(all[2].Node); err != nil || n.Replaces != all[1].Node {
			t.Errorf("the upgrade builds on node %d, %v", n.Replaces, err)
		}
		b.noOrphans(sys)
	}
}

func TestAGoodDeploymentIsClearedOfAnOldFailure(t *testing.T) {
	b := newBox(t, esptest.OldName)
	sys := b.system(1)
	b.check(b.refuse(sys, report.Discard{}, &Outcome{Failure: "a bad day"}))
	b.check(b.bless(sys, report.Discard{}, &Outcome{}))
	if d, err := sys.Deploys.Get(1); err != nil || d.Failure != "" || d.State != deploy.Good {
		t.Errorf("%+v, %v", d, err)
	}
}

type stateOf string

func (s stateOf) Output(context.Context, ...string) ([]byte, error) { return []byte(s + "\n"), nil }

func TestAShutdownIsNoVerdict(t *testing.T) {
	m := &Machine{Programs: stateOf("stopping")}
	if err := m.started(t.Context(), time.Minute); !errors.Is(err, errStopping) {
		t.Errorf("got %v", err)
	}
}

func TestAFullESPGivesTheRoomOfTheOldest(t *testing.T) {
	b := newBox(t, esptest.OldName)
	b.kernelSize = 1 << 20
	free, err := b.esp.Free()
	b.check(err)
	b.esp.Size = 64<<20 - free + 5<<20 // for three kernels and the reserve
	for _, version := range []string{"2", "3", "4", "5", "6"} {
		d, err := b.upgrade(b.system(b.booted), version)
		b.check(err)
		b.booted = d.Number
		b.check(b.bless(b.system(b.booted), report.Discard{}, &Outcome{}))
	}
	sys := b.system(b.booted)
	if boots := b.boots(sys); boots[0] != 6 || boots[1] != 5 || len(boots) > 4 {
		t.Errorf("bootable: %v", boots)
	}
	// One that lost its entry is still there to go back to.
	n, err := sys.Nodes.Get(2)
	b.check(err)
	back, err := b.stage(t.Context(), report.Discard{}, sys, deploy.Request{Node: n, From: 6})
	b.check(err)
	if boots := b.boots(sys); boots[0] != back.Number {
		t.Errorf("bootable: %v", boots)
	}
	// Where all that would not be enough, nothing is given away.
	b.kernelSize = 8 << 20
	before := b.boots(sys)
	var full *boot.NoSpaceError
	if _, err := b.upgrade(sys, "7"); !errors.As(err, &full) {
		t.Fatalf("got %v", err)
	}
	if after := b.boots(b.system(b.booted)); !slices.Equal(before, after) {
		t.Errorf("bootable before %v and after %v", before, after)
	}
}

func TestNothingIsFoldedIntoTheEtcThatIsMounted(t *testing.T) {
	b := newBox(t, esptest.OldName)
	_, err := b.upgrade(b.system(1), "2")
	b.check(err)
	sys := b.system(2)
	if _, ok, err := b.foldTarget(sys, 2); err == nil || ok {
		t.Errorf("%v, %v", ok, err)
	}
}
