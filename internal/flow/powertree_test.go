// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rastos/rastos/internal/node"
	"github.com/rastos/rastos/internal/report"
	"github.com/rastos/rastos/internal/testkit"
)

// shape is the tree of nodes as "number(parent)".
func (b *box) shape() string {
	b.t.Helper()
	list, err := b.system(b.booted).Nodes.List()
	b.check(err)
	var out []string
	for _, n := range list {
		out = append(out, fmt.Sprintf("%d(%d)", n.Number, n.Parent))
	}
	return strings.Join(out, " ")
}

// whole checks that each folder of a node is one, and nothing is being built.
func (b *box) whole() {
	b.t.Helper()
	list, err := b.system(b.booted).Nodes.List()
	b.check(err)
	for dir, want := range map[string]int{"nodes": len(list), "work": 0} {
		entries, err := os.ReadDir(filepath.Join(b.top, node.Folder, dir))
		b.check(err)
		if len(entries) != want {
			b.t.Errorf("%s holds %d folders, want %d", dir, len(entries), want)
		}
	}
	for _, n := range list {
		if _, err := os.Stat(filepath.Join(b.system(b.booted).Nodes.Root(n.Number), initPath)); err != nil {
			b.t.Errorf("node %d: %v", n.Number, err)
		}
	}
}

// branched adds two branches below node 1, the second with a child.
func (b *box) branched() {
	b.t.Helper()
	for _, ref := range []string{"1", "1", "3"} {
		_, err := b.Branch(report.Discard{}, ref, Naming{})
		b.check(err)
	}
}

func TestACloneOfASubtreeCutAnywhereIsAllThereOrNotAtAll(t *testing.T) {
	shapes := map[string]int{}
	atEveryCut(t, (*box).branched, func(b *box) error {
		_, err := b.Clone(report.Discard{}, CloneRequest{Node: "1", Recursive: true})
		return err
	}, func(b *box, done bool) {
		b.whole()
		got := b.shape()
		shapes[got[:min(len(got), 23)]]++
		rest, ok := strings.CutPrefix(got, "1(0) 2(1) 3(1) 4(3)")
		var a, c, d, e, p, q, r, s int
		if n, _ := fmt.Sscanf(rest, " %d(%d) %d(%d) %d(%d) %d(%d)", &a, &p, &c, &q, &d, &r, &e, &s); !ok || n != 0 && (n != 8 || p != 0 || q != a || r != a || s != d) {
			b.t.Errorf("the tree is %s", got)
		}
		if done && rest == "" {
			b.t.Error("what was acknowledged is lost")
		}
	})
	if len(shapes) < 2 {
		t.Errorf("only %v", shapes)
	}
}

func TestADeletionCutAnywhereIsNotBegunOrFinished(t *testing.T) {
	before, after := 0, 0
	atEveryCut(t, func(b *box) {
		for _, version := range []string{"2", "3", "4"} {
			d, err := b.upgrade(b.system(b.booted), version)
			b.check(err)
			b.booted = d.Number
			b.check(b.bless(b.system(b.booted), report.Discard{}, &Outcome{}))
		}
		b.check(b.system(b.booted).Nodes.SetLabel(2, "a name keeps nothing from who asks for it"))
	}, func(b *box) error {
		p, err := b.PlanDelete([]string{"2"}, false)
		b.check(err)
		return b.RunDelete(report.Discard{}, p)
	}, func(b *box, done bool) {
		sys := b.system(b.booted)
		b.whole()
		switch got, boots := b.shape(), b.boots(sys); {
		case got == "1(0) 2(1) 3(2) 4(3)" && slices.Equal(boots, []int{4, 3, 2, 1}) && !done,
			got == "1(0) 2(1) 3(1) 4(3)" && slices.Equal(boots, []int{4, 3, 2, 1}) && !done:
			before++
		case got == "1(0) 3(1) 4(3)" && slices.Equal(boots, []int{4, 3, 1}):
			after++
		default:
			b.t.Errorf("the tree is %s, bootable are %v", got, boots)
		}
	})
	if before == 0 || after < 3 {
		t.Errorf("%d times before, %d times after", before, after)
	}
}

func TestWhatTheMachineNeedsIsNotDeleted(t *testing.T) {
	b := newBox(t, 0)
	d, err := b.upgrade(b.system(1), "2")
	b.check(err)
	b.branched() // 3 and 4 of 1, 5 of 3
	_, err = b.Pin(report.Discard{}, "3", true)
	b.check(err)
	for ref, why := range map[string]string{
		"1": "deployment 1 runs", "booted": "deployment 1 runs", "head": "boots next", fmt.Sprint(d.Node): "boots next", "3": "it is pinned",
	} {
		var guarded *guardedError
		if _, err := b.PlanDelete([]string{ref}, false); !errors.As(err, &guarded) || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v", ref, err)
		}
	}
	if _, err := b.PlanDelete([]string{"9"}, false); err == nil {
		t.Error("a node that does not exist was planned to be deleted")
	}

	// Whoever works on a node keeps it.
	sys := b.system(1)
	w, err := sys.Nodes.Begin(5, "snapshot shell")
	b.check(err)
	var busy *heldError
	if _, err := b.PlanDelete([]string{"5"}, false); !errors.As(err, &busy) || busy.ExitCode() != 10 || !strings.Contains(err.Error(), "snapshot shell") {
		t.Errorf("got %v", err)
	}
	b.check(w.Discard())
	p, err := b.PlanDelete([]string{"5"}, false)
	b.check(err)
	b.check(b.RunDelete(report.Discard{}, p))
	b.whole()
}

func TestAPictureHoldsTheRunningEtcAndNotTheMachinesIdentity(t *testing.T) {
	b := newBox(t, 0)
	sys := b.system(1)
	d, err := sys.Deploys.Get(1)
	b.check(err)
	etc := sys.Deploys.EtcPath(d)
	for name, text := range map[string]string{"hosts": "mine\n", "machine-id": "abc\n", "ssh/ssh_host_rsa_key": "secret\n", "ssh/sshd_config": "Port 22\n"} {
		put(t, testTree{testkit.DirFiles{Dir: etc}}, name, text)
	}
	b.check(os.Remove(filepath.Join(etc, "release")))
	n, err := b.Take(report.Discard{}, Naming{Label: "now", Alias: "now"})
	b.check(err)
	root := sys.Nodes.Root(n.Number)
	for name, want := range map[string]string{"hosts": "mine\n", "ssh/sshd_config": "Port 22\n", "release": "", "machine-id": "", "ssh/ssh_host_rsa_key": ""} {
		if got, err := os.ReadFile(filepath.Join(root, "etc", name)); (err == nil) != (want != "") || string(got) != want {
			t.Errorf("/etc/%s: %q, %v", name, got, err)
		}
	}
	if n.Parent != 1 || !n.Taken || n.Kernel != "1" || n.Label != "now" {
		t.Errorf("%+v", n)
	}
	if got, err := b.NodeNumber("now"); err != nil || got != n.Number {
		t.Errorf("the alias leads to %d, %v", got, err)
	}
	b.whole()
	b.check(b.recover(b.system(1), report.Discard{}))
}
