// SPDX-License-Identifier: GPL-3.0-or-later

package image_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rastos/rastos/internal/testkit"
)

// TestImageByTheHostsLibalpm builds an image with the other package engine,
// and asks pacman what it thinks of it.
func TestImageByTheHostsLibalpm(t *testing.T) {
	w := newWorld(t)
	helper := testkit.NeedLibalpm(t)
	if beside := filepath.Join(filepath.Dir(w.binary), filepath.Base(helper)); beside != helper {
		w.env = append(w.env, "PATH="+filepath.Dir(helper)+":"+os.Getenv("PATH"))
	}
	w.system()
	w.packages = append(w.packages, "pacman-package-manager")
	w.engine = "libalpm"
	w.ok()
	b := &built{world: w, raw: w.path("out", "atlas.raw")}
	b.open()
	t.Run("pacman", func(t *testing.T) { b.as(t).pacman() })
	t.Run("modes", func(t *testing.T) { b.as(t).modes() })
}
