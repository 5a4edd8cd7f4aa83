// SPDX-License-Identifier: GPL-3.0-or-later

package pkgfile_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/mtree"
	"github.com/rastos/rastos/alpm/pkgfile"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// readAll returns all headers and contents of an archive.
func readAll(data []byte, lim pkgfile.Limits) (map[string]tar.Header, map[string]string, []string, error) {
	r, err := pkgfile.NewReader(bytes.NewReader(data), lim)
	if err != nil {
		return nil, nil, nil, err
	}
	defer r.Close()
	headers, contents, order := map[string]tar.Header{}, map[string]string{}, []string(nil)
	for {
		h, err := r.Next()
		if err == io.EOF {
			return headers, contents, order, nil
		}
		if err != nil {
			return nil, nil, nil, err
		}
		text, err := io.ReadAll(r)
		if err != nil {
			return nil, nil, nil, err
		}
		headers[h.Name], contents[h.Name], order = *h, string(text), append(order, h.Name)
	}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	entries := append(sampleEntries(),
		entry{h: tar.Header{Typeflag: tar.TypeReg, Name: "usr/bin/ping", Mode: 0o755,
			PAXRecords: map[string]string{"SCHILY.xattr.security.capability": netRaw, "LIBARCHIVE.x": "dropped"}}, data: "ping"},
		entry{h: tar.Header{Typeflag: tar.TypeFifo, Name: "var/fifo", Mode: 0o600}},
		entry{h: tar.Header{Typeflag: tar.TypeReg, Name: "usr/share/" + strings.Repeat("long/", 60) + "name", Mode: 0o644}, data: "deep"},
	)
	opt := pkgfile.WriterOptions{Epoch: epoch, Install: []byte("post_install() { :; }\n"), Changelog: []byte("c"),
		BuildInfo: map[string]string{"builddir": "/build", "options": "strip\n!debug", "zzz": "last", "buildtool": "other"}}
	headers, contents, order, err := readAll(writeSample(t, sampleInfo(), entries, opt), pkgfile.Limits{})
	must(t, err)
	if diff := cmp.Diff([]string{".BUILDINFO", ".CHANGELOG", ".INSTALL", ".MTREE", ".PKGINFO", "etc/", "etc/sample.conf", "usr/", "usr/bin/", "usr/bin/alias", "usr/bin/another", "usr/bin/ping", "usr/bin/tool"}, order[:13]); diff != "" {
		t.Error(diff)
	}
	info, err := desc.DecodePKGINFO([]byte(contents[".PKGINFO"]))
	must(t, err)
	want := sampleInfo()
	want.XData, want.BuildDate = []string{"pkgtype=pkg"}, epoch.Unix()
	want.InstalledSize = int64(len("#!/bin/sh\nexit 0\nkey = value\nxpingdeep"))
	if diff := cmp.Diff(want, info); diff != "" {
		t.Errorf(".PKGINFO: %s", diff)
	}
	wantBuild := `format = 2
pkgname = sample
pkgbase = sample-base
pkgver = 1:2.0-3
pkgarch = any
packager = Nobody <nobody@example.org>
builddate = 1643730617
builddir = /build
buildtool = other
options = strip
options = !debug
zzz = last
`
	if diff := cmp.Diff(wantBuild, contents[".BUILDINFO"]); diff != "" {
		t.Errorf(".BUILDINFO: %s", diff)
	}
	// The first in order of the hard-linked files has the content.
	if h := headers["usr/bin/another"]; h.Typeflag != tar.TypeReg || h.Mode != 0o4755 || contents[h.Name] != "#!/bin/sh\nexit 0\n" {
		t.Errorf("first of two hard links: %+v", h)
	}
	if h := headers["usr/bin/tool"]; h.Typeflag != tar.TypeLink || h.Linkname != "usr/bin/another" {
		t.Errorf("second of two hard links: %+v", h)
	}
	if h := headers["usr/bin/ping"]; h.PAXRecords["SCHILY.xattr.security.capability"] != netRaw || len(h.PAXRecords) != 1 {
		t.Errorf("extended attributes: %q", h.PAXRecords)
	}
	if h := headers["var/lib/"]; h.Typeflag != tar.TypeDir || h.Mode != 0o755 {
		t.Errorf("a parent that was not added: %+v", h)
	}
	for name, h := range headers {
		if !h.ModTime.Equal(epoch) {
			t.Errorf("%s: time %v", name, h.ModTime)
		}
	}
	checkMtree(t, contents, headers)
}

// checkMtree holds .MTREE against the archive that it is in.
func checkMtree(t *testing.T, contents map[string]string, headers map[string]tar.Header) {
	t.Helper()
	entries, err := mtree.Decode(strings.NewReader(contents[".MTREE"]))
	must(t, err)
	if len(entries) != len(headers)-1 {
		t.Errorf(".MTREE lists %d of %d entries", len(entries), len(headers)-1)
	}
	for _, e := range entries {
		name := e.Path
		if e.Type == mtree.Dir {
			name += "/"
		}
		h, ok := headers[name]
		if !ok || int64(e.Mode) != h.Mode || e.UID != h.Uid || e.GID != h.Gid || e.Sec != h.ModTime.Unix() {
			t.Errorf(".MTREE has %+v, the archive %+v", e, h)
		}
		if h.Typeflag == tar.TypeReg && (e.Type != mtree.File || e.Size != h.Size || len(e.SHA256) != 64 || len(e.MD5) != 32) {
			t.Errorf(".MTREE has %+v for a file", e)
		}
		if h.Typeflag == tar.TypeLink && (e.Type != mtree.File || e.Size != int64(len(contents[h.Linkname]))) {
			t.Errorf(".MTREE has %+v for a hard link", e)
		}
	}
}

func TestSameInputSameBytes(t *testing.T) {
	entries := sampleEntries()
	reversed := make([]entry, 0, len(entries))
	for _, e := range entries {
		e.h.ModTime = time.Unix(int64(len(reversed)), 5) // of no account with an Epoch
		reversed = append([]entry{e}, reversed...)
	}
	for _, compression := range []string{"zst", "gz", "tar"} {
		opt := pkgfile.WriterOptions{Compression: compression, Epoch: epoch, BuildInfo: map[string]string{"a": "1", "b": "2", "c": "3"}}
		if !bytes.Equal(writeSample(t, sampleInfo(), entries, opt), writeSample(t, sampleInfo(), reversed, opt)) {
			t.Errorf("%s: the order of Add shows in the archive", compression)
		}
	}
}

func TestLargeContentGoesThroughAFile(t *testing.T) {
	big := bytes.Repeat([]byte("0123456789abcdef"), 400<<10) // 6.25 MiB
	dir := t.TempDir()
	var out bytes.Buffer
	w, err := pkgfile.NewWriter(&out, sampleInfo(), pkgfile.WriterOptions{Fast: true, TempDir: dir})
	must(t, err)
	for _, name := range []string{"b", "a"} {
		must(t, w.Add(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: 3}, strings.NewReader(name+name+name)))
		must(t, w.Add(&tar.Header{Typeflag: tar.TypeReg, Name: name + "-big", Size: int64(len(big))}, bytes.NewReader(big)))
	}
	must(t, w.Close())
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("%d temporary files stay, %v", len(left), err)
	}
	_, contents, _, err := readAll(out.Bytes(), pkgfile.Limits{})
	must(t, err)
	if contents["a"] != "aaa" || contents["b"] != "bbb" || contents["a-big"] != string(big) || contents["b-big"] != string(big) {
		t.Error("content got mixed up")
	}
}

func TestWriterRefuses(t *testing.T) {
	reg := func(name string) tar.Header { return tar.Header{Typeflag: tar.TypeReg, Name: name} }
	for name, headers := range map[string][]tar.Header{
		"a path upwards":             {reg("../x")},
		"a path upwards inside":      {reg("usr/../../x")},
		"an absolute path":           {reg("/etc/passwd")},
		"a dot file at the top":      {reg(".INSTALL")},
		"a line break":               {reg("a\nb")},
		"no name":                    {reg("")},
		"a device":                   {{Typeflag: tar.TypeChar, Name: "dev/null"}},
		"a link to nothing":          {{Typeflag: tar.TypeSymlink, Name: "a"}},
		"a hard link out":            {{Typeflag: tar.TypeLink, Name: "a", Linkname: "../b"}},
		"a hard link to nothing":     {{Typeflag: tar.TypeLink, Name: "a", Linkname: "b"}},
		"a hard link to itself":      {{Typeflag: tar.TypeLink, Name: "a", Linkname: "a"}},
		"a hard link to a directory": {{Typeflag: tar.TypeDir, Name: "b"}, {Typeflag: tar.TypeLink, Name: "a", Linkname: "b"}},
		"a file as parent":           {reg("a"), reg("a/b")},
	} {
		w, err := pkgfile.NewWriter(io.Discard, sampleInfo(), pkgfile.WriterOptions{})
		must(t, err)
		for _, h := range headers {
			if err = w.Add(&h, nil); err != nil {
				break
			}
		}
		if err == nil {
			err = w.Close()
		}
		w.Abort()
		if !errors.Is(err, pkgfile.ErrWrite) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w, err := pkgfile.NewWriter(io.Discard, sampleInfo(), pkgfile.WriterOptions{})
	must(t, err)
	if err := w.Add(&tar.Header{Typeflag: tar.TypeReg, Name: "a", Size: 5}, strings.NewReader("abc")); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("less content than announced: %v", err)
	}
	if _, err := pkgfile.NewWriter(io.Discard, sampleInfo(), pkgfile.WriterOptions{Compression: "xz"}); err == nil {
		t.Error("xz is taken")
	}
	if _, err := pkgfile.NewWriter(io.Discard, &desc.Package{Name: "../x", Version: "1-1"}, pkgfile.WriterOptions{}); !errors.Is(err, desc.ErrName) {
		t.Error(err)
	}
	full := errors.New("disk full")
	w, err = pkgfile.NewWriter(writerFunc(func([]byte) (int, error) { return 0, full }), sampleInfo(), pkgfile.WriterOptions{})
	must(t, err)
	if err := w.Close(); !errors.Is(err, full) {
		t.Errorf("a failing writer: %v", err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestLoadInfo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sample-1:2.0-3-any.pkg.tar.zst")
	data := writeSample(t, sampleInfo(), sampleEntries(), pkgfile.WriterOptions{Epoch: epoch, Install: []byte("x")})
	must(t, os.WriteFile(path, data, 0o644))
	p, err := pkgfile.LoadInfo(path)
	must(t, err)
	if p.Name != "sample" || p.Filename != filepath.Base(path) || p.CompressedSize != int64(len(data)) {
		t.Errorf("%+v", p)
	}
	want := []string{"etc/", "etc/sample.conf", "usr/", "usr/bin/", "usr/bin/alias", "usr/bin/another", "usr/bin/ping", "usr/bin/tool",
		"usr/share/", "usr/share/sample/", "usr/share/sample/empty", "usr/share/sample/with space #1=[ü]", "var/", "var/lib/", "var/lib/sample/"}
	if diff := cmp.Diff(want, p.Files); diff != "" {
		t.Error(diff)
	}
}

func FuzzReader(f *testing.F) {
	for _, compression := range []string{"zst", "gz", "tar"} {
		var buf bytes.Buffer
		w, err := pkgfile.NewWriter(&buf, sampleInfo(), pkgfile.WriterOptions{Compression: compression, Epoch: epoch})
		must(f, err)
		for _, e := range sampleEntries()[:4] {
			h := e.h
			h.Size = int64(len(e.data))
			must(f, w.Add(&h, strings.NewReader(e.data)))
		}
		must(f, w.Close())
		f.Add(buf.Bytes())
	}
	made, err := filepath.Glob("testdata/makepkg.pkg.tar.*")
	if err != nil || len(made) == 0 {
		f.Fatalf("%d packages by makepkg, %v", len(made), err)
	}
	for _, name := range made {
		data, err := os.ReadFile(name)
		must(f, err)
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		limits := pkgfile.Limits{MaxSize: 16 << 20}
		p, err := pkgfile.ReadInfo(bytes.NewReader(data), limits)
		if err == nil && desc.CheckName(p.Name) != nil {
			t.Fatalf("name %q", p.Name)
		}
		r, err := pkgfile.NewReader(bytes.NewReader(data), limits)
		if err != nil {
			return
		}
		total := int64(0)
		for err == nil {
			if _, err = r.Next(); err == nil {
				n, _ := io.Copy(io.Discard, r)
				total += n
			}
		}
		if total > limits.MaxSize {
			t.Fatalf("%d bytes of content", total)
		}
		must(t, r.Close())
	})
}

func TestDecodersAreKeptApart(t *testing.T) {
	var d pkgfile.Decoders
	one := writeSample(t, sampleInfo(), sampleEntries()[:1], pkgfile.WriterOptions{})
	two := writeSample(t, sampleInfo(), sampleEntries(), pkgfile.WriterOptions{})
	a, err := d.NewReader(bytes.NewReader(one), pkgfile.Limits{})
	must(t, err)
	_, err = a.Next()
	must(t, err)
	must(t, a.Close())
	b, err := d.NewReader(bytes.NewReader(two), pkgfile.Limits{}) // has a's decoder
	must(t, err)
	if _, err := a.Next(); err == nil || err == io.EOF {
		t.Errorf("a closed archive: %v", err)
	}
	must(t, a.Close())
	c, err := d.NewReader(bytes.NewReader(one), pkgfile.Limits{}) // must not have b's
	must(t, err)
	for _, r := range []*pkgfile.Reader{c, b} {
		for {
			if _, err = r.Next(); err != nil {
				break
			}
		}
		if err != io.EOF {
			t.Error(err)
		}
	}
	// An archive that failed leaves a decoder that works.
	if _, err := d.ReadInfo(bytes.NewReader(two[:len(two)/2]), pkgfile.Limits{}); !errors.Is(err, pkgfile.ErrTruncated) {
		t.Error(err)
	}
	if _, err := d.ReadInfo(bytes.NewReader(two), pkgfile.Limits{}); err != nil {
		t.Error(err)
	}
}
