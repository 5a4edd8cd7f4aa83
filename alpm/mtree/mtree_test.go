// SPDX-License-Identifier: GPL-3.0-or-later

package mtree_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rastos/rastos/alpm/mtree"
	"github.com/rastos/rastos/internal/testkit"
)

const (
	md5x    = "009520053b00386d1173f3988c55d192" // of "y\n"
	sha256x = "3bb2abb69ebb27fbfe63c7639624c6ec5e331b841a5bc8c3ebc10b9285e90877"
)

func TestWhatBsdtarWrites(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "bsdtar.mtree"))
	if err != nil {
		t.Fatal(err)
	}
	entries, err := mtree.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]mtree.Entry)
	for _, e := range entries {
		got[e.Path] = e
	}
	const when = 1643730617
	for _, want := range []mtree.Entry{
		{Path: "usr", Type: mtree.Dir, Mode: 0o755, Sec: when},
		{Path: "usr/a b", Type: mtree.Dir, Mode: 0o1777, Sec: when},
		{Path: "usr/bin/a", Type: mtree.File, Mode: 0o4755, Sec: when, Size: 2, MD5: md5x, SHA256: sha256x},
		{Path: "usr/bin/l", Type: mtree.Symlink, Mode: 0o777, UID: 7, GID: 9, Sec: when, Link: "t"},
		{Path: "usr/fifo", Type: mtree.FIFO, Mode: 0o600, Sec: when},
	} {
		if diff := cmp.Diff(want, got[want.Path]); diff != "" {
			t.Errorf("%s: %s", want.Path, diff)
		}
	}
	for _, name := range []string{"usr/a b/#1=[ü]*?\\\"x", "usr/with\ttab"} {
		if got[name].Type != mtree.File {
			t.Errorf("%q is missing", name)
		}
	}
	if len(entries) != 9 {
		t.Errorf("%d entries", len(entries))
	}
}

func sample() []mtree.Entry {
	return []mtree.Entry{
		{Path: ".PKGINFO", Type: mtree.File, Mode: 0o644, Sec: 5, Size: 7, MD5: md5x, SHA256: sha256x},
		{Path: "etc", Type: mtree.Dir, Mode: 0o755, Sec: -1},
		{Path: "etc/a b#=\\*?[\"\n\tü", Type: mtree.File, Mode: 0o4600, UID: 1, GID: 2, Sec: 5, Nsec: 999999999},
		{Path: "etc/l", Type: mtree.Symlink, Mode: 0o777, Link: "../x y"},
	}
}

func TestDecodeUndoesEncode(t *testing.T) {
	var plain, packed bytes.Buffer
	if err := mtree.Encode(&plain, sample()); err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(&packed)
	if err := mtree.Encode(z, sample()); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for name, buf := range map[string]*bytes.Buffer{"plain": &plain, "gzip": &packed} {
		got, err := mtree.Decode(buf)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(sample(), got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// bsdtar lists what it makes of our text.
func TestBsdtarReadsOurs(t *testing.T) {
	testkit.NeedTool(t, "bsdtar")
	var buf bytes.Buffer
	if err := mtree.Encode(&buf, sample()); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("bsdtar", "-tf", "-")
	cmd.Env = []string{"LC_ALL=C.UTF-8", "PATH=/usr/bin:/bin"}
	cmd.Stdin = &buf
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	got := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	sort.Strings(got)
	want := []string{"./.PKGINFO", "./etc", `./etc/a b#=\\*?["\n\tü`, "./etc/l"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestDefaultsAndOtherSpellings(t *testing.T) {
	const text = `#mtree
/set type=dir uid=3 gid=4 mode=700 nlink=2
# a comment

./a
./b type=file size=1 \
    md5=009520053b00386d1173f3988c55d192 flags=none
/unset uid mode type
./c/ type=dir
/set type=link
./d link=\141\s\\
`
	got, err := mtree.Decode(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	want := []mtree.Entry{
		{Path: "a", Type: mtree.Dir, UID: 3, GID: 4, Mode: 0o700},
		{Path: "b", Type: mtree.File, UID: 3, GID: 4, Mode: 0o700, Size: 1, MD5: md5x},
		{Path: "c", Type: mtree.Dir, GID: 4, Mode: 0o644},
		{Path: "d", Type: mtree.Symlink, GID: 4, Mode: 0o644, Link: "a \\"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestRefused(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"path upwards":         {"./../etc/passwd", mtree.ErrPath},
		"path upwards, quoted": {`./a/\056\056/b`, mtree.ErrPath},
		"absolute path":        {"/etc/passwd", mtree.ErrSyntax},
		"absolute, dotted":     {".//etc", mtree.ErrPath},
		"NUL":                  {`./a\000b`, mtree.ErrPath},
		"nested form":          {"bin type=dir", mtree.ErrSyntax},
		"a mode of letters":    {"./a mode=rwx", mtree.ErrSyntax},
		"a huge mode":          {"./a mode=100755", mtree.ErrSyntax},
		"a negative size":      {"./a size=-1", mtree.ErrSyntax},
		"a huge size":          {"./a size=9223372036854775808", mtree.ErrSyntax},
		"a negative owner":     {"./a uid=-1", mtree.ErrSyntax},
		"unknown type":         {"./a type=door", mtree.ErrSyntax},
		"a short digest":       {"./a sha256digest=00", mtree.ErrSyntax},
		"a digest of letters":  {"./a md5digest=" + strings.Repeat("g", 32), mtree.ErrSyntax},
		"a wrong time":         {"./a time=1.x", mtree.ErrSyntax},
		"too many nanoseconds": {"./a time=1.1000000000", mtree.ErrSyntax},
		"a backslash at last":  {"./a link=b\\ ", mtree.ErrSyntax},
		"an unknown escape":    {`./a\q`, mtree.ErrSyntax},
	} {
		_, err := mtree.Decode(strings.NewReader("#mtree\n" + c.text + "\n./z\n"))
		var e *mtree.Error
		if !errors.Is(err, c.want) || !errors.As(err, &e) || e.Line != 2 {
			t.Errorf("%s: %v, want %v in line 2", name, err, c.want)
		}
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if err := mtree.Encode(z, sample()); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := mtree.Decode(bytes.NewReader(packed.Bytes()[:packed.Len()-10])); err == nil {
		t.Error("a cut-off mtree is taken")
	}
}

func FuzzDecode(f *testing.F) {
	for _, name := range []string{"bsdtar.mtree", "makepkg.mtree"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	var buf bytes.Buffer
	if err := mtree.Encode(&buf, sample()); err != nil {
		f.Fatal(err)
	}
	f.Add(buf.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, err := mtree.Decode(bytes.NewReader(data))
		if err != nil {
			return
		}
		for i := range entries { // only files have these, and only files keep them
			if entries[i].Type != mtree.File {
				entries[i].Size = 0
			}
		}
		var out bytes.Buffer
		if err := mtree.Encode(&out, entries); err != nil {
			t.Fatal(err)
		}
		again, err := mtree.Decode(bytes.NewReader(out.Bytes()))
		if err != nil {
			t.Fatalf("%v\nreading what was written: %s", err, out.Bytes())
		}
		if diff := cmp.Diff(entries, again); diff != "" {
			t.Fatal(diff)
		}
	})
}
