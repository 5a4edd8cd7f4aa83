// SPDX-License-Identifier: GPL-3.0-or-later

package debian

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rastos/rastos/internal/testkit"
)

// inOrder are versions from old to new; equal ones are joined by "==".
var inOrder = []string{
	"0~~1", "0~rc1", "0", "0.9", "1.0~beta1-1", "1.0~rc1-1", "1.0~rc1-1+b1", "1.0-1~bpo11+1", "1.0-1 == 1.00-01", "1.0-1+b1",
	"1.0-1+deb12u1", "1.0-1+deb12u10", "1.0-1.1", "1.0-2", "1.0a-1", "1.0p1-1", "1.0+dfsg-1", "1.0.1-1", "1.9", "1.10",
	"1:0.1", "1:0.1-1", "2:0",
}

func TestCompareOrdersAsDeclared(t *testing.T) {
	for i, a := range inOrder {
		for j, b := range inOrder {
			for _, x := range strings.Split(a, " == ") {
				for _, y := range strings.Split(b, " == ") {
					if got, want := sign(Compare(x, y)), sign(i-j); got != want {
						t.Errorf("Compare(%q, %q) = %d, want %d", x, y, got, want)
					}
				}
			}
		}
	}
}

func TestCompareAgreesWithDpkg(t *testing.T) {
	dpkg := testkit.NeedTool(t, "dpkg")
	for i := range len(inOrder) - 1 {
		a, _, _ := strings.Cut(inOrder[i], " == ")
		b, _, _ := strings.Cut(inOrder[i+1], " == ")
		older := exec.Command(dpkg, "--compare-versions", a, "lt", b).Run() == nil
		if got := Compare(a, b) < 0; got != older {
			t.Errorf("%q < %q: %v, dpkg says %v", a, b, got, older)
		}
	}
}

func sign(n int) int { return min(1, max(-1, n)) }

func FuzzCompare(f *testing.F) {
	for _, v := range inOrder {
		f.Add(v, "1.0-1")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if sign(Compare(a, b)) != -sign(Compare(b, a)) || Compare(a, a) != 0 {
			t.Errorf("no order between %q and %q", a, b)
		}
	})
}

func TestReadParagraphs(t *testing.T) {
	got, err := ReadParagraphs(strings.NewReader("Package: a\nDescription: short\n long\n .\n more\n\n\n# note\nPackage:b\nDepends: c,\n d\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []Paragraph{
		{"Package": "a", "Description": "short\nlong\n.\nmore"},
		{"Package": "b", "Depends": "c,\nd"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, bad := range []string{" lost\n", "no field\n", ": value\n"} {
		if _, err := ReadParagraphs(strings.NewReader(bad)); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func FuzzReadParagraphs(f *testing.F) {
	f.Add("Package: a\n b\n\nPackage: c\n")
	f.Fuzz(func(t *testing.T, text string) {
		all, err := ReadParagraphs(strings.NewReader(text))
		if err != nil {
			return
		}
		for _, p := range all {
			if len(p) == 0 {
				t.Error("an empty paragraph")
			}
		}
	})
}

func TestParseRelations(t *testing.T) {
	got, err := ParseRelations("libc6 (>= 2.36), a:any | b (<<1:2~) [amd64],\n c (= 1) <!nocheck>, old (< 3),")
	if err != nil {
		t.Fatal(err)
	}
	want := [][]Relation{
		{{"libc6", ">=", "2.36"}},
		{{"a", "", ""}, {"b", "<<", "1:2~"}},
		{{"c", "=", "1"}},
		{{"old", "<=", "3"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, bad := range []string{"a (>= 1", "a (~ 1)", "a (>=)", "|", "a b", "(= 1)"} {
		if _, err := ParseRelations(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func FuzzParseRelations(f *testing.F) {
	f.Add("a (>= 1) | b, c:any")
	f.Fuzz(func(t *testing.T, text string) {
		groups, err := ParseRelations(text)
		if err != nil {
			return
		}
		for _, group := range groups {
			for _, r := range group {
				if r.Name == "" || (r.Op == "") != (r.Version == "") {
					t.Errorf("%q gives %+v", text, r)
				}
			}
		}
	})
}

// build makes a package with dpkg-deb and returns its path.
func build(t *testing.T, compression string) string {
	t.Helper()
	program := testkit.NeedTool(t, "dpkg-deb")
	dir := t.TempDir()
	put := func(name, text string, mode os.FileMode) {
		t.Helper()
		path := filepath.Join(dir, "tree", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	put("DEBIAN/control", "Package: sample\nVersion: 1:2.0-3\nArchitecture: all\nMaintainer: A <a@b>\nDescription: a sample\n", 0o644)
	put("DEBIAN/conffiles", "/etc/sample.conf\n", 0o644)
	put("DEBIAN/postinst", "#!/bin/sh\nexit 0\n", 0o755)
	put("etc/sample.conf", "x=1\n", 0o644)
	put("usr/bin/sample", strings.Repeat("sample text that packs well\n", 20000), 0o755)
	out := filepath.Join(dir, "sample.deb")
	cmd := exec.Command(program, "--root-owner-group", "-Z"+compression, "--build", filepath.Join(dir, "tree"), out)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("dpkg-deb: %v: %s", err, text)
	}
	return out
}

func TestReadsWhatDpkgDebMakes(t *testing.T) {
	for _, compression := range []string{"xz", "zstd", "gzip", "none"} {
		t.Run(compression, func(t *testing.T) {
			a, err := Open(build(t, compression))
			if err != nil {
				t.Fatal(err)
			}
			defer a.Close()
			c, err := a.Control()
			if err != nil {
				t.Fatal(err)
			}
			if c.Paragraph["Version"] != "1:2.0-3" || cmp.Diff(c.Conffiles, []string{"/etc/sample.conf"}) != "" ||
				c.Scripts["postinst"] != "#!/bin/sh\nexit 0\n" {
				t.Errorf("control: %+v", c)
			}
			sizes := make(map[string]int64)
			if err := a.Files(func(h *tar.Header, r io.Reader) error {
				n, err := io.Copy(io.Discard, r)
				if h.Typeflag == tar.TypeReg {
					sizes[h.Name] = n
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
			want := map[string]int64{"./etc/sample.conf": 4, "./usr/bin/sample": 560000}
			if diff := cmp.Diff(want, sizes); diff != "" {
				t.Error(diff)
			}
			if a.Built.IsZero() {
				t.Error("no date")
			}
		})
	}
}

func TestRefusesDamagedArchives(t *testing.T) {
	whole, err := os.ReadFile(build(t, "gzip"))
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"empty":     nil,
		"no ar":     []byte("<html>not found</html>"),
		"no data":   whole[:200],
		"cut off":   whole[:len(whole)-500],
		"bad count": []byte(strings.Replace(string(whole), "`\n2.0", "xx2.0", 1)),
	} {
		path := filepath.Join(t.TempDir(), "x.deb")
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		a, err := Open(path)
		if err == nil {
			err = a.Files(func(_ *tar.Header, r io.Reader) error {
				_, err := io.Copy(io.Discard, r)
				return err
			})
			a.Close()
		} else if !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v is no ErrFormat", name, err)
		}
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzOpen(f *testing.F) {
	f.Add([]byte(arMagic + "debian-binary   0           0     0     100644  4         `\n2.0\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := New(bytes.NewReader(data), "x.deb")
		if err != nil {
			return
		}
		_, _ = a.Control()
	})
}
