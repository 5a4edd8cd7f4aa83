// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rastos/rastos/alpm/history"
	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/internal/report"
	"github.com/rastos/rastos/internal/testkit"
)

// entries reads a world's history.
func (b *packageBox) entries(w *World) []history.Entry {
	b.t.Helper()
	env, err := w.Env()
	b.check(err)
	log := w.historyLog(env.DBPath)
	got, damaged, err := log.Read()
	b.check(err)
	if damaged != 0 {
		b.t.Errorf("%d damaged lines", damaged)
	}
	return got
}

// change plans and runs.
func (b *packageBox) change(w *World, verb string, r trans.Request) Changed {
	b.t.Helper()
	p, err := b.PlanChange(b.t.Context(), report.Discard{}, w, ChangeRequest{Request: r, Verb: verb, Refresh: true})
	b.check(err)
	done, err := b.RunChange(b.t.Context(), report.Discard{}, w, p)
	b.check(err)
	return done
}

func TestTheHistoryTellsOfNodes(t *testing.T) {
	b := newPackageBox(t)
	b.Command, b.User = []string{"rastos", "pkg", "install", "extra"}, "anna"
	publish(t, b.repo, makePackage(t, b.repo, "tool", "2-1", nil, nil), makePackage(t, b.repo, "extra", "1-1", nil, nil))
	w := b.world()
	done := b.change(w, "install", trans.Request{Targets: []string{"extra"}, SysUpgrade: true})
	got := b.entries(w)
	if len(got) != 1 {
		t.Fatalf("the history has %+v", got)
	}
	e := got[0]
	if e.Node != done.Deployment.Node || e.Deployment != done.Deployment.Number || e.Result != history.Done ||
		e.CommandLine() != "rastos pkg install extra" || e.User != "anna" || len(e.Changes) != 2 {
		t.Fatalf("%+v", e)
	}
	for _, c := range e.Changes {
		if c.New.Repo != "core" || len(c.New.SHA256) != 64 || c.New.Size == 0 || !strings.HasSuffix(c.New.File, ".pkg.tar.zst") {
			t.Errorf("what is new of %s: %+v", c.Name, c.New)
		}
		if c.Name == "tool" && !cmp.Equal(c.Old, &history.Version{Version: "1-1", Arch: "any", Reason: "explicit"}) {
			t.Errorf("what was there before: %+v", c.Old)
		}
	}

	// A node that cannot be sealed was for nothing, and the history says so.
	publish(t, b.repo, makePackage(t, b.repo, "linux", "7-1", nil, nil))
	w = b.world()
	p, err := b.PlanChange(t.Context(), report.Discard{}, w, ChangeRequest{Request: trans.Request{SysUpgrade: true}, Verb: "upgrade", Refresh: true})
	b.check(err)
	if _, err = b.RunChange(t.Context(), report.Discard{}, w, p); err == nil {
		t.Fatal("a node without a kernel was deployed")
	}
	if got = b.entries(w); len(got) != 2 || got[1].Result != history.Failed || got[1].Error != err.Error() || got[1].Node != 0 {
		t.Errorf("after the failure: %+v", got)
	}
}

// rootWorld is a tree with the box's manifest.
func (b *packageBox) rootWorld() (string, *World) {
	b.t.Helper()
	root := b.t.TempDir()
	text, err := os.ReadFile(b.manifestPath)
	b.check(err)
	put(b.t, testTree{testkit.DirFiles{Dir: root}}, "etc/rastos/rastos.toml", string(text))
	w, err := b.World(b.settings, Place{Root: root})
	b.check(err)
	return root, w
}

func TestTheHistoryTellsOfChangesInPlace(t *testing.T) {
	b := newPackageBox(t)
	_, w := b.rootWorld()
	b.change(w, "install", trans.Request{Targets: []string{"tool"}})
	b.change(w, "remove", trans.Request{Remove: []string{"tool"}})
	got := b.entries(w)
	if len(got) != 2 || got[0].Result != history.Done || got[1].Result != history.Done ||
		got[1].Changes[0].New != nil || got[1].Changes[0].Old.Version != "1-1" {
		t.Errorf("%+v", got)
	}
}

// TestAHistoryThatCannotBeWrittenStopsTheChange: what cannot be told is not done.
func TestAHistoryThatCannotBeWrittenStopsTheChange(t *testing.T) {
	b := newPackageBox(t)
	root, w := b.rootWorld()
	b.check(os.MkdirAll(filepath.Join(root, dbPath, historyName), 0o755))
	p, err := b.PlanChange(t.Context(), report.Discard{}, w, ChangeRequest{Request: trans.Request{Targets: []string{"tool"}}, Verb: "install", Refresh: true})
	b.check(err)
	if _, err = b.RunChange(t.Context(), report.Discard{}, w, p); err == nil || !strings.Contains(err.Error(), "history") {
		t.Fatalf("got %v", err)
	}
	if _, err := os.Lstat(filepath.Join(root, "usr/share/tool")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the root was changed: %v", err)
	}
}

// TestWithoutAManifestARootHasItsPacmanConf: paths and servers are read below
// the root, the files that it includes, too.
func TestWithoutAManifestARootHasItsPacmanConf(t *testing.T) {
	b := newPackageBox(t)
	root := t.TempDir()
	if _, err := b.World(b.settings, Place{Root: root}); err == nil || !strings.Contains(err.Error(), "neither") {
		t.Errorf("an empty root: %v", err)
	}
	files := testTree{testkit.DirFiles{Dir: root}}
	put(t, files, "etc/pacman.conf", "[options]\nSigLevel = Never\nCacheDir = /srv/cache\n[core]\nInclude = /etc/pacman.d/mirror*\n")
	put(t, files, "etc/pacman.d/mirrorlist", "Server = file://"+b.repo+"\n")
	w, err := b.World(b.settings, Place{Root: root})
	b.check(err)
	b.change(w, "install", trans.Request{Targets: []string{"tool"}})
	for _, name := range []string{"usr/share/tool/version", "srv/cache/tool-1-1-any.pkg.tar.zst", dbPath + "/sync/core.db", dbPath + "/" + historyName} {
		if _, err := os.Stat(filepath.Join(root, name)); err != nil {
			t.Error(err)
		}
	}
	put(t, files, "etc/pacman.conf", "[options]\nParallelDownloads = 0\n")
	var coded interface{ ExitCode() int }
	if _, err = b.World(b.settings, Place{Root: root}); !errors.As(err, &coded) || coded.ExitCode() != 3 {
		t.Errorf("a mistake in pacman.conf: %v", err)
	}
}
