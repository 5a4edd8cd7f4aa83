// SPDX-License-Identifier: GPL-3.0-or-later

package extract_test

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rastos/rastos/alpm/extract"
)

var day = time.Unix(1700000000, 0)

type entry struct {
	name string
	typ  byte
	body string // content, or the target of a link
	mode int64
	uid  int
	gid  int
	time time.Time
	pax  map[string]string
}

func file(name, body string) entry {
	return entry{name: name, typ: tar.TypeReg, body: body, mode: 0o644}
}
func dirEntry(name string) entry { return entry{name: name, typ: tar.TypeDir, mode: 0o755} }
func symlink(name, to string) entry {
	return entry{name: name, typ: tar.TypeSymlink, body: to, mode: 0o777}
}
func hardlink(name, to string) entry {
	return entry{name: name, typ: tar.TypeLink, body: to, mode: 0o644}
}

func (e entry) header() *tar.Header {
	h := &tar.Header{
		Name: e.name, Typeflag: e.typ, Mode: e.mode, Uid: e.uid, Gid: e.gid, ModTime: e.time, PAXRecords: e.pax, Format: tar.FormatPAX,
	}
	if h.ModTime.IsZero() {
		h.ModTime = day
	}
	if os.Geteuid() != 0 {
		h.Uid, h.Gid = os.Geteuid(), os.Getegid()
	}
	switch e.typ {
	case tar.TypeReg:
		h.Size = int64(len(e.body))
	case tar.TypeSymlink, tar.TypeLink:
		h.Linkname = e.body
	}
	return h
}

// archive is a real tar stream, as far as the tar writer agrees.
func archive(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, e := range entries {
		h := e.header()
		if err := w.WriteHeader(h); err != nil {
			t.Fatalf("%s: %v", e.name, err)
		}
		if h.Size > 0 {
			if _, err := w.Write([]byte(e.body)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// headers feeds entries that no tar writer would make.
type headers struct {
	list []entry
	body *strings.Reader
}

func (s *headers) Next() (*tar.Header, error) {
	if len(s.list) == 0 {
		return nil, io.EOF
	}
	e := s.list[0]
	s.list = s.list[1:]
	s.body = strings.NewReader(e.body)
	return e.header(), nil
}

func (s *headers) Read(p []byte) (int, error) { return s.body.Read(p) }

func openRoot(t testing.TB, dir string) *extract.Root {
	t.Helper()
	r, err := extract.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func unpack(t testing.TB, r *extract.Root, policy extract.Policy, entries ...entry) (extract.Result, error) {
	t.Helper()
	return r.Package(context.Background(), tar.NewReader(bytes.NewReader(archive(t, entries...))), policy)
}

func mustUnpack(t testing.TB, r *extract.Root, entries ...entry) extract.Result {
	t.Helper()
	res, err := unpack(t, r, nil, entries...)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func read(t testing.TB, elem ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(elem...))
	if err != nil {
		t.Error(err)
	}
	return string(b)
}

func write(t testing.TB, content string, elem ...string) {
	t.Helper()
	path := filepath.Join(elem...)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// listing shows all names below a directory with type, mode, content or target.
func listing(t testing.TB, root string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		info, err := d.Info()
		if err != nil {
			return err
		}
		b.WriteString(rel + " " + info.Mode().String())
		switch {
		case info.Mode().IsRegular():
			c, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			b.WriteString(" " + string(c))
		case info.Mode()&fs.ModeSymlink != 0:
			to, err := os.Readlink(path)
			if err != nil {
				return err
			}
			b.WriteString(" -> " + to)
		}
		b.WriteByte('\n')
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
