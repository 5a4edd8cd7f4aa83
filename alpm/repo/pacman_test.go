// SPDX-License-Identifier: GPL-3.0-or-later

package repo_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/repo"
	"github.com/rastos/rastos/internal/testkit"
)

// TestPacmanInstallsFromOurs serves a repository that we built to the real
// pacman.
func TestPacmanInstallsFromOurs(t *testing.T) {
	testkit.NeedTool(t, "pacman")
	testkit.NeedRoot(t)
	srv, root := t.TempDir(), t.TempDir()
	var paths []string
	for _, name := range []string{"alpha", "beta"} {
		paths = append(paths, makePackage(t, srv, name, "1:1.0-1", func(p *desc.Package) {
			p.Depends = nil
			if name == "beta" {
				p.Depends = []string{"alpha>=1:1", "virtual=1:2"}
			}
		}))
	}
	for _, suffix := range []string{"tar.gz", "tar.zst", "tar"} {
		_, err := repo.Add(t.Context(), filepath.Join(srv, strings.ReplaceAll(suffix, ".", "")+".db."+suffix), paths, repo.Options{NoMD5: suffix == "tar"})
		must(t, err)
	}
	must(t, os.MkdirAll(filepath.Join(root, "var/lib/pacman"), 0o755))
	conf := filepath.Join(root, "pacman.conf")
	text := "[options]\nArchitecture = auto\nSigLevel = Never\n"
	for _, name := range []string{"targz", "tarzst", "tar"} {
		text += "[" + name + "]\nServer = file://" + srv + "\n"
	}
	must(t, os.WriteFile(conf, []byte(text), 0o644))
	pacman := func(args ...string) string {
		t.Helper()
		args = append([]string{"--noconfirm", "--config", conf, "--root", root, "--dbpath", filepath.Join(root, "var/lib/pacman"),
			"--cachedir", filepath.Join(root, "cache"), "--hookdir", filepath.Join(root, "hooks"), "--logfile", filepath.Join(root, "log")}, args...)
		cmd := exec.Command("pacman", args...)
		cmd.Env = []string{"LC_ALL=C", "PATH=/usr/bin:/bin:/usr/sbin:/sbin"}
		out, err := cmd.CombinedOutput()
		if err != nil || strings.Contains(string(out), "error:") {
			t.Fatalf("pacman %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	pacman("-Sy")
	pacman("-Fy")
	for _, name := range []string{"targz", "tarzst", "tar"} {
		if out := pacman("-Si", name+"/beta"); !strings.Contains(out, "alpha>=1:1  virtual=1:2") {
			t.Errorf("-Si %s/beta: %s", name, out)
		}
		if out := pacman("-Fl", name+"/alpha"); !strings.Contains(out, "usr/share/alpha/b c") {
			t.Errorf("-Fl %s/alpha: %s", name, out)
		}
		if out := pacman("-S", name+"/beta"); !strings.Contains(out, "installing beta") && !strings.Contains(out, "reinstalling beta") {
			t.Errorf("-S %s/beta: %s", name, out)
		}
	}
	if out := pacman("-Qkk"); strings.Count(out, " 0 altered files") != 2 {
		t.Errorf("-Qkk: %s", out)
	}
}
