// SPDX-License-Identifier: GPL-3.0-or-later

package cpio_test

import (
	"bytes"
	"errors"
	"io"
	"os/exec"
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

// TestCpioReadsIt holds our bytes against GNU cpio's reader, and the reverse.
func TestCpioReadsIt(t *testing.T) {
	tool := testkit.NeedTool(t, "cpio")
	cmd := exec.Command(tool, "-itv", "--quiet")
	cmd.Stdin = bytes.NewReader(write(t, sample))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != len(sample) || !strings.Contains(lines[1], "5,   1") || !strings.HasSuffix(lines[3], "link -> init") {
		t.Errorf("cpio lists:\n%s", out)
	}
	dir := t.TempDir()
	make := exec.Command("sh", "-c", `printf hello >file && ln -s file link && printf '%s\n' file link | cpio -o -H newc --quiet`)
	make.Dir = dir
	archive, err := make.Output()
	if err != nil {
		t.Fatal(err)
	}
	got, err := readAll(bytes.NewReader(archive))
	if err != nil || len(got) != 2 || string(got[0].Data) != "hello" || string(got[1].Data) != "file" {
		t.Errorf("read %+v, error %v", got, err)
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
