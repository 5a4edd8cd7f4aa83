// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rastos/rastos/internal/boot"
	"github.com/rastos/rastos/internal/boot/esptest"
	"github.com/rastos/rastos/internal/deploy"
	"github.com/rastos/rastos/internal/node"
	"github.com/rastos/rastos/internal/report"
	"github.com/rastos/rastos/internal/testkit"
)

// tree is a package box whose node 2 has the branches 3 (web) and 4, and 5 below 3.
func newTreeBox(t *testing.T) *packageBox {
	t.Helper()
	b := newPackageBox(t)
	for _, at := range []struct{ ref, alias string }{{"2", "web"}, {"2", ""}, {"web", ""}} {
		_, err := b.Branch(report.Discard{}, at.ref, Naming{Alias: at.alias})
		b.check(err)
	}
	publish(t, b.repo, makePackage(t, b.repo, "tool", "2-1", nil, nil), makePackage(t, b.repo, "extra", "1-1", nil, nil))
	return b
}

func (b *packageBox) install(names ...string) func(*World) (*ChangePlan, error) {
	return func(w *World) (*ChangePlan, error) {
		return b.PlanInstall(b.t.Context(), report.Discard{}, w, InstallRequest{Targets: names, Refresh: true})
	}
}

// changeTree plans and runs a change of nodes.
func (b *packageBox) changeTree(at Where, plan func(*World) (*ChangePlan, error)) (*TreePlan, TreeDone) {
	b.t.Helper()
	w := b.world()
	p, err := b.PlanTree(w, at, plan)
	b.check(err)
	done, err := b.RunTree(b.t.Context(), report.Discard{}, w, p)
	b.check(err)
	b.whole()
	return p, done
}

func (b *box) wantShape(want string) {
	b.t.Helper()
	if got := b.shape(); got != want {
		b.t.Errorf("the tree is %s, want %s", got, want)
	}
}

func TestAChangeOfANodeIsANewVersionOfItAndNotDeployed(t *testing.T) {
	b := newTreeBox(t)
	_, done := b.changeTree(Where{Node: "web"}, b.install("extra"))
	b.wantShape("1(0) 2(0) 3(2) 4(2) 5(3) 6(3)")
	n := done.Nodes[0]
	if done.Deployment != nil || n.Replaces != 3 || n.Owned || n.Files || n.Reason != "install: install extra 1-1" {
		t.Errorf("%+v", done)
	}
	if got := b.versions(6); got["extra"] != "1-1" || got["tool"] != "1-1" {
		t.Errorf("node 6 has %v", got)
	}
	// The alias has moved on; another change builds on the newest version.
	if got, err := b.NodeNumber("web"); err != nil || got != 6 {
		t.Errorf("web is %d, %v", got, err)
	}
	b.changeTree(Where{Node: "web"}, func(w *World) (*ChangePlan, error) {
		return b.PlanRemove(t.Context(), report.Discard{}, w, RemoveRequest{Targets: []string{"tool"}})
	})
	if got := b.versions(7); got["extra"] != "1-1" || got["tool"] != "" {
		t.Errorf("node 7 has %v", got)
	}
	// The machine's own history tells nothing of it, and its head is what it was.
	entries, err := b.PkgHistory(report.Discard{}, b.world(), nil)
	b.check(err)
	if len(entries) != 0 || b.world().base.Number != 2 {
		t.Errorf("history %+v, head %d", entries, b.world().base.Number)
	}
}

func TestAnUpgradeOfASubtreeKeepsItsShape(t *testing.T) {
	b := newTreeBox(t)
	b.changeTree(Where{Node: "4"}, b.install("extra")) // 6 of 4
	upgrade := func(w *World) (*ChangePlan, error) {
		return b.PlanPkgUpgrade(t.Context(), report.Discard{}, w, UpgradeRequest{Refresh: true})
	}
	p, done := b.changeTree(Where{Tree: true}, upgrade)
	// 2 → 7, 3 → 8 and 5 → 9 below it, and of 4 only its newest version, 6 → 10.
	b.wantShape("1(0) 2(0) 3(2) 4(2) 5(3) 6(4) 7(2) 8(7) 9(8) 10(7)")
	if done.Deployment == nil || done.Deployment.Node != 7 || done.Deployment.State != deploy.Armed || len(p.Nodes) != 4 {
		t.Errorf("%+v", done)
	}
	for _, number := range []int{7, 8, 9, 10} {
		got := b.versions(number)
		if extra := map[bool]string{true: "1-1"}[number == 10]; got["tool"] != "2-1" || got["extra"] != extra {
			t.Errorf("node %d has %v", number, got)
		}
	}
	entries, err := b.PkgHistory(report.Discard{}, b.world(), nil)
	b.check(err)
	if len(entries) != 1 || entries[0].Node != 7 {
		t.Errorf("history %+v", entries)
	}
	// Again, there is nothing to do anywhere.
	p, err = b.PlanTree(b.world(), Where{Tree: true}, upgrade)
	b.check(err)
	if !p.Empty() {
		t.Errorf("%+v", p.Nodes)
	}
}

func TestWhatANodeOfATreeLacksNeedsNoRemoval(t *testing.T) {
	b := newTreeBox(t)
	b.changeTree(Where{Node: "web"}, b.install("extra")) // 6, child of 3
	b.changeTree(Where{Node: "6"}, b.install("tool"))    // 7 with tool 2-1
	remove := func(names ...string) func(*World) (*ChangePlan, error) {
		return func(w *World) (*ChangePlan, error) {
			return b.PlanRemove(t.Context(), report.Discard{}, w, RemoveRequest{Targets: names})
		}
	}
	// At the root it is an error, as it is without --tree.
	if _, err := b.PlanTree(b.world(), Where{Node: "2", Tree: true}, remove("extra")); err == nil {
		t.Error("what the root lacks was to be removed")
	}
	p, done := b.changeTree(Where{Node: "7", Tree: true}, remove("extra"))
	if len(p.Nodes) != 1 || len(done.Nodes) != 1 {
		t.Errorf("%+v", p.Nodes)
	}
	// Below a root that changes, one that does not follows as a copy.
	b.changeTree(Where{Node: "4"}, remove("tool"))
	_, done = b.changeTree(Where{Node: "2", Tree: true}, remove("tool"))
	var copies int
	for _, n := range done.Nodes {
		if b.versions(n.Number)["tool"] != "" {
			t.Errorf("node %d has it still", n.Number)
		}
		if n.Reason == fmt.Sprintf("follows its parent, node %d", n.Parent) {
			copies++
		}
	}
	if copies != 1 {
		t.Errorf("%d copies in %+v", copies, done.Nodes)
	}
}

func TestAFailedNodeOfATreeLeavesTheWholeTreeAsItWas(t *testing.T) {
	b := newTreeBox(t)
	bad := makePackage(t, b.repo, "linux", "7-1", nil, nil) // it takes the kernel away
	publish(t, b.repo, bad)
	before := b.shape()
	w := b.world()
	p, err := b.PlanTree(w, Where{Node: "2", Tree: true}, b.install("linux"))
	b.check(err)
	_, err = b.RunTree(t.Context(), report.Discard{}, w, p)
	var kernel *kernelError
	if !errors.As(err, &kernel) {
		t.Fatalf("got %v", err)
	}
	b.whole()
	b.wantShape(before)
}

func TestAnOvertakenPlanOfATreeIsNotRun(t *testing.T) {
	b := newTreeBox(t)
	w := b.world()
	p, err := b.PlanTree(w, Where{Node: "2", Tree: true}, b.install("extra"))
	b.check(err)
	b.changeTree(Where{Node: "4"}, b.install("extra"))
	var stale *overtakenNodes
	if _, err := b.RunTree(t.Context(), report.Discard{}, w, p); !errors.As(err, &stale) {
		t.Errorf("got %v", err)
	}
	var none *node.NotFoundError
	if _, err := b.PlanTree(w, Where{Node: "99"}, b.install("extra")); !errors.As(err, &none) {
		t.Errorf("got %v", err)
	}
}

// upgradeTree plans an upgrade of the head and all below it.
func (b *packageBox) upgradeTree() (*World, *TreePlan) {
	b.t.Helper()
	w := b.world()
	p, err := b.PlanTree(w, Where{Tree: true}, func(w *World) (*ChangePlan, error) {
		return b.PlanPkgUpgrade(b.t.Context(), report.Discard{}, w, UpgradeRequest{Refresh: true})
	})
	b.check(err)
	return w, p
}

// A head that cannot be deployed takes what is below it back, at whatever step it
// turns out, and in the same breath.
func TestATreeDoesNotMoveOnWithoutItsHead(t *testing.T) {
	for what, esp := range map[string]func(boot.ESP) boot.ESP{
		"no room for the kernel": func(e boot.ESP) boot.ESP { return noBlobs{e} },
		"no room for the entry":  func(e boot.ESP) boot.ESP { return fullESP{e} },
	} {
		b := newTreeBox(t)
		publish(t, b.repo, makePackage(t, b.repo, "linux", "6-2", map[string]string{
			modulesDir + "/6/vmlinuz": "kernel 6-2", modulesDir + "/6/pkgbase": "linux\n", modulesDir + "/6/modules.dep": "#",
			modulesDir + "/6/modules.builtin": "kernel/fs/btrfs/btrfs.ko\n", initPath: "init 6-2",
		}, nil))
		before, boots := b.shape(), b.boots(b.system(b.booted))
		w, p := b.upgradeTree()
		whole := w.sys.ESP
		w.sys.ESP = esp(whole)
		if done, err := b.RunTree(t.Context(), report.Discard{}, w, p); !errors.Is(err, errTest) || len(done.Nodes) > 0 {
			t.Fatalf("%s: %+v, %v", what, done, err)
		}
		b.wantShape(before)
		b.whole()
		b.check(b.recover(b.system(b.booted), report.Discard{}))
		if got := b.boots(b.system(b.booted)); !slices.Equal(got, boots) {
			t.Errorf("%s: bootable are %v, were %v", what, got, boots)
		}
		w, p = b.upgradeTree()
		if done, err := b.RunTree(t.Context(), report.Discard{}, w, p); err != nil || len(done.Nodes) != 4 || done.Deployment == nil {
			t.Errorf("%s: the second time: %+v, %v", what, done, err)
		}
	}
}

// noBlobs fails to write kernels.
type noBlobs struct{ boot.ESP }

func (n noBlobs) WriteFile(name string, data []byte) error {
	if strings.HasPrefix(name, boot.BlobsDir) {
		return errTest
	}
	return n.ESP.WriteFile(name, data)
}

// While the deployment of a tree's head is made, its node does not exist yet.
func TestStatusIsToldWhileATreeIsDeployed(t *testing.T) {
	b := newBox(t, esptest.OldName)
	sys := b.system(1)
	w, err := sys.Nodes.Begin(1, "test")
	b.check(err)
	batch, err := sys.Nodes.Batch("test")
	b.check(err)
	n, err := batch.Seal(w, node.Node{})
	b.check(err)
	_, err = sys.Deploys.Create(deploy.Request{Node: n, From: 1})
	b.check(err)
	st, err := b.Status()
	b.check(err)
	if len(st.Deployments) != 2 || st.Deployments[0].Node != n.Number || st.Deployments[0].Shown != "staged" || st.Next != 1 {
		t.Errorf("%+v", st)
	}
	b.check(batch.Discard())
}

// cutTrees runs a planned change of nodes again and again, with the power cut at
// another effect each time: there are all of the new nodes afterwards, or none.
func cutTrees(t *testing.T, plan func(b *packageBox) (*World, *TreePlan), verify func(b *packageBox, made []node.Node)) {
	t.Helper()
	t.Parallel()
	none, all := 0, 0
	for cut, done := 0, false; !done; cut += testkit.Rounds(7, 1) {
		b := newTreeBox(t)
		w, p := plan(b)
		before := b.shape()
		boots := b.boots(b.system(b.booted))
		b.power.left = cut
		result, err := b.RunTree(t.Context(), report.Discard{}, w, p)
		if err != nil && !b.power.off {
			t.Fatalf("cut %d: %v", cut, err)
		}
		done = !b.power.off
		b.recoverWithCuts(cut % 2)
		b.whole()
		list, err := b.system(b.booted).Nodes.List()
		b.check(err)
		made := list[len(strings.Fields(before)):]
		moved := !slices.Equal(b.boots(b.system(b.booted)), boots)
		switch {
		case b.shape() == before && !done && !moved:
			none++
			continue
		case len(made) != len(p.Nodes) || moved != p.Deploy || done && len(result.Nodes) != len(made):
			t.Fatalf("cut %d: %s after %s", cut, b.shape(), before)
		}
		all++
		verify(b, made)
	}
	if none == 0 || all == 0 {
		t.Errorf("%d times none, %d times all", none, all)
	}
}

func TestAChangeOfASubtreeCutAnywhereIsMadeOfAllOrOfNone(t *testing.T) {
	cutTrees(t, func(b *packageBox) (*World, *TreePlan) {
		w := b.world()
		p, err := b.PlanTree(w, Where{Node: "2", Tree: true}, b.install("extra"))
		b.check(err)
		return w, p
	}, func(b *packageBox, made []node.Node) {
		for _, n := range made {
			if b.versions(n.Number)["extra"] != "1-1" || n.Parent != 2 && n.Parent < 6 {
				t.Errorf("%+v", n)
			}
		}
	})
}

func TestAnUpgradeOfTheHeadAndItsTreeCutAnywhereIsMadeAndDeployedOrNot(t *testing.T) {
	cutTrees(t, (*packageBox).upgradeTree, func(b *packageBox, made []node.Node) {
		for _, n := range made {
			if b.versions(n.Number)["tool"] != "2-1" || n.With != 0 || n.Parent != 2 && n.Parent < 6 {
				t.Errorf("%+v", n)
			}
		}
	})
}

func TestASyncCutAnywhereIsMadeForAllOrForNone(t *testing.T) {
	cutTrees(t, func(b *packageBox) (*World, *TreePlan) {
		b.edit("2", map[string]string{"etc/app.conf": "new\n"})
		w, p, err := b.PlanSync(t.Context(), report.Discard{}, b.settings, "2")
		b.check(err)
		return w, p
	}, func(b *packageBox, made []node.Node) {
		for _, n := range made {
			if b.file(n.Number, "etc/app.conf") != "new\n" || n.Parent < 6 {
				t.Errorf("%+v", n)
			}
		}
	})
}
