// SPDX-License-Identifier: GPL-3.0-or-later

package grove_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rastos/rastos/internal/testkit"
	"github.com/rastos/rastos/internal/testkit/grove"
)

func TestASeedGrowsTheSameTreeAgain(t *testing.T) {
	testkit.Integration(t)
	top := testkit.BtrfsDisk(t, 256)
	walk := func(name string) map[string]grove.File {
		root := filepath.Join(top, name)
		if err := os.Mkdir(root, 0o755); err != nil {
			t.Fatal(err)
		}
		g := grove.New(t, root, 7)
		g.Plant(40)
		g.Change(60)
		out := grove.Walk(t, root)
		for p, f := range out {
			f.Mtime = ""
			out[p] = f
		}
		return out
	}
	first := walk("a")
	if diff := cmp.Diff(first, walk("b")); diff != "" || len(first) < 30 {
		t.Errorf("%d files; -first +second:\n%s", len(first), diff)
	}
}
