// SPDX-License-Identifier: GPL-3.0-or-later

// Package rootfs is the file system of the system that a transaction changes:
// it looks at what is there and moves, makes, dresses and removes it. A path is
// as a package lists it: relative to the root, a directory with or without "/" at
// its end. Nothing is reached outside the root, whatever links lead there.
//
// Contents are not written here: packages are unpacked by alpm/extract.
package rootfs

import (
	"crypto/md5"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
)

// Tree looks at and removes files of the system tree. Links in the
// directories of a path lead where they lead on the running system, absolute
// ones too, and never out of the tree: they are followed here, step by step,
// and os.Root is asked for paths without links only, so that a link that
// appears meanwhile cannot lead outside either. (os.Root alone refuses
// absolute links, which system trees are full of.)
type Tree struct {
	root *os.Root
	real map[string]string // directory as written → without links; absent ones are not kept
	gone map[string]bool   // directories known not to exist

	at   string   // directory that here is open on
	here *os.Root // the last directory asked about: lists are sorted
}

// Open takes the directory that is the root of the system. A Tree remembers where
// directories are, and so belongs to one goroutine.
func Open(dir string) (*Tree, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	t := &Tree{root: root}
	t.Forget()
	return t, nil
}

// Close gives the root back.
func (t *Tree) Close() {
	t.Forget()
	_ = t.root.Close()
}

// Forget drops what is remembered about directories: others changed them.
func (t *Tree) Forget() {
	if t.here != nil {
		_ = t.here.Close()
	}
	t.at, t.here = "", nil
	t.real, t.gone = map[string]string{"": "."}, map[string]bool{}
}

// Remembers tells whether a directory of this name was found, or found missing.
func (t *Tree) Remembers(name string) bool {
	_, found := t.real[name]
	return found || t.gone[name]
}

// maxFollow is the kernel's limit for links in one path.
const maxFollow = 40

// Dir is the directory without links; fs.ErrNotExist where there is none.
func (t *Tree) Dir(name string) (string, error) {
	if real, ok := t.real[name]; ok {
		return real, nil
	}
	if t.gone[name] {
		return "", fs.ErrNotExist
	}
	real, err := t.follow(name, maxFollow)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
			t.gone[name] = true
			err = fs.ErrNotExist
		}
		return "", err
	}
	t.real[name] = real
	return real, nil
}

func (t *Tree) follow(name string, left int) (string, error) {
	if left == 0 {
		return "", &fs.PathError{Op: "resolve", Path: name, Err: syscall.ELOOP}
	}
	up, base := SplitPath(name)
	above, err := t.Dir(up)
	if err != nil {
		return "", err
	}
	switch base {
	case "", ".":
		return above, nil
	case "..": // of the tree's root it is the root again
		return path.Dir(above), nil
	}
	full := path.Join(above, base)
	info, err := t.root.Lstat(full)
	switch {
	case err != nil:
		return "", err
	case info.IsDir():
		return full, nil
	case info.Mode()&fs.ModeSymlink == 0:
		return "", syscall.ENOTDIR
	}
	target, err := t.root.Readlink(full)
	if err != nil {
		return "", err
	}
	return t.follow(linkTarget(above, target), left-1)
}

// linkTarget is where a link in a (real) directory leads, as a path from the
// root. It is not made shorter: a ".." in it may come after another link.
func linkTarget(dir, target string) string {
	if path.IsAbs(target) {
		return strings.TrimLeft(target, "/")
	}
	return dir + "/" + target
}

// SplitPath is the directory that a path is in, and its name there.
func SplitPath(name string) (dir, base string) {
	name = strings.TrimSuffix(name, "/")
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		return name[:i], name[i+1:]
	}
	return "", name
}

// RealPath is a path with its directories resolved, itself not.
func (t *Tree) RealPath(name string) (string, error) {
	dir, base := SplitPath(name)
	real, err := t.Dir(dir)
	if err != nil {
		return "", err
	}
	switch base {
	case "", ".":
		return real, nil
	case "..":
		return path.Dir(real), nil
	}
	return path.Join(real, base), nil
}

// parent opens the directory that a path is in.
func (t *Tree) parent(name string) (*os.Root, string, error) {
	dir, base := SplitPath(name)
	if t.here != nil && t.at == dir {
		return t.here, base, nil
	}
	real, err := t.Dir(dir)
	if err != nil {
		return nil, "", err
	}
	here, err := t.root.OpenRoot(real)
	if err != nil {
		return nil, "", err
	}
	if t.here != nil {
		_ = t.here.Close()
	}
	t.at, t.here = dir, here
	return here, base, nil
}

// Lstat describes what is at a path, a link itself.
func (t *Tree) Lstat(name string) (fs.FileInfo, error) {
	d, base, err := t.parent(name)
	if err != nil {
		return nil, err
	}
	return d.Lstat(base)
}

// Readlink is what a link says.
func (t *Tree) Readlink(name string) (string, error) {
	d, base, err := t.parent(name)
	if err != nil {
		return "", err
	}
	return d.Readlink(base)
}

// Remove deletes a file or an empty directory.
func (t *Tree) Remove(name string) error {
	d, base, err := t.parent(name)
	if err != nil {
		return err
	}
	// os.Root.Remove tries both unlink and rmdir; what is remembered below
	// this name is void in any case.
	err = d.Remove(base)
	if strings.HasSuffix(name, "/") && err == nil {
		t.Forget()
	}
	return err
}

// Rename changes the name of a file inside its directory.
func (t *Tree) Rename(name, newBase string) error {
	d, base, err := t.parent(name)
	if err != nil {
		return err
	}
	return d.Rename(base, newBase)
}

// Names lists a directory.
func (t *Tree) Names(name string) ([]fs.DirEntry, error) {
	real, err := t.Dir(strings.TrimSuffix(name, "/"))
	if err != nil {
		return nil, err
	}
	f, err := t.root.Open(real)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.ReadDir(-1)
}

// Empty tells whether a directory has no entry, reading one at most.
func (t *Tree) Empty(name string) (bool, error) {
	real, err := t.Dir(strings.TrimSuffix(name, "/"))
	if err != nil {
		return false, err
	}
	f, err := t.root.Open(real)
	if err != nil {
		return false, err
	}
	defer f.Close()
	_, err = f.Readdirnames(1)
	if errors.Is(err, io.EOF) {
		return true, nil
	}
	return false, err
}

// final is a path without links, its last part followed too.
func (t *Tree) final(name string) (string, error) {
	for range maxFollow {
		real, err := t.RealPath(name)
		if err != nil {
			return "", err
		}
		info, err := t.root.Lstat(real)
		if err != nil {
			return "", err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			return real, nil
		}
		target, err := t.root.Readlink(real)
		if err != nil {
			return "", err
		}
		name = linkTarget(path.Dir(real), target)
	}
	return "", &fs.PathError{Op: "resolve", Path: name, Err: syscall.ELOOP}
}

// Open opens what is at a path for reading, following a link.
func (t *Tree) Open(name string) (*os.File, error) {
	real, err := t.final(name)
	if err != nil {
		return nil, err
	}
	return t.root.Open(real)
}

// MD5 hashes a file, following a link as libalpm does. A file that is not
// there, or not a regular one, has the hash "".
func (t *Tree) MD5(name string) (string, error) {
	f, err := t.Open(name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ELOOP) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return "", err
	}
	h := md5.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// IsMountPoint tells whether a directory is on another device than its parent.
func (t *Tree) IsMountPoint(name string) bool {
	info, err := t.Lstat(name)
	if err != nil {
		return false
	}
	up, err := t.upInfo(name)
	if err != nil {
		return false
	}
	a, ok1 := info.Sys().(*syscall.Stat_t)
	b, ok2 := up.Sys().(*syscall.Stat_t)
	return ok1 && ok2 && a.Dev != b.Dev
}

func (t *Tree) upInfo(name string) (fs.FileInfo, error) {
	d, _, err := t.parent(name)
	if err != nil {
		return nil, err
	}
	return d.Stat(".")
}
