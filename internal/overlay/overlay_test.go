// SPDX-License-Identifier: GPL-3.0-or-later

package overlay

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// disk is a tree in a folder, which does at once what an overlay remembers.
type disk struct{ dir string }

func (d disk) at(name string) string                      { return filepath.Join(d.dir, name) }
func (d disk) ReadFile(name string) ([]byte, error)       { return os.ReadFile(d.at(name)) }
func (d disk) Readlink(name string) (string, error)       { return os.Readlink(d.at(name)) }
func (d disk) Lstat(name string) (fs.FileInfo, error)     { return os.Lstat(d.at(name)) }
func (d disk) ReadDir(name string) ([]fs.DirEntry, error) { return os.ReadDir(d.at(name)) }
func (d disk) WriteFile(name string, data []byte, perm fs.FileMode) error {
	// As the trees of a system do it: by rename, so that a link is replaced.
	if st, err := os.Lstat(d.at(name)); err == nil && st.Mode()&fs.ModeSymlink != 0 {
		os.Remove(d.at(name))
	}
	return os.WriteFile(d.at(name), data, perm)
}
func (d disk) MkdirAll(name string, perm fs.FileMode) error { return os.MkdirAll(d.at(name), perm) }
func (d disk) Symlink(target, name string) error            { return os.Symlink(target, d.at(name)) }
func (d disk) Remove(name string) error                     { return os.Remove(d.at(name)) }
func (d disk) RemoveAll(name string) error                  { return os.RemoveAll(d.at(name)) }

type tree interface {
	Base
	WriteFile(name string, data []byte, perm fs.FileMode) error
	MkdirAll(name string, perm fs.FileMode) error
	Symlink(target, name string) error
	Remove(name string) error
	RemoveAll(name string) error
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func sample(t *testing.T) disk {
	t.Helper()
	d := disk{t.TempDir()}
	must(t, d.MkdirAll("etc/dir", 0o755))
	must(t, d.WriteFile("etc/hostname", []byte("old\n"), 0o644))
	must(t, d.WriteFile("etc/dir/file", []byte("file"), 0o644))
	must(t, d.Symlink("../usr/zone", "etc/localtime"))
	return d
}

func TestChangesAreListedAndTheTreeBelowStays(t *testing.T) {
	d := sample(t)
	f := New(d)
	must(t, f.WriteFile("etc/hostname", []byte("new\n"), 0o644))
	must(t, f.WriteFile("etc/dir/file", []byte("file"), 0o600)) // the same
	must(t, f.Remove("etc/localtime"))
	must(t, f.Symlink("../usr/other", "etc/localtime"))
	must(t, f.MkdirAll("etc/new/deep", 0o755))
	must(t, f.WriteFile("etc/new/deep/x", nil, 0o644))
	must(t, f.Symlink("/dev/null", "etc/gone-again"))
	must(t, f.Remove("etc/gone-again"))
	want := []Change{{"etc/hostname", Write}, {"etc/localtime", Link}, {"etc/new/deep/x", Write}}
	if diff := cmp.Diff(want, f.Changes()); diff != "" {
		t.Error(diff)
	}
	if data, _ := f.ReadFile("/etc/hostname"); string(data) != "new\n" {
		t.Errorf("read through the overlay: %q", data)
	}
	if data, _ := os.ReadFile(d.at("etc/hostname")); string(data) != "old\n" {
		t.Errorf("below: %q", data)
	}
	f.Mark()
	must(t, f.WriteFile("etc/new/deep/x", []byte("again"), 0o644))
	must(t, f.WriteFile("etc/dir/file", []byte("file"), 0o644))
	if diff := cmp.Diff([]Change{{"etc/new/deep/x", Write}}, f.Touched()); diff != "" {
		t.Errorf("since the mark: %s", diff)
	}
	must(t, f.RemoveAll("etc/dir"))
	if _, err := f.ReadFile("etc/dir/file"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("in a removed folder: %v", err)
	}
	if got := f.Changes(); !slices.Contains(got, Change{"etc/dir", Remove}) {
		t.Error(got)
	}
	must(t, f.WriteFile("etc/hostname", []byte("old\n"), 0o644))
	if got := f.Changes(); slices.Contains(got, Change{"etc/hostname", Write}) {
		t.Errorf("what is as before counts as changed: %v", got)
	}
}

// listing is all that can be seen of a tree.
func listing(t tree, dir string) string {
	var b strings.Builder
	entries, err := t.ReadDir(dir)
	if err != nil {
		return fmt.Sprintf("%s: cannot be listed\n", dir)
	}
	for _, e := range entries {
		name := strings.TrimPrefix(dir+"/"+e.Name(), "/")
		info, err := t.Lstat(name)
		if err != nil {
			return err.Error()
		}
		switch {
		case info.IsDir():
			fmt.Fprintf(&b, "%s/\n%s", name, listing(t, name))
		case info.Mode()&fs.ModeSymlink != 0:
			target, _ := t.Readlink(name)
			fmt.Fprintf(&b, "%s -> %s\n", name, target)
		default:
			data, _ := t.ReadFile(name)
			fmt.Fprintf(&b, "%s %q\n", name, data)
		}
	}
	return b.String()
}

// throughLink tells whether a part of a name is a link.
func throughLink(d disk, name string) bool {
	for at := name; at != "."; at = filepath.Dir(at) {
		if st, err := d.Lstat(at); err == nil && st.Mode()&fs.ModeSymlink != 0 {
			return true
		}
	}
	return false
}

// TestAnOverlayShowsWhatADiskWouldHold does the same to both and compares.
func TestAnOverlayShowsWhatADiskWouldHold(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp("", "rastos-overlay-")
		if err != nil {
			rt.Fatal(err)
		}
		defer os.RemoveAll(dir)
		below, real := disk{filepath.Join(dir, "below")}, disk{filepath.Join(dir, "real")}
		name := rapid.SampledFrom([]string{"a", "b", "a/a", "a/b", "b/c", "a/a/d", "b/c/d"})
		step := func(t tree, what int, name, text string) error {
			switch what {
			case 0:
				return t.WriteFile(name, []byte(text), 0o644)
			case 1:
				return t.MkdirAll(name, 0o755)
			case 2:
				return t.Symlink("to-"+text, name)
			case 3:
				return t.Remove(name)
			}
			return t.RemoveAll(name)
		}
		for _, d := range []disk{below, real} {
			if err := os.Mkdir(d.dir, 0o755); err != nil {
				rt.Fatal(err)
			}
		}
		for range rapid.IntRange(0, 6).Draw(rt, "before") {
			what, n, text := rapid.IntRange(0, 2).Draw(rt, "do"), name.Draw(rt, "name"), rapid.SampledFrom([]string{"x", "y"}).Draw(rt, "text")
			_, _ = step(below, what, n, text), step(real, what, n, text)
		}
		before := listing(below, "")
		over := New(below)
		for range rapid.IntRange(1, 8).Draw(rt, "steps") {
			what, n, text := rapid.IntRange(0, 4).Draw(rt, "do"), name.Draw(rt, "name"), rapid.SampledFrom([]string{"x", "y"}).Draw(rt, "text")
			if what == 1 && throughLink(real, n) {
				continue // whether a link leads to a folder, only the disk knows
			}
			e1, e2 := step(over, what, n, text), step(real, what, n, text)
			if what != 4 && (e1 == nil) != (e2 == nil) {
				rt.Fatalf("step %d on %s: overlay %v, disk %v\n%s", what, n, e1, e2, listing(real, ""))
			}
		}
		if diff := cmp.Diff(listing(real, ""), listing(over, "")); diff != "" {
			rt.Fatal(diff)
		}
		if listing(below, "") != before {
			rt.Fatal("the tree below was changed")
		}
		for _, c := range over.Changes() {
			_, e1 := below.Lstat(c.Path)
			_, e2 := real.Lstat(c.Path)
			if c.Kind == Remove && (e1 != nil || e2 == nil) || c.Kind != Remove && e2 != nil {
				rt.Fatalf("%+v is no change", c)
			}
		}
	})
}
