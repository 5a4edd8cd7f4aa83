// SPDX-License-Identifier: GPL-3.0-or-later

package pacman_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rastos/rastos/internal/pacman"
)

// TestDatabaseAsPacman compares what -D does and says, and what it leaves.
func TestDatabaseAsPacman(t *testing.T) {
	w := newWorld(t)
	for _, line := range []string{
		"-Dk", "-Dkq", "-Dkk", "-Dkkq", "-D", "-D alpha", "-D --asdeps", "-D --asdeps --asexplicit alpha", "-Dk --asdeps", "-Dk --asexplicit alpha",
		"-D --asdeps alpha beta", "-D --asdeps alpha", "-D --asexplicit alpha nope", "-Dq --asdeps gamma", "-D --asexplicit first", "-Dd", "-D --needed",
	} {
		w.same(strings.Fields(line)...)
	}
	local := filepath.Join(w.root, "var/lib/pacman/local")
	desc := filepath.Join(local, "alpha-1.0-1/desc")
	reset := func() { must(t, os.WriteFile(desc, mustRead(t, desc), 0o644)) }
	for _, reason := range []string{"--asdeps", "--asexplicit"} {
		w.theirs("", "-D", reason, "alpha")
		want := string(mustRead(t, desc))
		w.ours("", "-D", map[string]string{"--asdeps": "--asexplicit", "--asexplicit": "--asdeps"}[reason], "alpha")
		w.ours("", "-D", reason, "alpha")
		if diff := cmp.Diff(want, string(mustRead(t, desc))); diff != "" {
			t.Errorf("%s: alpha's desc (-theirs +ours):\n%s", reason, diff)
		}
	}
	reset()
	must(t, os.WriteFile(filepath.Join(w.root, "var/lib/pacman/db.lck"), nil, 0o600))
	w.same("-D", "--asdeps", "alpha")
	var errs strings.Builder
	pacman.Main(t.Context(), w.app(strings.NewReader(""), io.Discard, &errs), w.args([]string{"-D", "--asdeps", "alpha"}))
	if !strings.Contains(errs.String(), saysMore) {
		t.Errorf("of a lock that nobody holds: %s", errs.String())
	}
	must(t, os.Remove(filepath.Join(w.root, "var/lib/pacman/db.lck")))

	// A database with every mistake that is looked for.
	edit := func(name, old, new string) {
		path := filepath.Join(local, name)
		text := string(mustRead(t, path))
		if !strings.Contains(text, old) {
			t.Fatalf("%s does not hold %q", path, old)
		}
		must(t, os.WriteFile(path, []byte(strings.Replace(text, old, new, 1)), 0o644))
	}
	edit("alpha-1.0-1/desc", "beta>=1\n", "beta>=9\nno-such\n")
	edit("alpha-1.0-1/desc", "omega<2\n", "beta\nletter\ngamma<2\nlibgamma.so\n")
	edit("beta-2:1.5-2/files", "usr/bin/beta\n", "usr/bin/alpha\nusr/bin/beta\n")
	w.same("-Dk")
	w.same("-Dkq")
	must(t, os.Remove(filepath.Join(local, "gamma-3-1/desc")))
	must(t, os.Remove(filepath.Join(local, "meta-1-1/files")))
	w.same("-Dk")
}

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	return data
}

// TestNoDatabaseAsPacman: where nothing was ever installed, nothing is wrong.
// pacman makes the directory for it before it looks, ours does not.
func TestNoDatabaseAsPacman(t *testing.T) {
	w := newWorld(t)
	for _, line := range []string{"-Dk", "-Dkk", "-Q", "-Qi", "-Qk", "-Q nope", "-T nope", "-D --asdeps nope", "-Qu"} {
		args := append([]string{"--dbpath", t.TempDir()}, strings.Fields(line)...)
		ours, theirs := w.ours("", args...), w.theirs("", args...)
		if diff := cmp.Diff(theirs, ours, cmp.AllowUnexported(outcome{})); diff != "" {
			t.Errorf("%s (-theirs +ours):\n%s", line, diff)
		}
	}
}

// TestFilesAsPacman compares -F on the databases of files.
func TestFilesAsPacman(t *testing.T) {
	w := newWorld(t)
	for _, line := range []string{
		"-F", "-F alpha", "-F alpha beta", "-F /usr/bin/alpha", "-F usr/bin/alpha", "-F usr/bin/", "-F usr/bin", "-F //usr/bin/beta nope", "-F nope", "-Fq alpha",
		"-Fx alph", "-Fx ^a", "-Fx weird+", "-Fx weird\\+n", "-Fx bin/.*a$", "-Fx (", "-Fxq .", "-F --machinereadable alpha", "-F --machinereadable usr/bin/alpha",
		"-Fl", "-Flq", "-Fl alpha", "-Fl extra/alpha core/alpha", "-Fl extra/beta", "-Fl extra/", "-Fl nope beta", "-Fl --machinereadable gamma", "-Fl --color always beta",
		"-F --color always alpha", "-F --color always usr/bin/alpha", "-Flx alpha", "-Fi", "-Fs x", "-Fo",
	} {
		w.same(strings.Fields(line)...)
	}
	must(t, os.Remove(filepath.Join(w.root, "var/lib/pacman/sync/extra.files")))
	w.same("-F", "alpha")
	w.same("-Fl")
	must(t, os.Remove(filepath.Join(w.root, "var/lib/pacman/sync/core.db")))
	for _, line := range []string{"-Qu", "-Qm", "-Qn", "-Dkk", "-Q"} {
		w.same(line)
	}
	must(t, os.WriteFile(w.conf, []byte("[options]\nDBPath = "+w.root+"/var/lib/pacman\nWrong = 1\n"), 0o644))
	for _, line := range []string{"-F alpha", "-Qu", "-Qm", "-Dkk", "-Fl"} {
		w.same(strings.Fields(line)...)
	}
	for _, line := range []string{"SigLevel = Often Never Seldom", "CleanMethod = All", "ParallelDownloads = 0", "ParallelDownloads = x", "[extra]\nServer",
		"[extra]\nUsage = Sync Nothing", "[extra]\nServer = http://x/$arch", "Include", "Include = /nope/*", "[a/b]\n[local]\n[x]\n[x]", "XferCommand = 'a"} {
		must(t, os.WriteFile(w.conf, []byte("[options]\n"+line+"\nDBPath = "+w.root+"/var/lib/pacman\n"), 0o644))
		w.same("-Q", "alpha")
	}
}
