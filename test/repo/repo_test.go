// SPDX-License-Identifier: GPL-3.0-or-later

// Package repo_test serves what `rastos repo` makes to the real pacman.
package repo_test

import (
	"archive/tar"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/pkgfile"
	"github.com/rastos/rastos/internal/testkit"
)

// site is a repository, and a pacman that trusts its key and no other.
type site struct {
	t              *testing.T
	binary         string
	dir, srv, root string
}

func newSite(t *testing.T) *site {
	t.Helper()
	testkit.Integration(t)
	testkit.NeedRoot(t)
	for _, tool := range []string{"pacman", "gpg"} {
		testkit.NeedTool(t, tool)
	}
	dir := t.TempDir()
	s := &site{t: t, binary: testkit.NeedBinary(t), dir: dir, srv: filepath.Join(dir, "srv"), root: filepath.Join(dir, "root")}
	for _, d := range []string{s.srv, filepath.Join(s.root, "var/lib/pacman"), filepath.Join(dir, "gnupg")} {
		s.must(os.MkdirAll(d, 0o700))
	}
	// The old kind of keyring, which pacman looks for.
	s.must(os.WriteFile(filepath.Join(dir, "gnupg/pubring.gpg"), nil, 0o600))
	s.must(os.WriteFile(filepath.Join(dir, "pacman.conf"), []byte("[options]\nArchitecture = auto\nSigLevel = Required\n"+
		"[site]\nServer = file://"+s.srv+"\n"), 0o644))
	return s
}

func (s *site) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// run runs a program in the repository's folder.
func (s *site) run(argv ...string) (string, error) {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = s.srv
	cmd.Env = append(os.Environ(), "LC_ALL=C", "RASTOS_CONFIG="+os.DevNull)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (s *site) ok(argv ...string) string {
	s.t.Helper()
	out, err := s.run(argv...)
	if err != nil {
		s.t.Fatalf("%v: %v\n%s", argv, err, out)
	}
	return out
}

func (s *site) rastos(args ...string) string {
	s.t.Helper()
	return s.ok(append([]string{s.binary, "repo"}, args...)...)
}

func (s *site) pacman(args ...string) (string, error) {
	return s.run(append([]string{"pacman", "--noconfirm", "--config", filepath.Join(s.dir, "pacman.conf"), "--root", s.root,
		"--dbpath", filepath.Join(s.root, "var/lib/pacman"), "--cachedir", filepath.Join(s.dir, "cache"), "--gpgdir", filepath.Join(s.dir, "gnupg"),
		"--hookdir", filepath.Join(s.dir, "hooks"), "--logfile", filepath.Join(s.dir, "log")}, args...)...)
}

// pkg makes an archive and returns its name.
func (s *site) pkg(name, version string) string {
	s.t.Helper()
	return s.pkgOf(name, version, name+" "+version+"\n")
}

// pkgOf is pkg with a file of that content.
func (s *site) pkgOf(name, version, text string) string {
	s.t.Helper()
	file := name + "-" + version + "-any.pkg.tar.zst"
	out, err := os.Create(filepath.Join(s.srv, file))
	s.must(err)
	defer out.Close()
	w, err := pkgfile.NewWriter(out, &desc.Package{
		Name: name, Base: name, Version: version, Arch: "any", Description: "For a test", Packager: "test",
	}, pkgfile.WriterOptions{Epoch: time.Unix(1700000000, 0)})
	s.must(err)
	s.must(w.Add(&tar.Header{Typeflag: tar.TypeReg, Name: "usr/share/" + name, Mode: 0o644, Size: int64(len(text))}, strings.NewReader(text)))
	s.must(w.Close())
	return file
}

// trust makes pacman trust the key that rastos made.
func (s *site) trust(key, fingerprint string) {
	s.t.Helper()
	home := filepath.Join(s.dir, "gnupg")
	s.ok("gpg", "--homedir", home, "--batch", "--import", key)
	cmd := exec.Command("gpg", "--homedir", home, "--batch", "--import-ownertrust")
	cmd.Stdin = strings.NewReader(fingerprint + ":6:\n")
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("%v: %s", err, out)
	}
}

func TestPacmanTakesWhatRastosSigned(t *testing.T) {
	s := newSite(t)
	out := s.rastos("add", "--json", "site.db.tar.gz", s.pkg("hello", "1.0-1"), s.pkg("bye", "1-1"), "--sign", "../site.key", "--new-key", "Site <site@example.org>")
	var res struct {
		Key    string   `json:"key"`
		Public string   `json:"public_key"`
		Signed []string `json:"signed"`
	}
	s.must(json.Unmarshal([]byte(out), &res))
	if len(res.Signed) != 2 {
		t.Errorf("signed: %v", res.Signed)
	}
	for _, f := range []string{"site.db.tar.gz", "site.files.tar.gz", "hello-1.0-1-any.pkg.tar.zst", "bye-1-1-any.pkg.tar.zst"} {
		if out, err := s.run("gpg", "--homedir", filepath.Join(s.dir, "gnupg"), "--batch", "--verify", f+".sig", f); err == nil {
			t.Fatalf("gpg verifies without the key: %s", out)
		}
	}
	if out, err := s.pacman("-Sy"); err == nil {
		t.Fatalf("pacman takes a database signed by a stranger:\n%s", out)
	}
	s.trust(res.Public, res.Key)
	for _, args := range [][]string{{"-Sy"}, {"-Fy"}, {"-S", "hello", "bye"}, {"-Qkk"}} {
		if out, err := s.pacman(args...); err != nil {
			t.Fatalf("pacman %v: %v\n%s", args, err, out)
		}
	}
	text, err := os.ReadFile(filepath.Join(s.root, "usr/share/hello"))
	if err != nil || string(text) != "hello 1.0-1\n" {
		t.Errorf("installed: %q, %v", text, err)
	}
	if out, _ := s.pacman("-Qi", "hello"); !strings.Contains(out, "Validated By    : Signature") {
		t.Errorf("-Qi:\n%s", out)
	}

	// The next version, and one that goes.
	s.rastos("add", "site.db.tar.gz", s.pkg("hello", "1.1-1"), "--sign", "../site.key", "--remove-old")
	s.rastos("remove", "site.db.tar.gz", "bye", "--sign", "../site.key", "--remove-old")
	if out, err := s.pacman("-Syyu"); err != nil || !strings.Contains(out, "hello-1.1-1") {
		t.Errorf("pacman -Syu: %v\n%s", err, out)
	}
	if out, err := s.pacman("-Sl"); err != nil || strings.TrimSpace(out) != "site hello 1.1-1 [installed]" {
		t.Errorf("pacman -Sl: %v\n%s", err, out)
	}
	if found, _ := filepath.Glob(filepath.Join(s.srv, "*.pkg.tar.zst*")); len(found) != 2 {
		t.Errorf("archives: %v", found)
	}
	if found, _ := filepath.Glob(filepath.Join(s.srv, ".*")); len(found) != 0 {
		t.Errorf("leftovers: %v", found)
	}
}

func TestEmptyRepositoryIsOneForPacman(t *testing.T) {
	s := newSite(t)
	out := s.rastos("create", "--json", "site.db.tar.zst", "--sign", "../site.key", "--new-key", "Site <site@example.org>")
	var res struct {
		Key    string `json:"key"`
		Public string `json:"public_key"`
	}
	s.must(json.Unmarshal([]byte(out), &res))
	s.trust(res.Public, res.Key)
	if out, err := s.pacman("-Sy"); err != nil {
		t.Errorf("pacman -Sy: %v\n%s", err, out)
	}
	if out, _ := s.pacman("-Sl"); strings.TrimSpace(out) != "" {
		t.Errorf("pacman -Sl: %s", out)
	}
}

// TestRepoAddGoesOn: repo-add works on a database of ours, and we on its.
func TestRepoAddGoesOn(t *testing.T) {
	s := newSite(t)
	testkit.NeedTool(t, "repo-add")
	s.rastos("add", "site.db.tar.gz", s.pkg("one", "1-1"))
	s.ok("repo-add", "--quiet", "site.db.tar.gz", s.pkg("two", "1-1"))
	s.rastos("add", "site.db.tar.gz", s.pkg("three", "1-1"))
	s.ok("repo-remove", "--quiet", "site.db.tar.gz", "one")
	list := s.ok("bsdtar", "-tf", "site.db")
	for name, there := range map[string]bool{"one": false, "two": true, "three": true} {
		if strings.Contains(list, name+"-1-1/desc") != there {
			t.Errorf("%s is wrong in\n%s", name, list)
		}
	}
}
