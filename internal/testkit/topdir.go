// SPDX-License-Identifier: GPL-3.0-or-later

package testkit

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// DirFiles gives files below a directory by name, as the top level of a file
// system does. WriteFile is atomic by rename.
type DirFiles struct{ Dir string }

func (d DirFiles) at(name string) string { return filepath.Join(d.Dir, filepath.FromSlash(name)) }

// ReadFile reads a file.
func (d DirFiles) ReadFile(name string) ([]byte, error) { return os.ReadFile(d.at(name)) }

// WriteFile writes a file by rename.
func (d DirFiles) WriteFile(name string, data []byte, perm fs.FileMode) error {
	tmp := d.at(name) + ".tmp"
	if err := os.WriteFile(tmp, data, perm); err != nil {
		return err
	}
	return os.Rename(tmp, d.at(name))
}

// MkdirAll makes a directory and its parents.
func (d DirFiles) MkdirAll(name string, perm fs.FileMode) error { return os.MkdirAll(d.at(name), perm) }

// ReadDir lists a directory.
func (d DirFiles) ReadDir(name string) ([]fs.DirEntry, error) { return os.ReadDir(d.at(name)) }

// Lstat looks at a name.
func (d DirFiles) Lstat(name string) (fs.FileInfo, error) { return os.Lstat(d.at(name)) }

// RemoveAll removes a tree.
func (d DirFiles) RemoveAll(name string) error { return os.RemoveAll(d.at(name)) }

// FakeSubvolumes stands in for btrfs where a test has no root: a subvolume is
// a directory, a snapshot a copy. It keeps what makes btrfs awkward: creating
// over something fails, deleting what is none or holds others fails, a read-only
// one refuses to be snapshotted over. A change's generation is counted by Touch.
type FakeSubvolumes struct {
	t    testing.TB
	mu   sync.Mutex
	subs map[string]bool // path → read-only
	gens map[string]uint64
}

// NewFakeSubvolumes returns an empty stand-in.
func NewFakeSubvolumes(t testing.TB) *FakeSubvolumes {
	return &FakeSubvolumes{t: t, subs: map[string]bool{}, gens: map[string]uint64{}}
}

// Create makes an empty subvolume.
func (f *FakeSubvolumes) Create(path string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := os.Mkdir(path, 0o755); err != nil {
		return err
	}
	f.subs[path] = false
	return nil
}

// Snapshot copies src to dst.
func (f *FakeSubvolumes) Snapshot(src, dst string, readOnly bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.subs[src]; !ok {
		return fmt.Errorf("snapshot %s: not a subvolume", src)
	}
	if _, err := os.Lstat(dst); err == nil {
		return &fs.PathError{Op: "snapshot", Path: dst, Err: fs.ErrExist}
	}
	if err := CopyTree(dst, src); err != nil {
		return fmt.Errorf("snapshot %s: %w", src, err)
	}
	f.subs[dst] = readOnly
	f.gens[dst] = f.gens[src]
	return nil
}

// Delete removes a subvolume.
func (f *FakeSubvolumes) Delete(path string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.subs[path]; !ok {
		return fmt.Errorf("delete %s: not a subvolume", path)
	}
	for p := range f.subs {
		if strings.HasPrefix(p, path+"/") {
			return &fs.PathError{Op: "delete", Path: path, Err: syscall.ENOTEMPTY}
		}
	}
	delete(f.subs, path)
	return os.RemoveAll(path)
}

// Sync has nothing to do.
func (f *FakeSubvolumes) Sync(string) error { return nil }

// IsSubvolume tells whether path was made here.
func (f *FakeSubvolumes) IsSubvolume(path string) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, ok := f.subs[path]
	return ok, nil
}

// Below lists the subvolumes inside one, deepest first.
func (f *FakeSubvolumes) Below(path string) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	for p := range f.subs {
		if strings.HasPrefix(p, path+"/") {
			out = append(out, p)
		}
	}
	slices.Sort(out)
	slices.Reverse(out)
	return out, nil
}

// MountedAt is nowhere: nothing is mounted.
func (f *FakeSubvolumes) MountedAt(string) (string, error) { return "", nil }

// Generation is what Touch counted.
func (f *FakeSubvolumes) Generation(path string) (uint64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.subs[path]; !ok {
		return 0, &fs.PathError{Op: "generation of", Path: path, Err: fs.ErrNotExist}
	}
	return f.gens[path], nil
}

// Touch advances the generation of a subvolume, as a write does.
func (f *FakeSubvolumes) Touch(path string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gens[path]++
}

// ReadOnly tells whether a subvolume was made read-only.
func (f *FakeSubvolumes) ReadOnly(path string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.subs[path]
}
