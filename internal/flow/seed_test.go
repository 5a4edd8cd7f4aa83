// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/rastos/rastos/internal/testkit"
)

func newSeeder(t *testing.T, programs Programs) (s *seeder, node, vol testTree) {
	t.Helper()
	node, top := newTree(t), newTree(t)
	if err := os.Mkdir(top.at("@var"), 0o755); err != nil {
		t.Fatal(err)
	}
	skip := map[string]bool{"var": true, "var/log": true, "var/lib/containers": true}
	m := &Machine{Programs: programs, Btrfs: cutBtrfs{testkit.NewFakeSubvolumes(t), &power{left: -1}}}
	return &seeder{m: m, ctx: t.Context(), node: node.Dir, top: top.Dir, skip: skip}, node, testTree{testkit.DirFiles{Dir: top.at("@var")}}
}

func TestSeedCopiesOnlyWhatIsMissing(t *testing.T) {
	s, node, vol := newSeeder(t, hostPrograms{})
	put(t, node, "var/lib/app/db", "factory")
	put(t, node, "var/lib/app/new", "factory")
	put(t, node, "var/lib/linked/x", "factory")
	put(t, node, "var/log/x", "factory")
	put(t, vol, "lib/app/db", "mine")
	put(t, vol, "lib/app/"+seedPrefix+"old", "half of a copy")
	outside := t.TempDir()
	if err := os.Symlink(outside, vol.at("lib/linked")); err != nil {
		t.Fatal(err)
	}
	if err := s.volume(volume{"@var", "var"}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"lib/app/db": "mine", "lib/app/new": "factory"} {
		if got, err := os.ReadFile(vol.at(name)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if info, err := vol.Lstat("log"); err != nil || !info.IsDir() {
		t.Errorf("the mount point of the inner volume: %v", err)
	}
	if _, err := vol.Lstat("log/x"); err == nil {
		t.Error("what belongs to the inner volume was copied into the outer")
	}
	if _, err := vol.Lstat("lib/app/" + seedPrefix + "old"); err == nil {
		t.Error("half of a copy was left")
	}
	if names, _ := os.ReadDir(outside); len(names) != 0 {
		t.Error("a link led out of the volume")
	}
}

// swapping puts a link in the place of a folder right before a copy into it.
type swapping struct{ dir, target string }

func (s swapping) Output(ctx context.Context, argv ...string) ([]byte, error) {
	if err := os.Rename(s.dir, s.dir+".away"); err != nil {
		return nil, err
	}
	if err := os.Symlink(s.target, s.dir); err != nil {
		return nil, err
	}
	return hostPrograms{}.Output(ctx, argv...)
}

func TestSeedIsNotLedAwayByALinkThatComesInBetween(t *testing.T) {
	outside := t.TempDir()
	s, node, vol := newSeeder(t, nil)
	s.m.Programs = swapping{vol.at("lib/app"), outside}
	put(t, node, "var/lib/app/new", "factory")
	put(t, vol, "lib/app/own", "mine")
	if err := s.volume(volume{"@var", "var"}); err != nil {
		t.Fatal(err)
	}
	if names, _ := os.ReadDir(outside); len(names) != 0 {
		t.Error("the copy went through the link")
	}
	if _, err := os.Stat(filepath.Join(vol.at("lib/app.away"), "new")); err != nil {
		t.Error(err)
	}
}
