// SPDX-License-Identifier: GPL-3.0-or-later

package fsroot

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// errIrregular keeps a read from waiting on a pipe or touching a device that
// lies where a file is expected.
var errIrregular = errors.New("not a regular file")

// Open opens a file for reading. A pipe or device does not block.
func (r *FS) Open(name string) (*os.File, error) { return r.OpenFile(name, os.O_RDONLY, 0) }

// OpenFile opens a file with the flags of package os. perm is used as it is,
// with setuid and its like but under the umask. A link in the last component is
// followed inside the root, unless syscall.O_NOFOLLOW is among the flags. List
// a directory with ReadDir of the root: that of the file looks entries up by path.
func (r *FS) OpenFile(name string, flag int, perm fs.FileMode) (*os.File, error) {
	f, err := r.openAt(name, flag|unix.O_NONBLOCK|unix.O_NOCTTY, unixPerm(perm))
	return f, r.fail("open", name, err)
}

// ReadFile reads a regular file.
func (r *FS) ReadFile(name string) ([]byte, error) {
	f, err := r.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, r.fail("stat", name, err)
	}
	if st.IsDir() {
		return nil, r.fail("read", name, unix.EISDIR)
	}
	if !st.Mode().IsRegular() {
		return nil, r.fail("read", name, errIrregular)
	}
	buf := make([]byte, 0, min(st.Size(), 64<<20)+1)
	for {
		n, err := f.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if errors.Is(err, io.EOF) {
			return buf, nil
		}
		if err != nil {
			return nil, r.fail("read", name, err)
		}
		if len(buf) == cap(buf) {
			buf = slices.Grow(buf, 4096)
		}
	}
}

// Lstat describes the name itself.
func (r *FS) Lstat(name string) (fs.FileInfo, error) { return r.stat(name, unix.O_NOFOLLOW) }

// Stat describes what the name leads to.
func (r *FS) Stat(name string) (fs.FileInfo, error) { return r.stat(name, 0) }

func (r *FS) stat(name string, flags int) (fs.FileInfo, error) {
	f, err := r.openAt(name, unix.O_PATH|flags, 0)
	if err != nil {
		return nil, r.fail("stat", name, err)
	}
	defer f.Close()
	var st unix.Stat_t
	err = control(f, func(fd int) error { return retry(func() error { return unix.Fstat(fd, &st) }) })
	if err != nil {
		return nil, r.fail("stat", name, err)
	}
	return newInfo(name, &st), nil
}

// Readlink reads where a link points to, as it was written.
func (r *FS) Readlink(name string) (string, error) {
	var target string
	err := r.at(name, func(dirfd int, base string) error {
		buf := make([]byte, unix.PathMax)
		n, err := unix.Readlinkat(dirfd, base, buf)
		if err == nil {
			target = string(buf[:n])
		}
		return err
	})
	return target, r.fail("readlink", name, err)
}

// ReadDir lists a directory, sorted by name.
func (r *FS) ReadDir(name string) ([]fs.DirEntry, error) {
	f, err := r.openAt(name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, r.fail("read directory", name, err)
	}
	defer f.Close()
	infos, err := entries(f)
	if err != nil {
		return nil, r.fail("read directory", name, err)
	}
	out := make([]fs.DirEntry, len(infos))
	for i, in := range infos {
		out[i] = in
	}
	return out, nil
}

// entries describes all names of an open directory by descriptor: the entries
// that package os returns look their names up by path, outside of the root.
func entries(dir *os.File) ([]*info, error) {
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	out := make([]*info, 0, len(names))
	err = control(dir, func(fd int) error {
		for _, name := range names {
			var st unix.Stat_t
			err := retry(func() error { return unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) })
			if errors.Is(err, unix.ENOENT) {
				continue // removed meanwhile
			}
			if err != nil {
				return &fs.PathError{Op: "stat", Path: name, Err: err}
			}
			out = append(out, newInfo(name, &st))
		}
		return nil
	})
	return out, err
}

// Walk visits everything below the root, directories before what they hold, in
// the order of names; the root itself is not visited. Links are not followed,
// mounts and subvolumes are entered. When visit returns fs.SkipDir for a
// directory, its contents are left out; fs.SkipAll ends the walk.
func (r *FS) Walk(visit func(name string, info fs.FileInfo) error) error {
	return r.WalkBelow("", visit)
}

// WalkBelow is Walk for the contents of one directory. The names are still
// relative to the root.
func (r *FS) WalkBelow(dir string, visit func(name string, info fs.FileInfo) error) error {
	f, err := r.openAt(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK, 0)
	if err != nil {
		return r.fail("walk", dir, err)
	}
	defer f.Close()
	err = r.walk(f, strings.Trim(dir, "/"), visit)
	if errors.Is(err, fs.SkipAll) {
		return nil
	}
	return err
}

func (r *FS) walk(dir *os.File, prefix string, visit func(string, fs.FileInfo) error) error {
	infos, err := entries(dir)
	if err != nil {
		return r.fail("walk", prefix, err)
	}
	for _, in := range infos {
		name := path.Join(prefix, in.name)
		err := visit(name, in)
		if errors.Is(err, fs.SkipDir) && in.IsDir() {
			continue
		}
		if err != nil {
			return err
		}
		if !in.IsDir() {
			continue
		}
		sub, err := below(dir, in.name)
		if err != nil {
			return r.fail("walk", name, err)
		}
		err = r.walk(sub, name, visit)
		sub.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// below opens a directory in an open one; what became a link meanwhile fails.
func below(dir *os.File, name string) (*os.File, error) {
	return openat2(dir, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0,
		unix.RESOLVE_BENEATH|unix.RESOLVE_NO_SYMLINKS)
}
