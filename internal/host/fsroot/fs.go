// SPDX-License-Identifier: GPL-3.0-or-later

package fsroot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// FS is an open system root. Its methods may be called from many goroutines.
type FS struct {
	dir  *os.File
	path string
	sync bool
}

// Open opens the directory dir as a root. Links in dir itself are followed.
func Open(dir string) (*FS, error) {
	f, err := os.OpenFile(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return &FS{dir: f, path: dir, sync: true}, nil
}

// Close closes the root, also for the views that WithoutSync gave.
func (r *FS) Close() error { return r.dir.Close() }

// Path is the directory that Open was given, for messages and for programs.
func (r *FS) Path() string { return r.path }

// WithoutSync is the same root with no syncs.
func (r *FS) WithoutSync() *FS { return &FS{dir: r.dir, path: r.path} }

// Sub opens a directory below the root as a root of its own. It is closed apart.
func (r *FS) Sub(name string) (*FS, error) {
	f, err := r.openAt(name, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, r.fail("open", name, err)
	}
	return &FS{dir: f, path: r.full(name), sync: r.sync}, nil
}

func (r *FS) full(name string) string {
	return strings.TrimRight(r.path, "/") + "/" + strings.TrimLeft(name, "/")
}

func (r *FS) fail(op, name string, err error) error {
	if err == nil {
		return nil
	}
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return &fs.PathError{Op: op, Path: r.full(name), Err: err}
}

const resolveInRoot = unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS

// openAt resolves a name from the root.
func (r *FS) openAt(name string, flags int, perm uint32) (*os.File, error) {
	if name = strings.TrimLeft(name, "/"); name == "" {
		name = "."
	}
	return openat2(r.dir, name, flags, perm, resolveInRoot)
}

// eagain bounds the repeats when renames elsewhere race with "..": the kernel
// cannot prove then that the walk stayed inside, and asks to try again.
const eagain = 128

func openat2(dir *os.File, name string, flags int, perm uint32, resolve uint64) (*os.File, error) {
	if strings.ContainsRune(name, 0) {
		return nil, unix.EINVAL
	}
	how := unix.OpenHow{Flags: uint64(flags | unix.O_CLOEXEC), Resolve: resolve}
	if flags&unix.O_CREAT != 0 {
		how.Mode = uint64(perm)
	}
	var fd int
	err := control(dir, func(dirfd int) (err error) {
		for range eagain {
			fd, err = unix.Openat2(dirfd, name, &how)
			if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) {
				return err
			}
		}
		return err
	})
	if errors.Is(err, unix.ENOSYS) {
		return nil, fmt.Errorf("openat2 (Linux 5.6 or a container that allows it): %w", err)
	}
	if err != nil {
		return nil, err
	}
	// The name is for messages only.
	return os.NewFile(uintptr(fd), strings.TrimRight(dir.Name(), "/")+"/"+name), nil
}

// control calls fn with the descriptor of f, which stays open meanwhile.
func control(f *os.File, fn func(fd int) error) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	if err := conn.Control(func(fd uintptr) { inner = fn(int(fd)) }); err != nil {
		return err
	}
	return inner
}

// errName is a last component that names no entry of a directory.
var errName = errors.New("the name ends in no file name")

// at opens the directory that holds name and calls fn with its descriptor and
// the last component, which the *at calls take as it is.
func (r *FS) at(name string, fn func(dirfd int, base string) error) error {
	return r.in(name, func(dir *os.File, base string) error {
		return control(dir, func(fd int) error { return retry(func() error { return fn(fd, base) }) })
	})
}

// in is at with an open directory.
func (r *FS) in(name string, fn func(dir *os.File, base string) error) error {
	parent, base, err := split(name)
	if err != nil {
		return err
	}
	dir, err := r.openAt(parent, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer dir.Close()
	return fn(dir, base)
}

// inOrRoot is in for calls that also make sense on the root itself.
func (r *FS) inOrRoot(name string, fn func(dir *os.File, base string) error) error {
	if strings.Trim(name, "/") == "" || name == "." {
		return fn(r.dir, ".")
	}
	return r.in(name, fn)
}

func (r *FS) atOrRoot(name string, fn func(dirfd int, base string) error) error {
	return r.inOrRoot(name, func(dir *os.File, base string) error {
		return control(dir, func(fd int) error { return retry(func() error { return fn(fd, base) }) })
	})
}

func split(name string) (parent, base string, err error) {
	name = strings.TrimRight(name, "/")
	parent, base = "", name
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		parent, base = name[:i], name[i+1:]
	}
	if base == "" || base == "." || base == ".." {
		return "", "", errName
	}
	if strings.ContainsRune(base, 0) {
		return "", "", unix.EINVAL
	}
	return parent, base, nil
}

func retry(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// syncDir makes the names in a directory durable.
func (r *FS) syncDir(dir *os.File) error {
	if !r.sync {
		return nil
	}
	f, err := openat2(dir, ".", unix.O_RDONLY|unix.O_DIRECTORY, 0, unix.RESOLVE_BENEATH)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// Sync writes out everything of the file system that holds the root.
func (r *FS) Sync() error {
	f, err := r.openAt(".", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return r.fail("sync", "", err)
	}
	defer f.Close()
	return r.fail("sync", "", control(f, func(fd int) error {
		return retry(func() error { return unix.Syncfs(fd) })
	}))
}
