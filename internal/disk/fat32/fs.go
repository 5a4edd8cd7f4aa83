// SPDX-License-Identifier: GPL-3.0-or-later

package fat32

import (
	"errors"
	"io/fs"
	"math"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// FS is an open file system. Names are separated by slashes; case is no part
// of a name. Its methods may be called from many goroutines; nobody else may
// change the device meanwhile.
type FS struct {
	mu    sync.Mutex
	dev   Device
	g     geometry
	fat   []uint32
	dirty map[uint32]struct{} // sectors of the table
	free  uint32
	next  uint32 // no cluster below is free
	now   func() time.Time
}

// Open reads a file system of at most size bytes. now gives the times of what
// is written from here on.
func Open(dev Device, size int64, now func() time.Time) (*FS, error) {
	b := make([]byte, sectorSize)
	if _, err := dev.ReadAt(b, 0); err != nil {
		return nil, err
	}
	g, err := parseBoot(b, size)
	if err != nil {
		return nil, err
	}
	f := &FS{dev: dev, g: g, dirty: map[uint32]struct{}{}, now: now}
	return f, f.loadTable()
}

// Free is the room for contents in bytes, counted in the table.
func (f *FS) Free() (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return int64(f.free) * int64(f.g.clusterSize), nil
}

// Sync makes everything durable, where the device can (*os.File).
func (f *FS) Sync() error {
	if s, ok := f.dev.(interface{ Sync() error }); ok {
		return s.Sync()
	}
	return nil
}

func fail(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}

func clean(name string) string { return strings.Trim(path.Clean("/"+name), "/") }

// directory opens the directory of a name.
func (f *FS) directory(name string) (*dir, error) {
	d, err := f.readDir(f.g.root)
	if err != nil || name == "" {
		return d, err
	}
	for part := range strings.SplitSeq(name, "/") {
		e := d.find(part)
		if e == nil {
			return nil, fs.ErrNotExist
		}
		if !e.isDir() {
			return nil, syscall.ENOTDIR
		}
		if d, err = f.readDir(e.cluster); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// lookup opens the directory that holds a name, and finds the name in it.
func (f *FS) lookup(name string) (d *dir, e *entry, base string, err error) {
	parent, base := path.Split(clean(name))
	if base == "" {
		return nil, nil, "", fs.ErrInvalid
	}
	if d, err = f.directory(clean(parent)); err != nil {
		return nil, nil, "", err
	}
	return d, d.find(base), base, nil
}

func (f *FS) contents(e *entry) ([]uint32, error) {
	if e.cluster == 0 {
		return nil, nil
	}
	return f.chain(e.cluster, math.MaxInt64)
}

// ReadFile reads a file.
func (f *FS) ReadFile(name string) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	data, err := f.readFile(name)
	return data, fail("read", name, err)
}

func (f *FS) readFile(name string) ([]byte, error) {
	_, e, _, err := f.lookup(name)
	switch {
	case err != nil:
		return nil, err
	case e == nil:
		return nil, fs.ErrNotExist
	case e.isDir():
		return nil, syscall.EISDIR
	}
	clusters, err := f.contents(e)
	if err != nil {
		return nil, err
	}
	if int64(e.size) > int64(len(clusters))*int64(f.g.clusterSize) {
		return nil, ErrDamaged
	}
	return f.readClusters(clusters, int(e.size))
}

// WriteFile makes a file or replaces one. The directory must be there.
func (f *FS) WriteFile(name string, data []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return fail("write", name, f.writeFile(name, data))
}

func (f *FS) writeFile(name string, data []byte) error {
	d, e, base, err := f.lookup(name)
	if err != nil {
		return err
	}
	if e != nil && e.isDir() {
		return syscall.EISDIR
	}
	if uint64(len(data)) > math.MaxUint32 {
		return syscall.EFBIG
	}
	var old []uint32
	if e != nil {
		if old, err = f.contents(e); err != nil {
			return err
		}
	}
	clusters, err := f.allocate((len(data) + f.g.clusterSize - 1) / f.g.clusterSize)
	if err != nil {
		return err
	}
	if err := f.enter(d, e, base, clusters, data); err != nil {
		f.release(clusters)
		return errors.Join(err, f.flush())
	}
	f.release(old)
	return f.flush()
}

// enter writes contents and then names them.
func (f *FS) enter(d *dir, e *entry, base string, clusters []uint32, data []byte) error {
	if err := f.writeClusters(clusters, data); err != nil {
		return err
	}
	var first uint32
	if len(clusters) > 0 {
		first = clusters[0]
	}
	if e != nil {
		return d.point(e, first, uint32(len(data)), f.now())
	}
	return d.insert(base, attrArchive, first, uint32(len(data)), f.now())
}

// Remove removes a file or an empty directory.
func (f *FS) Remove(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return fail("remove", name, f.remove(name))
}

func (f *FS) remove(name string) error {
	d, e, _, err := f.lookup(name)
	if err != nil {
		return err
	}
	if e == nil {
		return fs.ErrNotExist
	}
	if e.isDir() {
		sub, err := f.readDir(e.cluster)
		if err != nil {
			return err
		}
		if len(sub.entries) > 0 {
			return syscall.ENOTEMPTY
		}
	}
	clusters, err := f.contents(e)
	if err != nil {
		return err
	}
	if err := d.erase(e); err != nil {
		return err
	}
	f.release(clusters)
	return f.flush()
}

// ReadDir lists a directory, sorted by name.
func (f *FS) ReadDir(name string) ([]fs.FileInfo, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	d, err := f.directory(clean(name))
	if err != nil {
		return nil, fail("read directory", name, err)
	}
	out := make([]fs.FileInfo, len(d.entries))
	for i, e := range d.entries {
		out[i] = info{e}
	}
	slices.SortFunc(out, func(a, b fs.FileInfo) int { return strings.Compare(a.Name(), b.Name()) })
	return out, nil
}

// MkdirAll makes a directory and its parents.
func (f *FS) MkdirAll(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	d, err := f.readDir(f.g.root)
	if err != nil {
		return fail("mkdir", name, err)
	}
	if clean(name) == "" {
		return nil
	}
	for part := range strings.SplitSeq(clean(name), "/") {
		e := d.find(part)
		if e != nil && !e.isDir() {
			return fail("mkdir", name, syscall.ENOTDIR)
		}
		next := uint32(0)
		if e != nil {
			next = e.cluster
		} else if next, err = f.mkdir(d, part); err != nil {
			return fail("mkdir", name, err)
		}
		if d, err = f.readDir(next); err != nil {
			return fail("mkdir", name, err)
		}
	}
	return nil
}

func (f *FS) mkdir(d *dir, name string) (uint32, error) {
	clusters, err := f.allocate(1)
	if err != nil {
		return 0, err
	}
	c, now := clusters[0], f.now()
	first := shortEntry(pack(".", ""), attrDir, c, 0, now)
	first = append(first, shortEntry(pack("..", ""), attrDir, f.upward(d), 0, now)...)
	err = f.writeClusters(clusters, first)
	if err == nil {
		err = d.insert(name, attrDir, c, 0, now)
	}
	if err != nil {
		f.release(clusters)
		return 0, errors.Join(err, f.flush())
	}
	return c, nil
}

// upward is what ".." holds for a parent: 0 means the root, whatever its cluster.
func (f *FS) upward(parent *dir) uint32 {
	if parent.cluster == f.g.root {
		return 0
	}
	return parent.cluster
}

type info struct{ e *entry }

func (i info) Name() string       { return i.e.name }
func (i info) Size() int64        { return int64(i.e.size) }
func (i info) ModTime() time.Time { return i.e.mtime }
func (i info) IsDir() bool        { return i.e.isDir() }
func (i info) Sys() any           { return nil }
func (i info) Mode() fs.FileMode {
	if i.e.isDir() {
		return fs.ModeDir | 0o755
	}
	return 0o644
}
