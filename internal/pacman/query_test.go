// SPDX-License-Identifier: GPL-3.0-or-later

package pacman_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestQueriesAsPacman asks both programs the same and compares every byte.
func TestQueriesAsPacman(t *testing.T) {
	w := newWorld(t)
	time.Local = time.UTC // as TZ=UTC is for pacman
	for _, line := range []string{
		"-Q", "-Qq", "-Q alpha", "-Q alpha gamma", "-Q nope", "-Q nope alpha", "-Q local/alpha", "-Q first", "-Q letter", "-Q first=2",
		"-Q beta>2:1", "-Qqe", "-Qd", "-Qqd", "-Qt", "-Qtt", "-Qdt", "-Qdtt", "-Qe", "-Qet", "-Qqm", "-Qn", "-Qm", "-Qu", "-Qqu", "-Qu beta",
		"-Qu alpha", "-Qi", "-Qi alpha", "-Qii alpha", "-Qii", "-Qi gamma first", "-Qil gamma", "-Ql", "-Ql beta", "-Qlq beta", "-Ql meta", "-Qlq nope",
		"-Qc alpha", "-Qc beta", "-Qci alpha", "-Qs", "-Qs letter", "-Qs g++", "-Qs FIRST", "-Qs ^a", "-Qs first newer", "-Qs fourth$", "-Qsq letter",
		"-Qs nothing-has-it", "-Qs (", "-Qs [[:alpha:]]lph", "-Qs .*.*", "-Qs \\w+elta", "-Qs greek", "-Qg", "-Qg greek", "-Qgq greek letters", "-Qg nope", "-Qge greek", "-Qgq",
		"-Qo usr/bin/alpha", "-Qo alpha", "-Qo beta delta", "-Qo nope", "-Qo /etc/passwd", "-Qo", "-Qp", "-Qo usr/bin",
		"-Qq alpha nope", "--query --explicit", "-Q --color always alpha", "-Qi --color=always beta", "-Qs --color always letter", "-Qg --color always greek",
		"-Ql --color always gamma", "-Qu --color always", "-Qm --color never", "-Qde", "-Qnm", "-Qsl", "-Qoi", "-Qgl", "-Qpg", "-Qz", "-Q --nodeps", "-Qy", "-Qw",
		"-Qv alpha", "-Qvv", "-Q --arch i686 --debugx", "-Q -- -x", "-Qr", "--root", "-QD", "-T", "-T alpha beta>1 nope gamma=2", "-Tq x", "-T first=1",
	} {
		w.same(strings.Fields(line)...)
	}
	root := w.root
	must(t, os.Symlink("bin", filepath.Join(root, "usr/link")))
	for _, args := range [][]string{
		{"-Qo", root + "/usr/bin/alpha"}, {"-Qo", root + "/usr/bin/a"}, {"-Qo", root + "/usr/bin/"}, {"-Qo", root + "/usr/bin"}, {"-Qo", root + "/usr/link/alpha"},
		{"-Qo", root + "/usr/link"}, {"-Qo", root + "/usr/link/"}, {"-Qo", "root/usr/bin/../bin/beta"}, {"-Qoq", root + "/usr/lib", root + "/nope"}, {"-Qo", root + "/nope/"},
		{"-Qo", root + "/usr/share/alpha/"}, {"-Qo", root + "/"}, {"-Qo", root}, {"-Qo", "/"}, {"-Qo", ""}, {"-Qo", root + "/etc/gone.conf"}, {"-Qo", root + "/usr/bin/alpha/"},
		{"-Qo", root + "/usr/."}, {"-Qo", root + "/usr/bin/.."}, {"-Qo", "--color", "always", root + "/usr/bin/alpha"},
		{"-Q", "pacman.conf"}, {"-Q", "-"}, {"-Qi", "--config", "/nope"}, {"-Q", "--dbpath", "/nope"}, {"-Q", "--root", "/nope"}, {"-Q", "--dbpath", "/etc/passwd"},
	} {
		w.same(args...)
	}
}

// TestFoldedAsPacman compares output that folds at the width of a terminal.
func TestFoldedAsPacman(t *testing.T) {
	w := newWorld(t)
	time.Local = time.UTC
	for _, columns := range []string{"1", "20", "40", "41", "60", "79", "80", "200"} {
		w.env = append(w.env[:3:3], "COLUMNS="+columns)
		for _, line := range []string{"-Qi", "-Qii alpha", "-Qs letter", "-Qs", "-Qvi alpha meta"} {
			w.same(strings.Fields(line)...)
		}
	}
}

// TestPackageFilesAsPacman asks about package files.
func TestPackageFilesAsPacman(t *testing.T) {
	w := newWorld(t)
	time.Local = time.UTC
	files, err := filepath.Glob(filepath.Join(w.dir, "packages/*.zst"))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(w.dir, "bad.pkg.tar.zst"), []byte("no package"), 0o644))
	for _, flags := range []string{"-Qp", "-Qpi", "-Qpii", "-Qpl", "-Qplq", "-Qpq", "-Qpc", "-Qpe", "-Qpd"} {
		w.same(append([]string{flags}, files...)...)
		w.same(flags, files[0], filepath.Join(w.dir, "nope.pkg.tar.zst"))
		w.same(flags, filepath.Join(w.dir, "bad.pkg.tar.zst"))
	}
}

// TestTargetsFromStdin: "-" stands for the lines of standard input.
func TestTargetsFromStdin(t *testing.T) {
	w := newWorld(t)
	for _, stdin := range []string{"alpha\nbeta\n", "alpha\n\nnope", "\n", ""} {
		theirs, ours := w.theirs(stdin, "-Q", "gamma", "-"), w.ours(stdin, "-Q", "gamma", "-")
		if theirs != ours {
			t.Errorf("stdin %q:\ntheirs %+v\nours   %+v", stdin, theirs, ours)
		}
	}
}
