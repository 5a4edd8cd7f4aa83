// SPDX-License-Identifier: GPL-3.0-or-later

// Package overlay is a system tree that takes changes in memory: what a story
// would write is done to the overlay, and then asked for as a list, while the
// tree below it stays as it is.
//
// Files, links, folders and removals are implemented; owners and modes are
// taken and forgotten, since what is listed is content. Links of the tree below
// are followed there; one made in the overlay is followed when it is the name
// itself.
package overlay

import (
	"bytes"
	"io/fs"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Base is the tree below. Names are slash-separated and relative to its root.
type Base interface {
	ReadFile(name string) ([]byte, error)
	Readlink(name string) (string, error)
	Lstat(name string) (fs.FileInfo, error)
	ReadDir(name string) ([]fs.DirEntry, error)
}

// Kind says what a change does to a name.
type Kind string

// The kinds of change.
const (
	Write  Kind = "write"
	Link   Kind = "link"
	Remove Kind = "remove"
)

// Change is one name whose content is another than below.
type Change struct {
	Path string `json:"path"`
	Kind Kind   `json:"kind"`
}

// FS is an overlay.
type FS struct {
	base    Base
	nodes   map[string]*node
	touched map[string]bool // since Mark
}

// node is what the overlay has for a name.
type node struct {
	mode fs.FileMode // its type says what it is; fs.ModeIrregular: nothing
	data []byte      // of a file, or the target of a link
}

func (n *node) gone() bool { return n.mode&fs.ModeIrregular != 0 }

// New makes an overlay without changes.
func New(base Base) *FS {
	return &FS{base: base, nodes: map[string]*node{}, touched: map[string]bool{}}
}

// Mark begins a new count of what Touched returns.
func (f *FS) Mark() { f.touched = map[string]bool{} }

// Touched lists the changes of names that were written, linked or removed since
// Mark.
func (f *FS) Touched() []Change {
	return slices.DeleteFunc(f.Changes(), func(c Change) bool { return !f.touched[c.Path] })
}

func clean(name string) string { return strings.TrimPrefix(path.Clean("/"+name), "/") }

func fail(op, name string, err error) error { return &fs.PathError{Op: op, Path: name, Err: err} }

// look returns the overlay's node for a name, or that nothing is there: what
// the overlay has for a folder above hides all that is below it. nil: the tree
// below answers.
func (f *FS) look(name string) *node {
	if n := f.nodes[name]; n != nil {
		return n
	}
	if f.hidden(name) {
		return &node{mode: fs.ModeIrregular}
	}
	return nil
}

func (f *FS) hidden(name string) bool {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if f.nodes[dir] != nil {
			return true
		}
	}
	return false
}

// maxLinks ends a circle of links.
const maxLinks = 16

// ReadFile reads a file.
func (f *FS) ReadFile(name string) ([]byte, error) {
	at := clean(name)
	for range maxLinks {
		n := f.look(at)
		switch {
		case n == nil:
			return f.base.ReadFile(at)
		case n.gone():
			return nil, fail("open", name, fs.ErrNotExist)
		case n.mode&fs.ModeSymlink != 0:
			target := string(n.data)
			if !path.IsAbs(target) {
				target = path.Join("/", path.Dir(at), target)
			}
			at = clean(target)
		case n.mode.IsDir():
			return nil, fail("read", name, syscall.EISDIR)
		default:
			return bytes.Clone(n.data), nil
		}
	}
	return nil, fail("open", name, syscall.ELOOP)
}

// WriteFile makes or replaces a file.
func (f *FS) WriteFile(name string, data []byte, perm fs.FileMode) error {
	if err := f.parent("open", name); err != nil {
		return err
	}
	if info, err := f.Lstat(name); err == nil && info.IsDir() {
		return fail("open", name, syscall.EISDIR)
	}
	f.put(name, &node{mode: perm.Perm(), data: bytes.Clone(data)})
	return nil
}

func (f *FS) put(name string, n *node) {
	name = clean(name)
	f.nodes[name], f.touched[name] = n, true
}

// parent asks for the folder that a name is in.
func (f *FS) parent(op, name string) error {
	dir := path.Dir(clean(name))
	if dir == "." {
		return nil
	}
	n := f.look(dir)
	if n == nil {
		// Below, the folder may be a link to one.
		_, err := f.base.ReadDir(dir)
		return err
	}
	if n.gone() || n.mode&fs.ModeSymlink != 0 {
		return fail(op, name, fs.ErrNotExist)
	}
	if !n.mode.IsDir() {
		return fail(op, name, syscall.ENOTDIR)
	}
	return nil
}

// MkdirAll makes a folder and those above it.
func (f *FS) MkdirAll(name string, perm fs.FileMode) error {
	name = clean(name)
	if name == "" {
		return nil
	}
	if info, err := f.Lstat(name); err == nil && (info.IsDir() || info.Mode()&fs.ModeSymlink != 0) {
		return nil
	} else if err == nil {
		return fail("mkdir", name, syscall.ENOTDIR)
	}
	if err := f.MkdirAll(path.Dir("/" + name)[1:], perm); err != nil {
		return err
	}
	f.nodes[name] = &node{mode: fs.ModeDir | perm.Perm()}
	return nil
}

// Symlink makes a link.
func (f *FS) Symlink(target, name string) error {
	if err := f.parent("symlink", name); err != nil {
		return err
	}
	if _, err := f.Lstat(name); err == nil {
		return fail("symlink", name, fs.ErrExist)
	}
	f.put(name, &node{mode: fs.ModeSymlink | 0o777, data: []byte(target)})
	return nil
}

// Readlink reads where a link points.
func (f *FS) Readlink(name string) (string, error) {
	n := f.look(clean(name))
	switch {
	case n == nil:
		return f.base.Readlink(name)
	case n.gone():
		return "", fail("readlink", name, fs.ErrNotExist)
	case n.mode&fs.ModeSymlink == 0:
		return "", fail("readlink", name, syscall.EINVAL)
	}
	return string(n.data), nil
}

// Lstat looks at a name.
func (f *FS) Lstat(name string) (fs.FileInfo, error) {
	n := f.look(clean(name))
	switch {
	case n == nil:
		return f.base.Lstat(name)
	case n.gone():
		return nil, fail("lstat", name, fs.ErrNotExist)
	}
	return info{path.Base(name), n}, nil
}

// ReadDir lists a folder by name.
func (f *FS) ReadDir(name string) ([]fs.DirEntry, error) {
	dir := clean(name)
	entries := map[string]fs.DirEntry{}
	n := f.look(dir)
	switch {
	case n != nil && n.gone():
		return nil, fail("open", name, fs.ErrNotExist)
	case n != nil && !n.mode.IsDir():
		return nil, fail("open", name, syscall.ENOTDIR)
	case n == nil:
		below, err := f.base.ReadDir(name)
		if err != nil {
			return nil, err
		}
		for _, e := range below {
			entries[e.Name()] = e
		}
	}
	for at, n := range f.nodes {
		if clean(path.Dir(at)) != dir || at == "" {
			continue
		}
		delete(entries, path.Base(at))
		if !n.gone() {
			entries[path.Base(at)] = fs.FileInfoToDirEntry(info{path.Base(at), n})
		}
	}
	out := make([]fs.DirEntry, 0, len(entries))
	for _, e := range entries {
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return out, nil
}

// Remove removes a file, a link or an empty folder.
func (f *FS) Remove(name string) error {
	st, err := f.Lstat(name)
	if err != nil {
		return err
	}
	if st.IsDir() {
		in, err := f.ReadDir(name)
		if err != nil {
			return err
		}
		if len(in) > 0 {
			return fail("remove", name, syscall.ENOTEMPTY)
		}
	}
	return f.RemoveAll(name)
}

// RemoveAll removes what is there, if anything, with all that is in it.
func (f *FS) RemoveAll(name string) error {
	at := clean(name)
	f.touched[at] = true
	for other := range f.nodes {
		if strings.HasPrefix(other, at+"/") {
			delete(f.nodes, other)
		}
	}
	if _, err := f.base.Lstat(at); err != nil || f.hidden(at) {
		delete(f.nodes, at)
		return nil
	}
	f.nodes[at] = &node{mode: fs.ModeIrregular}
	return nil
}

// Chown asks for the name and forgets the owner.
func (f *FS) Chown(name string, _, _ int) error {
	_, err := f.Lstat(name)
	return err
}

// Chmod changes the mode of what the overlay has; below, it asks for the name.
func (f *FS) Chmod(name string, mode fs.FileMode) error {
	if n := f.look(clean(name)); n != nil && !n.gone() {
		n.mode = n.mode.Type() | mode.Perm()
		return nil
	}
	_, err := f.Lstat(name)
	return err
}

// Close has nothing to give back; the tree below is its owner's.
func (f *FS) Close() error { return nil }

// Changes lists the names whose content is another than below, sorted. New
// folders are not listed: what is in them is.
func (f *FS) Changes() []Change {
	var out []Change
	for name, n := range f.nodes {
		if kind := f.change(name, n); kind != "" {
			out = append(out, Change{name, kind})
		}
	}
	slices.SortFunc(out, func(a, b Change) int { return strings.Compare(a.Path, b.Path) })
	return out
}

func (f *FS) change(name string, n *node) Kind {
	switch {
	case n.gone():
		if _, err := f.base.Lstat(name); err == nil {
			return Remove
		}
	case n.mode&fs.ModeSymlink != 0:
		if old, err := f.base.Readlink(name); err != nil || old != string(n.data) {
			return Link
		}
	case n.mode.IsRegular():
		st, err := f.base.Lstat(name)
		if err != nil || !st.Mode().IsRegular() {
			return Write
		}
		if old, err := f.base.ReadFile(name); err != nil || !bytes.Equal(old, n.data) {
			return Write
		}
	}
	return ""
}

// info describes a node.
type info struct {
	name string
	node *node
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return int64(len(i.node.data)) }
func (i info) Mode() fs.FileMode  { return i.node.mode }
func (i info) ModTime() time.Time { return time.Time{} }
func (i info) IsDir() bool        { return i.node.mode.IsDir() }
func (i info) Sys() any           { return nil }
