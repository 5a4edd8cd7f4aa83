// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/internal/report"
	"github.com/rastos/rastos/internal/testkit"
)

// edit runs a change of files in a copy of a node.
func (b *packageBox) edit(ref string, files map[string]string) {
	b.t.Helper()
	b.Enter = func(_ context.Context, root string, _ Session) (int, error) {
		for name, text := range files {
			if text == "" {
				b.check(os.Remove(filepath.Join(root, name)))
				continue
			}
			put(b.t, testTree{testkit.DirFiles{Dir: root}}, name, text)
		}
		return 0, nil
	}
	_, err := b.Shell(b.t.Context(), report.Discard{}, ShellRequest{Node: ref, Argv: []string{"edit"}})
	b.check(err)
}

func (b *packageBox) file(number int, name string) string {
	data, _ := os.ReadFile(filepath.Join(b.system(b.booted).Nodes.Root(number), name))
	return string(data)
}

func (b *packageBox) sync(ref string) (*TreePlan, TreeDone) {
	b.t.Helper()
	w, p, err := b.PlanSync(b.t.Context(), report.Discard{}, b.settings, ref)
	b.check(err)
	done, err := b.RunTree(b.t.Context(), report.Discard{}, w, p)
	b.check(err)
	b.whole()
	return p, done
}

func conflictsOf(list []NodeConflict) []string {
	var out []string
	for _, c := range list {
		out = append(out, c.What+": "+c.Why)
	}
	slices.Sort(out)
	return out
}

func TestSyncReplaysTheTransactionAndNotTheRepository(t *testing.T) {
	b := newTreeBox(t) // 3 (web) and 4 of 2, 5 of 3; the repository has tool-2 and extra-1
	_, err := b.Refresh(t.Context(), report.Discard{}, b.world())
	b.check(err)
	b.changeTree(Where{Node: "4"}, b.install("extra")) // 6 has extra-1 of its own
	upgrade := func(w *World) (*ChangePlan, error) {
		return b.PlanPkgUpgrade(t.Context(), report.Discard{}, w, UpgradeRequest{})
	}
	b.changeTree(Where{Node: "2"}, upgrade)            // 7: tool-2
	b.changeTree(Where{Node: "7"}, b.install("extra")) // 8: extra-1
	// Meanwhile the repository moves on, and a node changes by itself.
	publish(t, b.repo, makePackage(t, b.repo, "tool", "3-1", nil, nil), makePackage(t, b.repo, "extra", "2-1", nil, nil))
	b.changeTree(Where{Node: "5"}, b.install("tool")) // 9: tool-3

	p, done := b.sync("2")
	if p.Root != 8 || len(p.Nodes) != 3 || done.Deployment != nil {
		t.Fatalf("%+v", p)
	}
	// 3 → 10 under 8; 6, which came from 4, → 11; 9 → 12, whose parent 5 was
	// replaced by itself: it stays below what 3 became.
	b.wantShape("1(0) 2(0) 3(2) 4(2) 5(3) 6(4) 7(2) 8(7) 9(5) 10(8) 11(8) 12(10)")
	for number, want := range map[int]map[string]string{
		10: {"tool": "2-1", "extra": "1-1"}, 11: {"tool": "2-1", "extra": "1-1"}, 12: {"tool": "3-1", "extra": "1-1"},
	} {
		for name, version := range want {
			if got := b.versions(number)[name]; got != version {
				t.Errorf("node %d has %s %s, want %s", number, name, got, version)
			}
		}
	}
	want := []string{"package tool: it went from 1-1 to 2-1 in node 8, and is 3-1 here, which stays"}
	if got := conflictsOf(done.Conflicts); !slices.Equal(got, want) || done.Conflicts[0].Node != 12 {
		t.Errorf("conflicts %v", done.Conflicts)
	}
	if again, _ := b.sync("8"); !again.Empty() {
		t.Errorf("a second time: %+v", again.Nodes)
	}
}

func TestSyncMergesWhatACommandChanged(t *testing.T) {
	b := newTreeBox(t)
	b.edit("2", map[string]string{ // 6 of 2: what all came from
		"etc/app.conf": "a\nb\nc\n", "etc/one.conf": "one\n", "usr/share/site/page": "old\n", "usr/share/site/gone": "x\n", "usr/share/both": "0\n",
	})
	for range 2 {
		_, err := b.Branch(report.Discard{}, "6", Naming{}) // 7 and 8
		b.check(err)
	}
	b.edit("7", map[string]string{ // 9
		"etc/app.conf": "a\nb\nc mine\n", "etc/own.conf": "own\n", "usr/share/both": "mine\n", "usr/share/site/mine": "mine\n",
	})
	b.edit("6", map[string]string{ // 10
		"etc/app.conf": "a new\nb\nc\n", "etc/new.conf": "new\n", "usr/share/site/page": "new\n", "usr/share/site/gone": "", "usr/share/both": "theirs\n",
		"var/log/noise": "noise\n", "etc/ld.so.cache": "made\n", "etc/app.conf.pacnew": "aside\n",
	})
	_, done := b.sync("6")
	for number, want := range map[int]map[string]string{
		14: { // of 8, which had changed nothing
			"etc/app.conf": "a new\nb\nc\n", "etc/new.conf": "new\n", "usr/share/site/page": "new\n", "usr/share/site/gone": "", "usr/share/both": "theirs\n",
			"var/log/noise": "", "etc/ld.so.cache": "", "etc/app.conf.pacnew": "", "etc/one.conf": "one\n",
		},
		15: { // of 9
			"etc/app.conf": "a new\nb\nc mine\n", "etc/own.conf": "own\n", "etc/new.conf": "new\n", "usr/share/site/page": "new\n", "usr/share/site/gone": "",
			"usr/share/site/mine": "mine\n", "usr/share/both": "mine\n", "usr/share/both.rastnew": "theirs\n",
		},
	} {
		for name, text := range want {
			if got := b.file(number, name); got != text {
				t.Errorf("node %d: %s: %q, want %q", number, name, got, text)
			}
		}
	}
	if got := conflictsOf(done.Conflicts); len(got) != 1 || !strings.HasPrefix(got[0], "/usr/share/both: ") {
		t.Errorf("conflicts %v", got)
	}
}

func TestSyncKeepsWhatANodeNeeds(t *testing.T) {
	b := newTreeBox(t)
	publish(t, b.repo, makePackage(t, b.repo, "user", "1-1", nil, func(p *desc.Package) { p.Depends = []string{"tool"} }))
	b.changeTree(Where{Node: "web"}, b.install("user")) // 6 of 3
	b.changeTree(Where{Node: "2"}, func(w *World) (*ChangePlan, error) {
		return b.PlanRemove(t.Context(), report.Discard{}, w, RemoveRequest{Targets: []string{"tool"}})
	}) // 7 of 2
	_, done := b.sync("2")
	want := []string{"package tool: it was removed there, and something needs it here: it stays"}
	if got := conflictsOf(done.Conflicts); !slices.Equal(got, want) {
		t.Errorf("conflicts %v", got)
	}
	for _, n := range done.Nodes {
		if has := b.versions(n.Number)["tool"] != ""; has != (n.Replaces == 6) {
			t.Errorf("node %d: %v", n.Number, b.versions(n.Number))
		}
	}
}
