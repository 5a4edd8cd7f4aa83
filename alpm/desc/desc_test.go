// SPDX-License-Identifier: GPL-3.0-or-later

package desc_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rastos/rastos/alpm/desc"
)

// files reads all files of a directory of testdata: records that repo-add and
// pacman wrote.
func files(t testing.TB, pattern string) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s: %d files, %v", pattern, len(paths), err)
	}
	all := make(map[string][]byte)
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all[path] = data
	}
	return all
}

func TestRealRecordsComeBackByteForByte(t *testing.T) {
	for path, data := range files(t, "sync/*.desc") {
		p, err := desc.DecodeSync(data)
		if err != nil {
			t.Fatal(err)
		}
		again, err := desc.EncodeSync(p)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(data), string(again)); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	}
	for path, data := range files(t, "local/*.desc") {
		p, err := desc.DecodeLocal(data)
		if err != nil {
			t.Fatal(err)
		}
		again, err := desc.EncodeLocal(p)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(data), string(again)); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	}
	for path, data := range files(t, "local/*.files") {
		p := new(desc.Package)
		if err := desc.DecodeFiles(data, p); err != nil {
			t.Fatal(err)
		}
		again, err := desc.EncodeFiles(p)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(data), string(again)); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	}
	for path, data := range files(t, "*.pkginfo") {
		p, err := desc.DecodePKGINFO(data)
		if err != nil {
			t.Fatal(err)
		}
		again, err := desc.EncodePKGINFO(p)
		if err != nil {
			t.Fatal(err)
		}
		var want strings.Builder
		for line := range strings.Lines(string(data)) {
			if line[0] != '#' {
				want.WriteString(line)
			}
		}
		if diff := cmp.Diff(want.String(), string(again)); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	}
}

// full has every field set.
func full() *desc.Package {
	return &desc.Package{
		Name: "foo", Base: "foobase", Version: "1:2.3-4", Description: "does = things: well", URL: "https://example.org",
		Arch: "x86_64", Packager: "A <a@example.org>",
		Licenses: []string{"MIT", "custom: x"}, Groups: []string{"g", "h"}, Depends: []string{"a>=1", "b"},
		OptDepends: []string{"c: for c"}, MakeDepends: []string{"d"}, CheckDepends: []string{"e"},
		Conflicts: []string{"f<2"}, Provides: []string{"g=1"}, Replaces: []string{"h"},
		BuildDate: 1, InstalledSize: 2,
		Filename: "foo-1:2.3-4-x86_64.pkg.tar.zst", CompressedSize: 3,
		MD5: strings.Repeat("a", 32), SHA256: strings.Repeat("b", 64), PGPSig: "c2ln",
		InstallDate: 4, Reason: desc.Depend, Validation: []string{"sha256", "pgp"}, XData: []string{"pkgtype=pkg", "k=v=w"},
		Files:  []string{"etc/", "etc/foo..bar", "usr/", "usr/a b"},
		Backup: []desc.Backup{{Path: "etc/foo..bar", MD5: strings.Repeat("0", 32)}, {Path: "etc/none"}},
	}
}

func TestDecodeUndoesEncode(t *testing.T) {
	want := full()
	t.Run("local", func(t *testing.T) {
		data, err := desc.EncodeLocal(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := desc.DecodeLocal(data)
		if err != nil {
			t.Fatal(err)
		}
		data, err = desc.EncodeFiles(want)
		if err != nil {
			t.Fatal(err)
		}
		if err := desc.DecodeFiles(data, got); err != nil {
			t.Fatal(err)
		}
		local := *want
		local.Filename, local.CompressedSize, local.MD5, local.SHA256, local.PGPSig = "", 0, "", "", ""
		local.MakeDepends, local.CheckDepends = nil, nil
		if diff := cmp.Diff(&local, got); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("sync", func(t *testing.T) {
		data, err := desc.EncodeSync(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := desc.DecodeSync(data)
		if err != nil {
			t.Fatal(err)
		}
		sync := *want
		sync.InstallDate, sync.Reason, sync.Validation, sync.XData, sync.Files, sync.Backup = 0, 0, nil, nil, nil, nil
		if diff := cmp.Diff(&sync, got); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("pkginfo", func(t *testing.T) {
		data, err := desc.EncodePKGINFO(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := desc.DecodePKGINFO(data)
		if err != nil {
			t.Fatal(err)
		}
		info := *want
		info.Filename, info.CompressedSize, info.MD5, info.SHA256, info.PGPSig = "", 0, "", "", ""
		info.InstallDate, info.Reason, info.Validation, info.Files = 0, 0, nil, nil
		info.Backup = []desc.Backup{{Path: "etc/foo..bar"}, {Path: "etc/none"}}
		if diff := cmp.Diff(&info, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestEmptyFieldsAreLeftOut(t *testing.T) {
	p := &desc.Package{Name: "a", Version: "1-1", Reason: desc.Explicit, Depends: []string{""}}
	data, err := desc.EncodeLocal(p)
	if want := "%NAME%\na\n\n%VERSION%\n1-1\n\n"; err != nil || string(data) != want {
		t.Errorf("local: %q, %v, want %q", data, err, want)
	}
	p.Filename = "f"
	data, err = desc.EncodeSync(p)
	want := "%FILENAME%\nf\n\n%NAME%\na\n\n%VERSION%\n1-1\n\n%CSIZE%\n0\n\n%ISIZE%\n0\n\n%BUILDDATE%\n0\n\n"
	if err != nil || string(data) != want {
		t.Errorf("sync: %q, %v, want %q", data, err, want)
	}
	if data, err := desc.EncodeFiles(p); err != nil || len(data) != 0 {
		t.Errorf("files: %q, %v", data, err)
	}
}

func TestWhatPacmanToleratesIsTolerated(t *testing.T) {
	for name, text := range map[string]string{
		"an unknown field":           "%NAME%\na\n\n%NEWS%\nx\ny\n\n%VERSION%\n1-1\n\n%DESC%\nd\n",
		"no blank lines":             "%NAME%\na\n%VERSION%\n1-1\n%DESC%\nd\n",
		"no line break at the end":   "%NAME%\na\n\n%VERSION%\n1-1\n\n%DESC%\nd",
		"more blank lines":           "\n\n%NAME%\na\n\n\n\n%VERSION%\n1-1\n\n%DESC%\nd\n\n\n",
		"text before the first":      "hello\n%NAME%\na\n\n%VERSION%\n1-1\n\n%DESC%\nd\n",
		"an empty list, then fields": "%NAME%\na\n\n%GROUPS%\n\n%VERSION%\n1-1\n\n%DESC%\nd\n",
	} {
		p, err := desc.DecodeLocal([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(&desc.Package{Name: "a", Version: "1-1", Description: "d"}, p); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestRefused(t *testing.T) {
	const head = "%NAME%\na\n\n%VERSION%\n1-1\n\n"
	for _, c := range []struct {
		name   string
		decode func([]byte) (*desc.Package, error)
		text   string
		want   error
		line   int
	}{
		{"size of letters", desc.DecodeSync, head + "%CSIZE%\nbig\n", desc.ErrNumber, 8},
		{"negative size", desc.DecodeSync, head + "%ISIZE%\n-1\n", desc.ErrNumber, 8},
		{"size past 63 bits", desc.DecodeSync, head + "%ISIZE%\n9223372036854775808\n", desc.ErrNumber, 8},
		{"empty size", desc.DecodeLocal, head + "%SIZE%\n\n", desc.ErrNumber, 8},
		{"number with a tail", desc.DecodeLocal, head + "%BUILDDATE%\n12x\n", desc.ErrNumber, 8},
		{"unknown reason", desc.DecodeLocal, head + "%REASON%\n2\n", desc.ErrNumber, 8},
		{"name with a slash", desc.DecodeSync, "%NAME%\n../etc\n", desc.ErrName, 2},
		{"name with a leading dot", desc.DecodeLocal, "%NAME%\n.a\n", desc.ErrName, 2},
		{"name like an option", desc.DecodeLocal, "%NAME%\n-a\n", desc.ErrName, 2},
		{"name with a blank", desc.DecodeLocal, "%NAME%\na b\n", desc.ErrName, 2},
		{"empty name", desc.DecodeLocal, "%NAME%\n\n", desc.ErrName, 2},
		{"version with a slash", desc.DecodeSync, "%NAME%\na\n%VERSION%\n1/2\n", desc.ErrName, 4},
		{"file name with a slash", desc.DecodeSync, "%FILENAME%\na/b\n", desc.ErrName, 2},
		{"file name with a leading dot", desc.DecodeSync, "%FILENAME%\n.a\n", desc.ErrName, 2},
		{"NUL", desc.DecodeSync, head + "%DESC%\na\x00b\n", desc.ErrNUL, 8},
		{"no name", desc.DecodeSync, "%VERSION%\n1-1\n", desc.ErrMissing, 0},
		{"no version", desc.DecodeLocal, "%NAME%\na\n", desc.ErrMissing, 0},
		{"info without =", desc.DecodePKGINFO, "pkgname = a\nhello\n", desc.ErrSyntax, 2},
		{"info with a hostile name", desc.DecodePKGINFO, "# x\npkgname = ../a\n", desc.ErrName, 2},
		{"info with a hostile backup", desc.DecodePKGINFO, "backup = ../../etc/passwd\n", desc.ErrPath, 1},
		{"info with a bad size", desc.DecodePKGINFO, "size = 1.5\n", desc.ErrNumber, 1},
		{"info with an endless line", desc.DecodePKGINFO, "pkgname = a\npkgdesc = " + strings.Repeat("A", 512<<10) + "\n", desc.ErrLine, 2},
		{"info without a name", desc.DecodePKGINFO, "pkgver = 1-1\n", desc.ErrMissing, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := c.decode([]byte(c.text))
			var e *desc.Error
			if !errors.Is(err, c.want) || !errors.As(err, &e) {
				t.Fatalf("%v, want %v", err, c.want)
			}
			if e.Line != c.line || e.File == "" || e.ExitCode() != 5 {
				t.Errorf("%v: line %d, want %d", err, e.Line, c.line)
			}
		})
	}
	for _, text := range []string{"%FILES%\nusr/\n/etc/passwd\n", "%FILES%\nusr/\n../x\n", "%FILES%\nusr/\na/../../b\n", "%BACKUP%\n\n%BACKUP%\n/x\tmd5\n"} {
		err := desc.DecodeFiles([]byte(text), new(desc.Package))
		var e *desc.Error
		if !errors.Is(err, desc.ErrPath) || !errors.As(err, &e) || e.Line < 3 {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestNothingIsWrittenThatReadsOtherwise(t *testing.T) {
	for name, spoil := range map[string]func(*desc.Package){
		"a line break in a value": func(p *desc.Package) { p.Description = "x\n%NAME%\ny" },
		"a line break in a list":  func(p *desc.Package) { p.Depends = []string{"a\nb"} },
		"a NUL":                   func(p *desc.Package) { p.URL = "a\x00" },
		"a hostile name":          func(p *desc.Package) { p.Name = "../x" },
		"no version":              func(p *desc.Package) { p.Version = "" },
		"a negative size":         func(p *desc.Package) { p.InstalledSize = -1 },
	} {
		p := full()
		spoil(p)
		if _, err := desc.EncodeLocal(p); err == nil {
			t.Errorf("local takes %s", name)
		}
		if _, err := desc.EncodeSync(p); err == nil {
			t.Errorf("sync takes %s", name)
		}
		if _, err := desc.EncodePKGINFO(p); err == nil && name != "a negative size" {
			t.Errorf(".PKGINFO takes %s", name)
		}
	}
	p := full()
	p.Files = []string{"../x"}
	if _, err := desc.EncodeFiles(p); !errors.Is(err, desc.ErrPath) {
		t.Error(err)
	}
}

func TestErrorsSayWhere(t *testing.T) {
	e := &desc.Error{DB: "core", Entry: "acl-2-1", File: "desc", Line: 12, Field: "%CSIZE%", Value: "big", Err: desc.ErrNumber}
	if got, want := e.Error(), `database core: entry acl-2-1: desc line 12: %CSIZE%: not a number: "big"`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestManyRecordsShareNothing(t *testing.T) {
	// One decoder cuts all lists from common blocks: appending to one must not
	// reach into the next.
	var d desc.Decoder
	var a, b desc.Package
	if err := d.Sync(&a, "desc", "%GROUPS%\na\n\n"); err != nil {
		t.Fatal(err)
	}
	if err := d.Sync(&b, "desc", "%GROUPS%\nb\n\n"); err != nil {
		t.Fatal(err)
	}
	a.Groups = append(a.Groups, "c")
	if b.Groups[0] != "b" {
		t.Errorf("the other's list became %q", b.Groups)
	}
}
