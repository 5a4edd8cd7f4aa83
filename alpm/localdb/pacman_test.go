// SPDX-License-Identifier: GPL-3.0-or-later

package localdb_test

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/localdb"
	"github.com/rastos/rastos/alpm/pkgfile"
	"github.com/rastos/rastos/internal/testkit"
)

// root is a system root for the real pacman.
type root struct {
	t   *testing.T
	dir string
}

func newRoot(t *testing.T) root {
	t.Helper()
	testkit.NeedTool(t, "pacman")
	testkit.NeedRoot(t)
	r := root{t, t.TempDir()}
	must(t, os.MkdirAll(filepath.Join(r.dir, "var/lib/pacman"), 0o755))
	must(t, os.WriteFile(filepath.Join(r.dir, "pacman.conf"), []byte("[options]\nArchitecture = auto\nLocalFileSigLevel = Never\n"), 0o644))
	return r
}

func (r root) local() string { return filepath.Join(r.dir, "var/lib/pacman/local") }

// pacman runs the real one; it must end well and without a complaint.
func (r root) pacman(args ...string) string {
	r.t.Helper()
	args = append([]string{"--noconfirm", "--config", filepath.Join(r.dir, "pacman.conf"), "--root", r.dir,
		"--dbpath", filepath.Join(r.dir, "var/lib/pacman"), "--cachedir", filepath.Join(r.dir, "cache"),
		"--hookdir", filepath.Join(r.dir, "hooks"), "--logfile", filepath.Join(r.dir, "log")}, args...)
	cmd := exec.Command("pacman", args...)
	cmd.Env = []string{"LC_ALL=C", "TZ=UTC", "PATH=/usr/bin:/bin:/usr/sbin:/sbin"}
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Contains(string(out), "error:") {
		r.t.Fatalf("pacman %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// build writes a package with two files and returns its path.
func build(t *testing.T, info *desc.Package) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), info.Entry()+"-any.pkg.tar.zst")
	f, err := os.Create(path)
	must(t, err)
	defer f.Close()
	w, err := pkgfile.NewWriter(f, info, pkgfile.WriterOptions{Epoch: time.Unix(1643730617, 0), Install: []byte("# no function: there is no shell\n"), Changelog: []byte("none\n")})
	must(t, err)
	for _, name := range []string{"etc/" + info.Name + ".conf", "usr/share/" + info.Name + "/data"} {
		must(t, w.Add(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: 2}, strings.NewReader("a\n")))
	}
	must(t, w.Close())
	return path
}

func info(name string) *desc.Package {
	return &desc.Package{
		Name: name, Base: name + "base", Version: "1:2.0-3", Description: "What " + name + " is", URL: "https://example.org",
		Arch: "any", Packager: "Nobody <nobody@example.org>", Licenses: []string{"MIT", "custom:x"}, Groups: []string{"g", "h"},
		Provides: []string{"virtual=1"}, Conflicts: []string{"enemy"}, Replaces: []string{"old"},
		OptDepends: []string{"extra: for more"}, Backup: []desc.Backup{{Path: "etc/" + name + ".conf"}},
		BuildDate: 1643730617, InstalledSize: 4,
	}
}

func TestWhatPacmanInstalledIsRead(t *testing.T) {
	r := newRoot(t)
	r.pacman("-U", "--asdeps", build(t, info("foo")), build(t, info("foo-bar")))
	db := open(t, r.local(), localdb.Options{})
	for _, name := range []string{"foo", "foo-bar"} {
		got := db.Package(name)
		if got == nil {
			t.Fatalf("%s is not there", name)
		}
		must(t, db.LoadFiles(got))
		want := info(name)
		want.InstallDate, want.Reason, want.Validation = got.InstallDate, desc.Depend, []string{"none"}
		want.Files = []string{"etc/", "etc/" + name + ".conf", "usr/", "usr/share/", "usr/share/" + name + "/", "usr/share/" + name + "/data"}
		want.Backup[0].MD5 = "60b725f10c9c85c70d97880dfe8191b3"
		want.XData = got.XData // pacman 7 keeps it, pacman 6 does not
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		for _, file := range []string{"desc", "files"} { // ours would have the same bytes
			theirs, err := os.ReadFile(filepath.Join(r.local(), got.Entry(), file))
			must(t, err)
			ours, err := desc.EncodeLocal(got)
			if file == "files" {
				ours, err = desc.EncodeFiles(got)
			}
			must(t, err)
			if diff := cmp.Diff(string(theirs), string(ours)); diff != "" {
				t.Errorf("%s of %s (-pacman +ours): %s", file, name, diff)
			}
		}
	}
}

// TestPacmanGoesOnWithOurs lets the real pacman install one package, writes
// the very same into another root by hand, and asks pacman about both.
func TestPacmanGoesOnWithOurs(t *testing.T) {
	both(t, func(t *testing.T, opt localdb.Options) {
		path := build(t, info("foo"))
		theirs, ours := newRoot(t), newRoot(t)
		theirs.pacman("-U", path)
		install(t, ours, path, opt)
		for _, query := range [][]string{{"-Qi", "foo"}, {"-Qii", "foo"}, {"-Ql", "foo"}, {"-Qc", "foo"}, {"-Qg"}, {"-Dk"}, {"-Qkk"}, {"-Qe"}} {
			if diff := cmp.Diff(plain(theirs, theirs.pacman(query...)), plain(ours, ours.pacman(query...))); diff != "" {
				t.Errorf("pacman %v (-theirs +ours): %s", query, diff)
			}
		}
		if out := ours.pacman("-Qkk"); !strings.Contains(out, "0 altered files") {
			t.Errorf("-Qkk: %s", out)
		}
		// pacman changes what we wrote, and we what pacman wrote.
		ours.pacman("-D", "--asdeps", "foo")
		newer := info("foo")
		newer.Version = "1:3.0-1"
		ours.pacman("-U", build(t, newer))
		db := open(t, ours.local(), opt)
		if p := db.Package("foo"); p == nil || p.Version != "1:3.0-1" || p.Reason != desc.Depend {
			t.Fatalf("after pacman's changes: %+v", p)
		}
		must(t, db.SetReason("foo", desc.Explicit))
		ours.pacman("-Dk")
		if out := ours.pacman("-Qe"); !strings.Contains(out, "foo 1:3.0-1") {
			t.Errorf("-Qe: %s", out)
		}
		ours.pacman("-R", "foo")
		entries(t, ours.local(), "ALPM_DB_VERSION")
	})
}

// plain takes out what differs between two roots.
func plain(r root, out string) string {
	out = strings.ReplaceAll(out, r.dir, "ROOT")
	return regexp.MustCompile(`(?m)^Install Date.*|^Validated By.*`).ReplaceAllString(out, "")
}

// install does what a transaction does, in a few lines.
func install(t *testing.T, r root, path string, opt localdb.Options) {
	t.Helper()
	p, err := pkgfile.LoadInfo(path)
	must(t, err)
	data, err := os.ReadFile(path)
	must(t, err)
	rd, err := pkgfile.NewReader(bytes.NewReader(data), pkgfile.Limits{})
	must(t, err)
	defer rd.Close()
	extra := make(map[string][]byte)
	keep := map[string]string{".MTREE": "mtree", ".INSTALL": "install", ".CHANGELOG": "changelog"}
	for {
		h, err := rd.Next()
		if err == io.EOF {
			break
		}
		must(t, err)
		target := filepath.Join(r.dir, h.Name)
		switch {
		case strings.HasPrefix(h.Name, "."):
			if name := keep[h.Name]; name != "" {
				extra[name], err = pkgfile.ReadMeta(rd, h)
				must(t, err)
			}
		case h.Typeflag == tar.TypeDir:
			must(t, os.MkdirAll(target, 0o755))
		default:
			text, err := io.ReadAll(rd)
			must(t, err)
			must(t, os.WriteFile(target, text, 0o644))
			must(t, os.Chtimes(target, h.ModTime, h.ModTime))
		}
	}
	p.Filename, p.CompressedSize, p.InstallDate, p.Validation = "", 0, 1700000000, []string{"sha256"}
	p.Backup[0].MD5 = "60b725f10c9c85c70d97880dfe8191b3"
	must(t, open(t, r.local(), opt).Add(p, extra))
}
