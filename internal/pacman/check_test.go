// SPDX-License-Identifier: GPL-3.0-or-later

package pacman_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestChecksAsPacman damages a root in every way that -Qkk looks for.
func TestChecksAsPacman(t *testing.T) {
	w := newWorld(t)
	time.Local = time.UTC
	files, err := filepath.Glob(filepath.Join(w.dir, "packages/*.zst"))
	must(t, err)
	ask := func() {
		t.Helper()
		for _, line := range []string{"-Qk", "-Qkk", "-Qkq", "-Qkkq", "-Qkk alpha", "-Qkk nope beta", "-Qkkil alpha", "-Qkke", "-Qkkd --color always", "-Qkkqd"} {
			w.same(strings.Fields(line)...)
		}
		for _, flags := range []string{"-Qpk", "-Qpkk"} {
			w.same(append([]string{flags}, files...)...)
		}
	}
	ask()
	at := func(name string) string { return filepath.Join(w.root, name) }
	must(t, os.Remove(at("usr/bin/beta")))
	must(t, os.Remove(at("usr/bin/a")))
	must(t, os.Symlink("elsewhere", at("usr/bin/a")))
	must(t, os.Chmod(at("usr/bin/alpha"), 0o4711))
	must(t, os.Chown(at("usr/bin/alpha"), 12, 34))
	must(t, os.WriteFile(at("etc/alpha.conf"), []byte("much longer than it was\n"), 0o644))
	must(t, os.WriteFile(at("usr/lib/libgamma.so"), []byte("G"), 0o644))
	must(t, os.Remove(at("usr/share/delta/data")))
	must(t, os.Mkdir(at("usr/share/delta/data"), 0o755))
	must(t, os.Remove(at("usr/share/alpha")))
	must(t, os.WriteFile(at("usr/share/alpha"), nil, 0o644))
	must(t, os.Remove(filepath.Join(w.root, "var/lib/pacman/local/meta-1-1/mtree")))
	must(t, os.Remove(filepath.Join(w.root, "var/lib/pacman/local/alpha-1.0-1/changelog")))
	ask()
}
