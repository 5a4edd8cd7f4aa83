// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rastos/rastos/internal/boot"
	"github.com/rastos/rastos/internal/node"
	"github.com/rastos/rastos/internal/report"
)

// aged is a box that was upgraded once a day for some days, the last one good and
// running, with more nodes that a person made.
func aged(b *box) {
	b.t.Helper()
	day := 0
	b.Now = func() time.Time { return time.Date(2026, 1, 1+day, 12, 0, 0, 0, time.UTC) }
	for _, version := range []string{"2", "3", "4", "5"} {
		day++
		d, err := b.upgrade(b.system(b.booted), version)
		b.check(err)
		b.booted = d.Number
		b.check(b.bless(b.system(b.booted), report.Discard{}, &Outcome{}))
	}
	branch, err := b.Branch(report.Discard{}, "2", Naming{}) // 6
	b.check(err)
	sys := b.system(b.booted)
	for range 2 { // 7 replaces 6, and 8 replaces 7
		branch, err = sys.Nodes.Copy(branch.Number, node.Node{Parent: branch.Number, Replaces: branch.Number, Reason: "test"})
		b.check(err)
	}
	for range 2 { // 9 and 10
		_, err := b.Take(report.Discard{}, Naming{})
		b.check(err)
	}
	_, err = b.Pin(report.Discard{}, "9", true)
	b.check(err)
}

// told is each decision as "remove node 7: why".
func told(p *PrunePlan) []string {
	var out []string
	for _, d := range p.Decisions {
		what := fmt.Sprintf("%s %d", d.Kind, d.Number)
		if d.Kind == PruneBlob {
			what = d.Kind
		}
		out = append(out, fmt.Sprintf("%s %s: %s", map[bool]string{true: "keep", false: "remove"}[d.Keep], what, d.Why))
	}
	return out
}

func TestPruneExplainsEachDecision(t *testing.T) {
	b := newBox(t, 0)
	aged(b)
	p, err := b.PlanPrune(&node.Keep{Daily: 2})
	b.check(err)
	want := []string{
		"remove deployment 1: no rule keeps it",
		"remove deployment 2: no rule keeps it",
		"remove deployment 3: no rule keeps it",
		"keep deployment 4: deployment 4 is the good one before the last",
		"keep deployment 5: deployment 5 runs",
		"remove node 1: no deployment that stays runs it",
		"keep node 2: node 8 came from it, and a sync would need it",
		"remove node 3: no deployment that stays runs it",
		"keep node 4: deployment 4 runs it",
		"keep node 5: deployment 5 runs it",
		"remove node 6: node 7 replaces it, and no rule keeps it",
		"remove node 7: node 8 replaces it, and no rule keeps it",
		"keep node 8: nothing replaces it",
		"keep node 9: it is pinned",
		"keep node 10: the last of 2026-01-05",
	}
	got := told(p)
	blobs := 0
	for ; len(got) > 0 && strings.HasPrefix(got[len(got)-1], "remove blob: "); got = got[:len(got)-1] {
		blobs++
	}
	if !slices.Equal(got, want) || blobs != 6 {
		t.Errorf("%d blobs; got\n%s\nwant\n%s", blobs, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if before := b.shape(); before != "1(0) 2(1) 3(2) 4(3) 5(4) 6(2) 7(6) 8(7) 9(5) 10(5)" {
		t.Errorf("planning changed the tree: %s", before)
	}

	b.check(b.RunPrune(report.Discard{}, p))
	b.whole()
	b.wantShape("2(0) 4(2) 5(4) 8(2) 9(5) 10(5)")
	sys := b.system(b.booted)
	if boots := b.boots(sys); !slices.Equal(boots, []int{5, 4}) {
		t.Errorf("bootable: %v", boots)
	}
	if infos, err := b.esp.ReadDir(boot.BlobsDir); err != nil || len(infos) != 4 {
		t.Errorf("%d blobs on the ESP, %v", len(infos), err)
	}
	if p, err = b.PlanPrune(&node.Keep{Daily: 2}); err != nil || len(p.Removed()) != 0 {
		t.Errorf("a second time: %v, %v", told(p), err)
	}
	if p, err = b.PlanPrune(nil); err != nil || len(p.Removed()) != 0 || !p.Rules.Everything() {
		t.Errorf("without rules: %v, %v", told(p), err)
	}
}

func TestAPruneThatSomethingOvertookRemovesNothing(t *testing.T) {
	b := newBox(t, 0)
	aged(b)
	p, err := b.PlanPrune(&node.Keep{Last: 1})
	b.check(err)
	before := b.shape()
	_, err = b.Pin(report.Discard{}, "3", true)
	b.check(err)
	var stale *staleDecisions
	if err := b.RunPrune(report.Discard{}, p); !errors.As(err, &stale) || stale.d.Number != 3 || stale.d.Why != "it is pinned" {
		t.Errorf("got %v", err)
	}
	b.wantShape(before)
}

func TestAPruneCutAnywhereIsFinishedByTheNext(t *testing.T) {
	finished := 0
	atEveryCut(t, aged, func(b *box) error {
		p, err := b.PlanPrune(&node.Keep{Daily: 2})
		b.check(err)
		return b.RunPrune(report.Discard{}, p)
	}, func(b *box, done bool) {
		b.whole()
		if boots := b.boots(b.system(b.booted)); boots[0] != 5 || !slices.Contains(boots, 4) {
			b.t.Errorf("bootable: %v", boots)
		}
		p, err := b.PlanPrune(&node.Keep{Daily: 2})
		b.check(err)
		if len(p.Removed()) > 0 && done {
			b.t.Error("what was acknowledged is not done")
		}
		b.check(b.RunPrune(report.Discard{}, p))
		b.whole()
		b.boots(b.system(b.booted))
		if got := b.shape(); got != "2(0) 4(2) 5(4) 8(2) 9(5) 10(5)" {
			b.t.Errorf("the tree is %s", got)
		}
		finished++
	})
	if finished < 5 {
		t.Errorf("only %d cuts", finished)
	}
}

// mountedBtrfs is btrfs with one subvolume mounted somewhere.
type mountedBtrfs struct {
	Btrfs
	path string
}

func (m mountedBtrfs) MountedAt(path string) (string, error) {
	if path == m.path {
		return "/mnt", nil
	}
	return "", nil
}

// TestAMountedNodeStaysUntilItIsNot: neither a rule nor recovery empties it under
// whoever looks at it, and neither stops there.
func TestAMountedNodeStaysUntilItIsNot(t *testing.T) {
	b := newBox(t, 0)
	aged(b)
	plain := b.Btrfs
	b.Btrfs = mountedBtrfs{plain, b.system(b.booted).Nodes.Root(3)}
	var guarded *guardedError
	if _, err := b.PlanDelete([]string{"3"}, false); !errors.As(err, &guarded) || !strings.Contains(err.Error(), "mounted at /mnt") {
		t.Errorf("got %v", err)
	}
	p, err := b.PlanPrune(&node.Keep{Daily: 2})
	b.check(err)
	if got := told(p); !slices.Contains(got, "keep node 3: it is mounted at /mnt") || !slices.Contains(got, "remove deployment 3: no rule keeps it") {
		t.Errorf("decided\n%s", strings.Join(got, "\n"))
	}
	b.check(b.RunPrune(report.Discard{}, p))
	b.check(b.recover(b.system(b.booted), report.Discard{}))
	b.whole()
	b.wantShape("2(0) 3(2) 4(3) 5(4) 8(2) 9(5) 10(5)")
	b.Btrfs = plain
	b.check(b.recover(b.system(b.booted), report.Discard{}))
	b.whole()
	b.wantShape("2(0) 4(2) 5(4) 8(2) 9(5) 10(5)")
}
