// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rastos/rastos/internal/report"
)

// typing lets whatever enters a tree write a file there and end with a code.
func (b *packageBox) typing(exit func(root string) int) *[]Session {
	var seen []Session
	b.Enter = func(_ context.Context, root string, s Session) (int, error) {
		seen = append(seen, s)
		b.check(os.WriteFile(filepath.Join(root, "etc/typed"), []byte(strings.Join(s.Argv, " ")), 0o644))
		return exit(root), nil
	}
	return &seen
}

func (b *packageBox) typed(number int) string {
	data, _ := os.ReadFile(filepath.Join(b.system(b.booted).Nodes.Root(number), "etc/typed"))
	return string(data)
}

func TestAShellThatEndsWellMakesANewVersion(t *testing.T) {
	b := newTreeBox(t)
	seen := b.typing(func(string) int { return 0 })
	done, err := b.Shell(t.Context(), report.Discard{}, ShellRequest{Node: "web"})
	b.check(err)
	b.whole()
	b.wantShape("1(0) 2(0) 3(2) 4(2) 5(3) 6(3)")
	if n := done.Node; n == nil || n.Replaces != 3 || !n.Files || n.Reason != "snapshot shell" || n.Kernel != "6" || n.Count != 2 {
		t.Errorf("%+v", n)
	}
	if b.typed(6) != "/bin/sh" || b.typed(3) != "" || (*seen)[0].Hostname != "node-3" {
		t.Errorf("typed %q and %q in %+v", b.typed(6), b.typed(3), *seen)
	}
	done, err = b.Shell(t.Context(), report.Discard{}, ShellRequest{Node: "web", Argv: []string{"useradd", "shop"}, Naming: Naming{Alias: "shop"}})
	b.check(err)
	if number, err := b.NodeNumber("shop"); err != nil || number != done.Node.Number || done.Node.Reason != "run useradd shop" || done.Node.Parent != 6 {
		t.Errorf("%+v, %d, %v", done.Node, number, err)
	}
}

func TestAShellThatFailsLeavesNothingUnlessAPersonSaysSo(t *testing.T) {
	b := newTreeBox(t)
	b.typing(func(string) int { return 3 })
	before := b.shape()
	var asked string
	for _, keep := range []func(string) bool{nil, func(why string) bool { asked = why; return false }} {
		done, err := b.Shell(t.Context(), report.Discard{}, ShellRequest{Node: "3", Keep: keep})
		if err != nil || done.Exit != 3 || done.Node != nil {
			t.Errorf("%+v, %v", done, err)
		}
		b.whole()
		b.wantShape(before)
	}
	if asked != "it ended with exit code 3" {
		t.Errorf("asked %q", asked)
	}
	done, err := b.Shell(t.Context(), report.Discard{}, ShellRequest{Node: "3", Keep: func(string) bool { return true }})
	if err != nil || done.Node == nil || b.typed(done.Node.Number) == "" {
		t.Errorf("%+v, %v", done, err)
	}

	// Neither does one that was cut off, or that leaves a system which cannot boot.
	b.Enter = func(context.Context, string, Session) (int, error) { return -1, context.Canceled }
	if _, err := b.Shell(t.Context(), report.Discard{}, ShellRequest{Node: "3"}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	b.typing(func(root string) int { b.check(os.RemoveAll(filepath.Join(root, modulesDir))); return 0 })
	var kernel *kernelError
	if _, err := b.Shell(t.Context(), report.Discard{}, ShellRequest{Node: "3"}); !errors.As(err, &kernel) {
		t.Errorf("got %v", err)
	}
	b.whole()
}

// TestTheSystemChangesWhileAShellIsOpen: only the node that it works on is held.
func TestTheSystemChangesWhileAShellIsOpen(t *testing.T) {
	b := newTreeBox(t)
	b.typing(func(root string) int {
		var busy *heldError
		if _, err := b.PlanDelete([]string{"3"}, false); !errors.As(err, &busy) {
			t.Errorf("deleting what the shell works on: %v", err)
		}
		sys := b.system(b.booted)
		n, err := sys.Nodes.Get(3)
		b.check(err)
		b.check(sys.Nodes.SetAlias("web", 0))
		if claim, err := b.claim(sys, n); err != nil || !strings.Contains(claim, "works on it since") {
			t.Errorf("what keeps it from being pruned: %q, %v", claim, err)
		}
		_, err = b.Branch(report.Discard{}, "4", Naming{})
		b.check(err)
		return 0
	})
	done, err := b.Shell(t.Context(), report.Discard{}, ShellRequest{Node: "3"})
	b.check(err)
	if done.Node == nil || done.Node.Number != 7 {
		t.Errorf("%+v", done)
	}
	b.whole()
}

func TestACommandInASubtreeChangesAllOrNone(t *testing.T) {
	b := newTreeBox(t)
	calls := 0
	b.typing(func(string) int { calls++; return calls / 4 }) // the fourth fails
	before := b.shape()
	r := ShellRequest{Node: "2", Argv: []string{"touch", "x"}}
	var failed *failedRun
	_, err := b.TreeRun(t.Context(), report.Discard{}, b.settings, r)
	if !errors.As(err, &failed) || failed.exit != 1 || !strings.Contains(err.Error(), "node 4: touch x: exit code 1") {
		t.Errorf("got %v", err)
	}
	b.whole()
	b.wantShape(before)
	b.typing(func(string) int { return 0 })
	done, err := b.TreeRun(t.Context(), report.Discard{}, b.settings, r)
	b.check(err)
	b.whole()
	if len(done.Nodes) != 4 || done.Deployment != nil {
		t.Errorf("%+v", done)
	}
	for _, n := range done.Nodes {
		if b.typed(n.Number) != "touch x" || !n.Files || n.Reason != "run touch x" {
			t.Errorf("%+v", n)
		}
	}
}
