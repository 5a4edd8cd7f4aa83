// SPDX-License-Identifier: GPL-3.0-or-later

package trans

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/rastos/rastos/alpm/trans/rootfs"
)

// hookDir opens a directory of hooks. One below the root is read with the
// root's own idea of links.
func (r *runner) hookDir(dir string) (fs.FS, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	rootAbs, err := filepath.Abs(r.env.Root)
	if err != nil {
		return nil, err
	}
	if rel, err := filepath.Rel(rootAbs, abs); err == nil && filepath.IsLocal(rel) {
		t, err := r.hookTree()
		return treeFS{t, rel}, err
	}
	return os.DirFS(abs), nil
}

// hookTree is the tree; a run that changes the database alone has opened none.
func (r *runner) hookTree() (t *rootfs.Tree, err error) {
	if r.tree != nil {
		return r.tree, nil
	}
	if r.bare == nil {
		r.bare, err = rootfs.Open(r.env.Root)
	}
	return r.bare, err
}

// treeFS shows a directory of the tree as a file system.
type treeFS struct {
	tree *rootfs.Tree
	base string
}

func (t treeFS) path(name string) string { return filepath.Join(t.base, name) }

func (t treeFS) Open(name string) (fs.File, error) {
	f, err := t.tree.Open(t.path(name))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", t.path(name), err)
	}
	return f, nil
}

func (t treeFS) ReadLink(name string) (string, error)   { return t.tree.Readlink(t.path(name)) }
func (t treeFS) Lstat(name string) (fs.FileInfo, error) { return t.tree.Lstat(t.path(name)) }

// dirSet joins directories under their numbers: "0/x.hook" is in the first.
type dirSet []fs.FS

func (s dirSet) find(op, name string) (fs.FS, string, error) {
	first, rest, _ := strings.Cut(name, "/")
	n, err := strconv.Atoi(first)
	if err != nil || n < 0 || n >= len(s) {
		return nil, "", &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
	}
	if rest == "" {
		rest = "."
	}
	return s[n], rest, nil
}

func (s dirSet) Open(name string) (fs.File, error) {
	fsys, rest, err := s.find("open", name)
	if err != nil {
		return nil, err
	}
	return fsys.Open(rest)
}

func (s dirSet) ReadLink(name string) (string, error) {
	fsys, rest, err := s.find("readlink", name)
	if err != nil {
		return "", err
	}
	return fs.ReadLink(fsys, rest)
}

func (s dirSet) Lstat(name string) (fs.FileInfo, error) {
	fsys, rest, err := s.find("lstat", name)
	if err != nil {
		return nil, err
	}
	return fs.Lstat(fsys, rest)
}
