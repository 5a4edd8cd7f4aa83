// SPDX-License-Identifier: GPL-3.0-or-later

package trans

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

// tree looks at and removes files of the system tree. Links in the
// directories of a path lead where they lead on the running system, absolute
// ones too, and never out of the tree: they are followed here, step by step,
// and os.Root is asked for paths without links only, so that a link that
// appears meanwhile cannot lead outside either. (os.Root alone refuses
// absolute links, which system trees are full of.)
type tree struct {
	root *os.Root
	real map[string]string // directory as written → without links; absent ones are not kept
	gone map[string]bool   // directories known not to exist

	at   string   // directory that here is open on
	here *os.Root // the last directory asked about: lists are sorted
}

func openTree(dir string) (*tree, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	t := &tree{root: root}
	t.forget()
	return t, nil
}

func (t *tree) close() {
	t.forget()
	_ = t.root.Close()
}

// forget drops what is remembered about directories: others changed them.
func (t *tree) forget() {
	if t.here != nil {
		_ = t.here.Close()
	}
	t.at, t.here = "", nil
	t.real, t.gone = map[string]string{"": "."}, map[string]bool{}
}

// maxFollow is the kernel's limit for links in one path.
const maxFollow = 40

// dir is the directory without links; fs.ErrNotExist where there is none.
func (t *tree) dir(name string) (string, error) {
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

func (t *tree) follow(name string, left int) (string, error) {
	if left == 0 {
		return "", &fs.PathError{Op: "resolve", Path: name, Err: syscall.ELOOP}
	}
	up, base := splitPath(name)
	above, err := t.dir(up)
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

func splitPath(name string) (dir, base string) {
	name = strings.TrimSuffix(name, "/")
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		return name[:i], name[i+1:]
	}
	return "", name
}

// realPath is a path with its directories resolved, itself not.
func (t *tree) realPath(name string) (string, error) {
	dir, base := splitPath(name)
	real, err := t.dir(dir)
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
func (t *tree) parent(name string) (*os.Root, string, error) {
	dir, base := splitPath(name)
	if t.here != nil && t.at == dir {
		return t.here, base, nil
	}
	real, err := t.dir(dir)
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

func (t *tree) lstat(name string) (fs.FileInfo, error) {
	d, base, err := t.parent(name)
	if err != nil {
		return nil, err
	}
	return d.Lstat(base)
}

func (t *tree) readlink(name string) (string, error) {
	d, base, err := t.parent(name)
	if err != nil {
		return "", err
	}
	return d.Readlink(base)
}

// remove deletes a file or an empty directory.
func (t *tree) remove(name string) error {
	d, base, err := t.parent(name)
	if err != nil {
		return err
	}
	// os.Root.Remove tries both unlink and rmdir; what is remembered below
	// this name is void in any case.
	err = d.Remove(base)
	if strings.HasSuffix(name, "/") && err == nil {
		t.forget()
	}
	return err
}

// rename changes the name of a file inside its directory.
func (t *tree) rename(name, newBase string) error {
	d, base, err := t.parent(name)
	if err != nil {
		return err
	}
	return d.Rename(base, newBase)
}

// names lists a directory.
func (t *tree) names(name string) ([]fs.DirEntry, error) {
	real, err := t.dir(strings.TrimSuffix(name, "/"))
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

// empty tells whether a directory has no entry, reading one at most.
func (t *tree) empty(name string) (bool, error) {
	real, err := t.dir(strings.TrimSuffix(name, "/"))
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
func (t *tree) final(name string) (string, error) {
	for range maxFollow {
		real, err := t.realPath(name)
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

// md5 hashes a file, following a link as libalpm does. A file that is not
// there, or not a regular one, has the hash "".
func (t *tree) md5(name string) (string, error) {
	real, err := t.final(name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ELOOP) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	f, err := t.root.Open(real)
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

// isMountPoint tells whether a directory is on another device than its parent.
func (t *tree) isMountPoint(name string) bool {
	info, err := t.lstat(name)
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

func (t *tree) upInfo(name string) (fs.FileInfo, error) {
	d, _, err := t.parent(name)
	if err != nil {
		return nil, err
	}
	return d.Stat(".")
}
