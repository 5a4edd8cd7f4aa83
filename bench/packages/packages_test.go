// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"archive/tar"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/pkgfile"
	"github.com/rastos/rastos/alpm/repo"
)

func TestParse(t *testing.T) {
	o, err := parse([]string{"-set", "demo"})
	if err != nil {
		t.Fatal(err)
	}
	if o.figures != filepath.Join("build/figures", "demo") {
		t.Errorf("figures of another set go to %s, over those of the project", o.figures)
	}
	if _, err := parse([]string{"-runs", "0"}); err == nil {
		t.Error("no runs at all are accepted")
	}
	if known("install-nowhere") || !known("install-memory") {
		t.Error("-only takes the wrong names")
	}
}

// The masks are links of the same names as the packages' hooks, for nothing else.
func TestMaskHooks(t *testing.T) {
	dir := t.TempDir()
	archive := filepath.Join(dir, "a-1-1-any.pkg.tar.zst")
	f, err := os.Create(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := pkgfile.NewWriter(f, &desc.Package{Name: "a", Base: "a", Version: "1-1", Arch: "any", Description: "a", Packager: "b"},
		pkgfile.WriterOptions{Fast: true, Epoch: time.Unix(1, 0)})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{hookDir + "/10-x.hook", hookDir + "/README", "usr/lib/y.hook"} {
		if err := w.Add(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: 1}, strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := repo.Add(context.Background(), filepath.Join(dir, "r.db.tar.gz"), []string{archive}, repo.Options{}); err != nil {
		t.Fatal(err)
	}
	masks := filepath.Join(dir, "masks")
	if err := maskHooks(masks, filepath.Join(dir, "r.files")); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(masks)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if !slices.Equal(names, []string{"10-x.hook"}) {
		t.Errorf("masked: %v", names)
	}
	if to, err := os.Readlink(filepath.Join(masks, "10-x.hook")); err != nil || to != "/dev/null" {
		t.Errorf("a mask leads to %q, %v", to, err)
	}
}
