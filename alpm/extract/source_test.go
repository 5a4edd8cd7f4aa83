// SPDX-License-Identifier: GPL-3.0-or-later

package extract_test

import (
	"archive/tar"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/extract"
	"github.com/rastos/rastos/alpm/pkgfile"
	"github.com/rastos/rastos/internal/testkit"
)

var (
	_ extract.Source = (*pkgfile.Reader)(nil)
	_ extract.Source = (*tar.Reader)(nil)
)

// realPackage is a compressed package with everything that packages have.
func realPackage(t *testing.T, version string, body string) []byte {
	t.Helper()
	var buf bytes.Buffer
	w, err := pkgfile.NewWriter(&buf, &desc.Package{Name: "p", Base: "p", Version: version, Description: "x", Arch: "any", BuildDate: day.Unix()},
		pkgfile.WriterOptions{Compression: "zst", Epoch: day, Install: []byte("post_install() { :; }\n")})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []entry{
		dirEntry("etc/"), file("etc/conf", body), file("etc/again", "same"),
		{name: "opt/", typ: tar.TypeDir, mode: 0o2775, gid: 50}, {name: "opt/su", typ: tar.TypeReg, body: body, mode: 0o6755, uid: 3, gid: 9},
		{name: "opt/world", typ: tar.TypeReg, body: body, mode: 0o666}, hardlink("opt/world2", "opt/world"),
		{name: "opt/ping", typ: tar.TypeReg, body: body, mode: 0o755, pax: map[string]string{"SCHILY.xattr.security.capability": capability}},
		symlink("opt/relative", "../etc/conf"), symlink("opt/absolute", "/etc/"+version), symlink("opt/dead", "nowhere"),
		dirEntry("tmp/"), file("tmp/name with spaces and ümlaut", strings.Repeat(body, 99999)),
	} {
		h := e.header()
		h.Format = tar.FormatUnknown
		var r *strings.Reader
		if h.Size > 0 {
			r = strings.NewReader(e.body)
		} else {
			r = strings.NewReader("")
		}
		if err := w.Add(h, r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

const capability = "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

// TestSameAsPacman installs a package and then another version over it.
func TestSameAsPacman(t *testing.T) {
	testkit.NeedRoot(t)
	pacman := testkit.NeedTool(t, "pacman")
	theirs, ours := t.TempDir(), t.TempDir()
	db := filepath.Join(t.TempDir(), "db")
	conf := filepath.Join(t.TempDir(), "pacman.conf")
	write(t, "9\n", db, "local/ALPM_DB_VERSION")
	write(t, "[options]\nArchitecture = x86_64\nLocalFileSigLevel = Never\n", conf)
	r := openRoot(t, ours)
	for i, version := range []string{"1-1", "2-1"} {
		for _, root := range []string{theirs, ours} {
			if i == 1 { // what the person changed in between
				if err := os.Chmod(filepath.Join(root, "etc"), 0o700); err != nil {
					t.Fatal(err)
				}
			}
		}
		data := realPackage(t, version, "version "+version)
		path := filepath.Join(t.TempDir(), "p-"+version+"-any.pkg.tar.zst")
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(pacman, "-U", "--noconfirm", "--noscriptlet", "--root", theirs, "--config", conf, "--dbpath", db,
			"--logfile", "/dev/null", "--hookdir", t.TempDir(), "--cachedir", t.TempDir(), path)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("pacman: %v\n%s", err, out)
		}
		src, err := pkgfile.NewReader(bytes.NewReader(data), pkgfile.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		res, err := r.Package(t.Context(), src, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(res.Meta) != 4 || !strings.Contains(string(res.Meta[".PKGINFO"]), "pkgver = "+version) {
			t.Errorf("%d pieces of metadata", len(res.Meta))
		}
		if got, want := withoutDirTimes(fullListing(t, ours)), withoutDirTimes(fullListing(t, theirs)); got != want {
			t.Errorf("version %s\npacman:\n%s\nours:\n%s", version, want, got)
		}
	}
}

// withoutDirTimes leaves out what a second version does to the times of
// directories: pacman's own unlink and rename count there too.
func withoutDirTimes(list string) string {
	var kept []string
	for _, line := range strings.Split(list, "\n") {
		if strings.HasPrefix(line, "/etc 0:0") || strings.HasPrefix(line, "/opt ") || strings.HasPrefix(line, "/tmp 0:0") {
			line = strings.Join(strings.Fields(line)[:2], " ")
		}
		kept = append(kept, line)
	}
	return strings.Join(kept, "\n")
}
