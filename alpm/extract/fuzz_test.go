// SPDX-License-Identifier: GPL-3.0-or-later

package extract_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/rastos/rastos/alpm/extract"
)

// unharmed checks what holds after any archive whatever.
func unharmed(t rapid.TB, base string) {
	t.Helper()
	if b, err := os.ReadFile(filepath.Join(base, "outside/sentinel")); err != nil || string(b) != "untouched" {
		t.Fatalf("the sentinel is %q, %v", b, err)
	}
	for _, dir := range []string{base, filepath.Join(base, "outside")} {
		list, err := os.ReadDir(dir)
		if err != nil || len(list) != map[bool]int{true: 2, false: 1}[dir == base] {
			t.Fatalf("%s holds %v, %v", dir, list, err)
		}
	}
	err := filepath.WalkDir(filepath.Join(base, "root"), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.Type()&^(fs.ModeDir|fs.ModeSymlink) != 0 {
			t.Fatalf("%s is a %v", path, d.Type())
		}
		if strings.HasPrefix(d.Name(), ".rastos-") {
			t.Fatalf("%s is left", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// playground makes a root with links in it that archives may try to use.
func playground(t rapid.TB, base string) (root string) {
	root = filepath.Join(base, "root")
	for _, err := range []error{
		os.MkdirAll(filepath.Join(root, "b"), 0o755),
		os.Mkdir(filepath.Join(base, "outside"), 0o755),
		os.WriteFile(filepath.Join(base, "outside/sentinel"), []byte("untouched"), 0o644),
		os.Symlink("../outside", filepath.Join(root, "out")),
		os.Symlink(filepath.Join(base, "outside"), filepath.Join(root, "abs")),
		os.Symlink("b", filepath.Join(root, "l")),
		os.Symlink("../outside/sentinel", filepath.Join(root, "b/s")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// TestAnyPackageStaysInside makes archives out of few names, so that they
// collide, and of every trick at once.
func TestAnyPackageStaysInside(t *testing.T) {
	component := rapid.SampledFrom([]string{"a", "b", "l", "s", "out", "abs", "sentinel", "..", ".", "", "c"})
	path := rapid.Custom(func(t *rapid.T) string {
		p := strings.Join(rapid.SliceOfN(component, 1, 4).Draw(t, "path"), "/")
		return rapid.SampledFrom([]string{"", "", "", "/", "./", "../"}).Draw(t, "prefix") + p
	})
	one := rapid.Custom(func(t *rapid.T) entry {
		e := entry{
			name: path.Draw(t, "name"),
			typ:  rapid.SampledFrom([]byte{tar.TypeReg, tar.TypeReg, tar.TypeDir, tar.TypeSymlink, tar.TypeLink, tar.TypeChar, tar.TypeFifo}).Draw(t, "type"),
			mode: rapid.Int64Range(0o700, 0o7777).Draw(t, "mode"),
			body: path.Draw(t, "body"),
		}
		if e.typ == tar.TypeDir && rapid.Bool().Draw(t, "slash") {
			e.name += "/"
		}
		return e
	})
	rapid.Check(t, func(rt *rapid.T) {
		base := t.TempDir()
		r, err := extract.OpenRoot(playground(rt, base))
		if err != nil {
			rt.Fatal(err)
		}
		for range 3 {
			var policy extract.Policy
			if rapid.Bool().Draw(rt, "policy") {
				d := extract.Decision{
					Skip: rapid.Bool().Draw(rt, "skip"), MD5: true, ReplaceLink: rapid.Bool().Draw(rt, "replace"),
					As: rapid.SampledFrom([]string{"", "x.pacnew", "b/y", "out/z"}).Draw(rt, "as"),
				}
				policy = func(*tar.Header) (extract.Decision, error) { return d, nil }
			}
			// Whether it is refused is not the question here.
			_, _ = r.Package(t.Context(), &headers{list: rapid.SliceOfN(one, 1, 8).Draw(rt, "package")}, policy)
		}
		if err := r.Close(); err != nil {
			rt.Fatal(err)
		}
		unharmed(rt, base)
	})
}

func FuzzPackage(f *testing.F) {
	f.Add(archive(f, dirEntry("a/"), file("a/f", "x"), symlink("a/l", "../.."), hardlink("h", "a/f"), file(".PKGINFO", "x")))
	made, err := os.Open("../pkgfile/testdata/makepkg.pkg.tar.gz")
	if err != nil {
		f.Fatal(err)
	}
	defer made.Close()
	plain, err := gzip.NewReader(made)
	if err != nil {
		f.Fatal(err)
	}
	real, err := io.ReadAll(plain)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(real)
	f.Add(archive(f, file("../outside/sentinel", "x")))
	f.Add(archive(f, symlink("c", "/"), file("c/f", "x")))
	f.Add(archive(f, entry{name: "x", typ: tar.TypeReg, body: "y", pax: map[string]string{"SCHILY.xattr.user.a": "b"}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		base := t.TempDir()
		r := openRoot(t, playground(t, base))
		_, _ = r.Package(t.Context(), limited{tar.NewReader(bytes.NewReader(data))}, nil)
		unharmed(t, base)
	})
}

// limited keeps sparse files from filling the disk; pkgfile's limits do so elsewhere.
type limited struct{ *tar.Reader }

func (l limited) Next() (*tar.Header, error) {
	for {
		h, err := l.Reader.Next()
		if err != nil || h.Size < 1<<20 {
			return h, err
		}
	}
}
