// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rastos/rastos/btrfs"
)

func TestSizesTellWhatComesBack(t *testing.T) {
	b := newBox(t, 0)
	subs := []btrfs.Subvolume{
		{ID: 5}, {ID: 256, Path: "@rastos/nodes/1/root", ReadOnly: true, UUID: btrfs.UUID{1}, Generation: 7},
		{ID: 257, Path: "@rastos/nodes/12/root", ReadOnly: true, UUID: btrfs.UUID{2}, Generation: 8},
		{ID: 258, Path: "@rastos/deploy/1/etc.0"}, {ID: 259, Path: "@rastos/deploy/1/etc.from"}, {ID: 260, Path: "@home"},
	}
	extents := map[uint64][]btrfs.Extent{
		256: {{Start: 100, Size: 10}, {Start: 200, Size: 20}, {Start: 300, Size: 40}}, // its own, the other node's, a reflink in @home
		257: {{Start: 200, Size: 20}},
		258: {{Start: 400, Size: 80}}, 259: {{Start: 400, Size: 80}}, // one deployment's, twice
		260: {{Start: 300, Size: 40}, {Start: 500, Size: 160}},
	}
	asked := 0
	b.Subvolumes = func(string) ([]btrfs.Subvolume, error) { return subs, nil }
	b.Extents = func(_ string, id uint64) (btrfs.Extents, error) {
		asked++
		return btrfs.Extents{Referenced: id, List: extents[id]}, nil
	}
	s := Settings{CacheDir: t.TempDir()}
	want := SpaceUse{
		Nodes: []SpaceShare{
			{Number: 1, Referenced: 256, Size: 70, Exclusive: 10, Shared: 60}, {Number: 12, Referenced: 257, Size: 20, Shared: 20},
		},
		Deployments: []SpaceShare{{Number: 1, Referenced: 258 + 259, Size: 80, Exclusive: 80}},
		Together:    SpaceShare{Number: 2, Referenced: 256 + 257, Size: 70, Exclusive: 30, Shared: 40},
	}
	for range 2 {
		got, err := b.Use(s)
		b.check(err)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	// The sealed ones were read once; of one that is gone nothing stays, and what
	// is damaged is read again.
	if asked != 6+4 {
		t.Errorf("%d subvolumes were read", asked)
	}
	subs = append(subs[:1], subs[2:]...)
	entries, err := os.ReadDir(filepath.Join(s.CacheDir, "extents"))
	b.check(err)
	for _, e := range entries {
		b.check(os.WriteFile(filepath.Join(s.CacheDir, "extents", e.Name()), []byte("damaged"), 0o600))
	}
	got, err := b.Use(s)
	b.check(err)
	if entries, err = os.ReadDir(filepath.Join(s.CacheDir, "extents")); err != nil || len(entries) != 1 || len(got.Nodes) != 1 || got.Nodes[0].Exclusive != 20 {
		t.Errorf("%d kept, %+v, %v", len(entries), got.Nodes, err)
	}
}
