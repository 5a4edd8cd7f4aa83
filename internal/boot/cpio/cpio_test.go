// SPDX-License-Identifier: GPL-3.0-or-later

package cpio_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rastos/rastos/internal/boot/cpio"
	"github.com/rastos/rastos/internal/testkit"
)

var sample = []cpio.Entry{
	{Name: "dev", Mode: cpio.Folder | 0o755},
	{Name: "dev/console", Mode: cpio.CharDev | 0o600, Major: 5, Minor: 1},
	{Name: "init", Mode: cpio.Regular | 0o755, Data: []byte("#!/bin/sh\n")},
	{Name: "link", Mode: cpio.Link | 0o777, Data: []byte("init")},
	{Name: "odd", Mode: cpio.Regular | 0o644, Data: []byte("123")},
}

func write(t *testing.T, entries []cpio.Entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := cpio.NewWriter(&b, time.Unix(1_700_000_000, 0))
	for _, e := range entries {
		if err := w.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func readAll(r io.Reader) ([]cpio.Entry, error) {
	var list []cpio.Entry
	for in := cpio.NewReader(r); ; {
		e, err := in.Next()
		if err == io.EOF {
			return list, nil
		}
		if err != nil {
			return list, err
		}
		list = append(list, e)
	}
}

func TestReadBack(t *testing.T) {
	data := write(t, sample)
	if !bytes.Equal(data, write(t, sample)) {
		t.Error("the same entries gave other bytes")
	}
	got, err := readAll(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sample, got); diff != "" {
		t.Fatal(diff)
	}
	for cut := range data {
		if _, err := readAll(bytes.NewReader(data[:cut])); !errors.Is(err, cpio.ErrFormat) && cut < len(data)-3 {
			t.Fatalf("cut after %d bytes: error %v", cut, err)
		}
	}
}

func TestNamesThatLeaveTheRoot(t *testing.T) {
	for _, name := range []string{"", "/etc", "../etc", "a/../b", "a//b", "a/", ".", "TRAILER!!!", "a\x00b"} {
		if cpio.NewWriter(io.Discard, time.Time{}).Add(cpio.Entry{Name: name}) == nil {
			t.Errorf("%q was accepted", name)
		}
	}
}

// TestLibarchiveReadsIt holds our bytes against bsdtar's reader, and the reverse.
func TestLibarchiveReadsIt(t *testing.T) {
	tool := testkit.NeedTool(t, "bsdtar")
	cmd := exec.Command(tool, "-tvf", "-")
	cmd.Stdin = bytes.NewReader(write(t, sample))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != len(sample) || !strings.Contains(lines[1], "5,1") || !strings.HasSuffix(lines[3], "link -> init") {
		t.Errorf("bsdtar lists:\n%s", out)
	}
	dir := t.TempDir()
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "file"), []byte("hello"), 0o640), os.Symlink("file", filepath.Join(dir, "link"))); err != nil {
		t.Fatal(err)
	}
	archive, err := exec.Command(tool, "-c", "--format", "newc", "-f", "-", "-C", dir, "file", "link").Output()
	if err != nil {
		t.Fatal(err)
	}
	got, err := readAll(bytes.NewReader(archive))
	want := []cpio.Entry{
		{Name: "file", Mode: cpio.Regular | 0o640, Data: []byte("hello")},
		{Name: "link", Mode: cpio.Link | 0o777, Data: []byte("file")},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("error %v\n%s", err, diff)
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte("070701"))
	var b bytes.Buffer
	w := cpio.NewWriter(&b, time.Time{})
	for _, e := range sample {
		_ = w.Add(e)
	}
	_ = w.Close()
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := readAll(bytes.NewReader(data)); err != nil && !errors.Is(err, cpio.ErrFormat) {
			t.Fatal(err)
		}
	})
}
