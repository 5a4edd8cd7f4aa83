// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/rastos/rastos/internal/boot"
	"github.com/rastos/rastos/internal/boot/esptest"
	"github.com/rastos/rastos/internal/deploy"
	"github.com/rastos/rastos/internal/node"
	"github.com/rastos/rastos/internal/report"
	"github.com/rastos/rastos/internal/testkit"
)

// boots lists the deployments that the loader can boot, the next one first;
// each of them must be whole.
func (b *box) boots(sys *System) []int {
	b.t.Helper()
	entries, err := boot.ListEntries(b.esp)
	b.check(err)
	var out []int
	for _, e := range entries {
		var number int
		if _, err := fmt.Sscanf(e.Name.Base, "rastos-%d", &number); err != nil {
			b.t.Errorf("a strange boot entry: %s", e.Name)
			continue
		}
		d, err := sys.Deploys.Get(number)
		if err != nil {
			b.t.Errorf("entry %s leads nowhere: %v", e.Name, err)
			continue
		}
		for _, blob := range append([]string{e.Entry.Linux}, e.Entry.Initrd...) {
			if err := boot.Verify(b.esp, blob); err != nil {
				b.t.Errorf("entry %s: %v", e.Name, err)
			}
		}
		for _, dir := range []string{sys.Nodes.Root(d.Node), sys.Deploys.EtcPath(d)} {
			if _, err := os.Stat(filepath.Join(dir)); err != nil {
				b.t.Errorf("entry %s: %v", e.Name, err)
			}
		}
		if e.Name.Bad() {
			continue
		}
		out = append(out, number)
	}
	slices.Sort(out)
	slices.Reverse(out)
	return out
}

// noOrphans looks for everything that nothing refers to.
func (b *box) noOrphans(sys *System) {
	b.t.Helper()
	all, err := sys.Deploys.List()
	b.check(err)
	nodes, blobs, deploys := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, d := range all {
		if d.State == deploy.Staged {
			b.t.Errorf("deployment %d is staged after recovery", d.Number)
		}
		deploys[fmt.Sprint(d.Number)], nodes[fmt.Sprint(d.Node)] = true, true
		blobs[d.Kernel], blobs[d.Initrd] = true, true
	}
	for dir, used := range map[string]map[string]bool{"nodes": nodes, "deploy": deploys, "work": nil} {
		names, err := os.ReadDir(filepath.Join(b.top, node.Folder, dir))
		b.check(err)
		for _, e := range names {
			if !used[e.Name()] {
				b.t.Errorf("orphan: %s/%s", dir, e.Name())
			}
		}
	}
	infos, err := b.esp.ReadDir(boot.BlobsDir)
	b.check(err)
	for _, i := range infos {
		if !blobs[i.Name()] {
			b.t.Errorf("orphan: blob %s", i.Name())
		}
	}
}

// story is what a power cut comes into, with what goes before and what has to hold
// when the machine has recovered.
type story struct {
	prepare func(b *box)
	play    func(b *box) error
	verify  func(b *box, done bool)
}

// atEveryCut plays a story again and again, with the power cut one effect later
// each time, and then recovers, that too with cuts after some of its effects: where
// tests take their time, after each. A rename on the ESP is cut in all three ways.
func atEveryCut(t *testing.T, prepare func(b *box), play func(b *box) error, verify func(b *box, done bool)) {
	t.Helper()
	t.Parallel()
	s := story{prepare, play, verify}
	recoveries, cuts := testkit.Rounds(1, 1000), 0
	for cut, done := 0, false; !done; cut++ {
		for _, way := range []esptest.RenameCut{esptest.OldName, esptest.BothNames, esptest.NeitherName} {
			var renamed, enough bool
			for n := 0; n < recoveries && !enough; n++ {
				first := n
				if recoveries == 1 {
					first = cut % 2
				}
				done, renamed, enough = s.cut(t, cut, way, first)
				cuts++
			}
			if !renamed {
				break
			}
		}
	}
	t.Logf("%d cuts", cuts)
}

// cut plays a story with a power cut after so many effects, and recovers. It tells
// whether the story was done by then, whether the cut came into a rename on the ESP,
// and whether the first recovery needed no more effects than it was given.
func (s story) cut(t *testing.T, cut int, way esptest.RenameCut, first int) (done, renamed, enough bool) {
	t.Helper()
	b := newBox(t, way)
	defer func() { b.check(os.RemoveAll(b.top)) }() // a thousand of them take room
	s.prepare(b)
	b.power.left = cut
	err := s.play(b)
	if err != nil && !b.power.off {
		t.Fatalf("cut %d: %v", cut, err)
	}
	done, renamed = !b.power.off, b.power.rename
	enough = b.recoverWithCuts(first)
	s.verify(b, done)
	if t.Failed() {
		t.Fatalf("after the cut at effect %d (renames: %d, recovery: %d, story: %v)", cut, way, first, err)
	}
	return done, renamed, enough
}

// recoverWithCuts recovers, the first time with so many effects before the next cut,
// then with more, and in the end without one. It tells whether the first time already
// needed no more effects than that.
func (b *box) recoverWithCuts(first int) (enough bool) {
	b.t.Helper()
	clear(b.held)
	for again := range 4 {
		b.esp.Restore()
		b.power.restore()
		b.power.left = first + 2*again
		_ = b.recover(b.system(b.booted), report.Discard{})
		enough = enough || again == 0 && !b.power.off
	}
	b.esp.Restore()
	b.power.restore()
	if err := b.recover(b.system(b.booted), report.Discard{}); err != nil {
		b.t.Fatalf("recover, after %d effects were made before: %v", first, err)
	}
	return enough
}

func TestAnUpgradeCutAnywhereLeavesTheOldSystemOrTheNew(t *testing.T) {
	was, is := 0, 0
	atEveryCut(t, func(*box) {}, func(b *box) error {
		_, err := b.upgrade(b.system(1), "2")
		return err
	}, func(b *box, done bool) {
		sys := b.system(1)
		b.noOrphans(sys)
		switch boots := b.boots(sys); {
		case slices.Equal(boots, []int{1}) && !done:
			was++
		case slices.Equal(boots, []int{2, 1}):
			is++
			if data, err := os.ReadFile(filepath.Join(b.top, "@var/lib/app2/state")); err != nil || string(data) != "factory" {
				b.t.Errorf("what the node ships for /var: %q, %v", data, err)
			}
		default:
			b.t.Errorf("bootable: %v", boots)
		}
		// It goes on from there, with numbers that nobody had.
		before, err := sys.Nodes.State()
		b.check(err)
		d, err := b.upgrade(sys, "3")
		b.check(err)
		if d.Number <= before.Deployment || d.Node <= before.Node {
			b.t.Errorf("node %d and deployment %d after %+v", d.Node, d.Number, before)
		}
		if boots := b.boots(sys); boots[0] != d.Number {
			b.t.Errorf("bootable after the next upgrade: %v", boots)
		}
	})
	if was == 0 || is == 0 {
		t.Fatalf("the old system was left %d times, the new one %d times", was, is)
	}
}

func TestACollectionCutAnywhereIsDoneAgain(t *testing.T) {
	atEveryCut(t, func(b *box) {
		for _, version := range []string{"2", "3"} {
			d, err := b.upgrade(b.system(b.booted), version)
			b.check(err)
			b.booted = d.Number
			b.check(b.bless(b.system(b.booted), report.Discard{}, &Outcome{}))
		}
	}, func(b *box) error {
		return b.collect(b.system(3), report.Discard{}, node.Keep{Last: 1})
	}, func(b *box, done bool) {
		sys := b.system(3)
		b.boots(sys)
		b.check(b.collect(sys, report.Discard{}, node.Keep{Last: 1}))
		b.check(b.recover(sys, report.Discard{}))
		if boots := b.boots(sys); !slices.Equal(boots, []int{3, 2}) {
			b.t.Errorf("bootable: %v", boots)
		}
		b.noOrphans(sys)
	})
}

func TestABlessingCutAnywhereIsDoneAgain(t *testing.T) {
	atEveryCut(t, func(b *box) {
		_, err := b.upgrade(b.system(1), "2")
		b.check(err)
	}, func(b *box) error {
		return b.bless(b.system(2), report.Discard{}, &Outcome{})
	}, func(b *box, done bool) {
		sys := b.system(2)
		if boots := b.boots(sys); !slices.Equal(boots, []int{2, 1}) {
			b.t.Errorf("bootable: %v", boots)
		}
		b.check(b.bless(sys, report.Discard{}, &Outcome{}))
		list, err := boot.ListEntries(b.esp)
		b.check(err)
		for _, l := range list {
			if !l.Name.Good() || len(l.Files) != 1 {
				b.t.Errorf("entry %s in %d files", l.Name, len(l.Files))
			}
		}
		b.noOrphans(sys)
	})
}

func TestAFoldCutAnywhereIsDoneAtTheNextBoot(t *testing.T) {
	atEveryCut(t, func(b *box) {
		sys := b.system(1)
		_, err := b.upgrade(sys, "2")
		b.check(err)
		d, err := sys.Deploys.Get(1)
		b.check(err)
		b.check(os.WriteFile(filepath.Join(sys.Deploys.EtcPath(d), "hosts"), []byte("late\nb\nc\n"), 0o644))
		b.subs.Touch(sys.Deploys.EtcPath(d))
	}, func(b *box) error {
		return b.Fold(b.t.Context(), report.Discard{}, FoldRequest{Top: b.top})
	}, func(b *box, done bool) {
		b.check(b.Fold(b.t.Context(), report.Discard{}, FoldRequest{Top: b.top, Deployment: 2}))
		sys := b.system(1)
		d, err := sys.Deploys.Get(2)
		b.check(err)
		for name, want := range map[string]string{"hosts": "late\nb\nc\n", "release": "2"} {
			if got, err := os.ReadFile(filepath.Join(sys.Deploys.EtcPath(d), name)); err != nil || string(got) != want {
				b.t.Errorf("/etc/%s: %q, %v", name, got, err)
			}
		}
		b.noOrphans(sys)
	})
}
