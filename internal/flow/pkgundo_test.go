// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/history"
	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/internal/report"
)

// undo takes a transaction back in a new node.
func (b *packageBox) undo(id string) (Changed, error) {
	b.t.Helper()
	w := b.world()
	p, err := b.PlanUndo(b.t.Context(), report.Discard{}, w, UndoRequest{ID: id})
	if err != nil {
		return Changed{}, err
	}
	return b.RunChange(b.t.Context(), report.Discard{}, w, p)
}

func TestAnUndoOnARastOSRunsInANewNode(t *testing.T) {
	b := newPackageBox(t)
	publish(t, b.repo, makePackage(t, b.repo, "tool", "2-1", nil, func(p *desc.Package) { p.Depends = []string{"extra"} }),
		makePackage(t, b.repo, "extra", "1-1", nil, nil))
	first := b.world().base.Number
	done := b.change(b.world(), "upgrade", trans.Request{SysUpgrade: true})
	if got := b.versions(done.Deployment.Node); got["tool"] != "2-1" || got["extra"] != "1-1" {
		t.Fatalf("the upgrade made %v", got)
	}
	// The image brought tool-1 before there was a history: its archive lies in
	// the cache.
	back, err := b.undo("1")
	b.check(err)
	if got, want := b.versions(back.Deployment.Node), b.versions(first); got["tool"] != "1-1" || len(got) != len(want) {
		t.Errorf("the undo made %v, before it was %v", got, want)
	}
	got := b.entries(b.world())
	if len(got) != 2 || got[1].Undoes != "1" || got[1].Node != back.Deployment.Node || got[1].Result != history.Done {
		t.Errorf("the history: %+v", got)
	}
	if back.Reason != "undo 1: install tool, remove extra" {
		t.Errorf("the reason %q", back.Reason)
	}

	// The undo is undone, and what it did is no more to be found afterwards.
	b.undoAll("2")
	w := b.world()
	nothing, err := b.PlanUndo(t.Context(), report.Discard{}, w, UndoRequest{ID: "2"})
	if err != nil || !nothing.Empty() || !slices.Contains(nothing.Notes, "tool is as it was before already") {
		t.Errorf("once more: %+v, %v", nothing, err)
	}
}

// TestAnUndoThatCannotBeSaysWhy: what stands in the way is named all at once.
func TestAnUndoThatCannotBeSaysWhy(t *testing.T) {
	b := newPackageBox(t)
	publish(t, b.repo, makePackage(t, b.repo, "tool", "2-1", nil, nil))
	b.change(b.world(), "upgrade", trans.Request{SysUpgrade: true})
	publish(t, b.repo, makePackage(t, b.repo, "tool", "3-1", nil, nil))
	b.change(b.world(), "upgrade", trans.Request{SysUpgrade: true})
	_, err := b.undo("1")
	var cannot *undoError
	if !errors.As(err, &cannot) || !strings.Contains(err.Error(), "tool is 3-1 now, and this transaction made it 2-1: transaction 2 changed it since") ||
		cannot.Hint() != "undo transaction 2 first" || cannot.ExitCode() != 4 {
		t.Errorf("got %v", err)
	}
	// Neither the cache nor the server has the archive any more.
	for _, dir := range []string{filepath.Join(b.settings.CacheDir, "pkg"), b.repo} {
		b.check(os.Remove(filepath.Join(dir, "tool-2-1-any.pkg.tar.zst")))
	}
	if _, err = b.undo("2"); !errors.As(err, &cannot) || !strings.Contains(err.Error(), "the archive of tool 2-1 is neither") {
		t.Errorf("without archives: %v", err)
	}
	var coded interface{ ExitCode() int }
	if _, err = b.undo("77"); !errors.As(err, &coded) || coded.ExitCode() != 4 {
		t.Errorf("an unknown transaction: %v", err)
	}
}

// TestUndoTakesTheArchiveOfTheServer when the cache was cleaned: the history
// knows its name and checksum.
func TestUndoTakesTheArchiveOfTheServer(t *testing.T) {
	b := newPackageBox(t)
	publish(t, b.repo, makePackage(t, b.repo, "tool", "2-1", nil, nil))
	b.change(b.world(), "upgrade", trans.Request{SysUpgrade: true})
	publish(t, b.repo, makePackage(t, b.repo, "tool", "3-1", nil, nil))
	b.change(b.world(), "upgrade", trans.Request{SysUpgrade: true})
	b.check(os.RemoveAll(b.settings.CacheDir))
	done, err := b.undo("2")
	b.check(err)
	if got := b.versions(done.Deployment.Node); got["tool"] != "2-1" {
		t.Errorf("the undo made %v", got)
	}
	// Another archive of that name is not taken for it.
	b.undoAll("3")
	b.check(os.RemoveAll(b.settings.CacheDir))
	b.check(os.WriteFile(filepath.Join(b.repo, "tool-2-1-any.pkg.tar.zst"), []byte("not it"), 0o644))
	if _, err := b.undo("2"); err == nil {
		t.Error("another archive was taken for it")
	}
}

func (b *packageBox) undoAll(ids ...string) {
	b.t.Helper()
	for _, id := range ids {
		_, err := b.undo(id)
		b.check(err)
	}
}

func TestQuestionsOfAPlanArePutIntoWords(t *testing.T) {
	b := newPackageBox(t)
	publish(t, b.repo,
		makePackage(t, b.repo, "foe", "1-1", nil, func(p *desc.Package) { p.Conflicts = []string{"tool"} }),
		makePackage(t, b.repo, "app", "1-1", nil, func(p *desc.Package) { p.Depends = []string{"lib"} }),
		makePackage(t, b.repo, "lib-a", "1-1", nil, func(p *desc.Package) { p.Provides = []string{"lib"} }),
		makePackage(t, b.repo, "lib-b", "1-1", nil, func(p *desc.Package) { p.Provides = []string{"lib"} }))
	var asked []Choice
	ask := func(answer int) Ask {
		return func(c Choice) int {
			asked = append(asked, c)
			return answer
		}
	}
	w := b.world()
	p, err := b.PlanInstall(t.Context(), report.Discard{}, w, InstallRequest{Targets: []string{"foe", "app"}, Refresh: true, Ask: ask(1)})
	b.check(err)
	rows := map[string]string{}
	for _, r := range p.Rows() {
		rows[r.Action+" "+r.Package] = r.Why
	}
	if rows["remove tool"] != "conflicts with foe" || rows["install lib-b"] != "needed by app" {
		t.Errorf("the plan does %v", rows)
	}
	if len(asked) != 2 || asked[0].Text != "Which package is to provide lib?" || !slices.Equal(asked[0].Options, []string{"core/lib-a 1-1", "core/lib-b 1-1"}) ||
		asked[1].Text != "foe and tool exclude each other. Remove tool?" {
		t.Errorf("asked %+v", asked)
	}
	if want := "etc/rastos/rastos.toml does not declare app: the next apply would remove it"; !slices.ContainsFunc(p.Notes, func(n string) bool { return strings.HasSuffix(n, want) }) {
		t.Errorf("notes %q", p.Notes)
	}
	if _, err := b.PlanInstall(t.Context(), report.Discard{}, w, InstallRequest{Targets: []string{"foe"}, Ask: ask(0)}); err == nil {
		t.Error("a conflict was passed over")
	}
}
