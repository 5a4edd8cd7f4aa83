// SPDX-License-Identifier: GPL-3.0-or-later

package receive

import (
	"errors"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/rastos/rastos/btrfs"
)

var (
	errPath    = errors.New("the path is no plain relative one")
	errNotFile = errors.New("it is no regular file")
	errLink    = errors.New("it is a symbolic link")
	errSource  = errors.New("it clones from a subvolume that is not here")
)

func openDir(name string) (*os.File, error) {
	return os.OpenFile(name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
}

// place is a name in a directory that is held open.
type place struct {
	dir  int
	name string
}

// at finds the directory of a path of the stream and holds it open for the
// commands that follow: they come directory by directory.
func (a *applier) at(p string) (place, error) {
	if !plain(p) {
		return place{}, errPath
	}
	dir, name := path.Split(p)
	dir = strings.TrimSuffix(dir, "/")
	if name == "" {
		return place{dir: int(a.root.Fd()), name: "."}, nil // the root itself
	}
	if dir == "" {
		return place{dir: int(a.root.Fd()), name: name}, nil
	}
	if a.dir == nil || a.dirName != dir {
		a.forget()
		f, err := btrfs.OpenBeneath(a.root, dir, unix.O_PATH|unix.O_DIRECTORY)
		if err != nil {
			return place{}, err
		}
		a.dir, a.dirName = f, dir
	}
	return place{dir: int(a.dir.Fd()), name: name}, nil
}

// plain: a path as the kernel writes it, without anything to be resolved.
func plain(p string) bool {
	if p == "" {
		return true
	}
	for part := range strings.SplitSeq(p, "/") {
		if part == "" || part == "." || part == ".." {
			return false
		}
	}
	return true
}

// forget lets go of the directory, whose path may lead elsewhere from now on.
func (a *applier) forget() {
	if a.dir != nil {
		a.dir.Close()
		a.dir, a.dirName = nil, ""
	}
}

func (p place) stat() (unix.Stat_t, error) {
	var st unix.Stat_t
	err := unix.Fstatat(p.dir, p.name, &st, unix.AT_SYMLINK_NOFOLLOW)
	return st, err
}

// file opens the regular file of a path for writing, once for the commands that
// follow each other.
func (a *applier) file(p string) (*os.File, error) {
	if a.current != nil && a.openName == p {
		return a.current, nil
	}
	if err := a.closeFile(); err != nil {
		return nil, err
	}
	at, err := a.at(p)
	if err != nil {
		return nil, err
	}
	f, err := regular(at, unix.O_RDWR)
	if err != nil {
		return nil, err
	}
	a.current, a.openName = f, p
	return f, nil
}

// regular opens a file after a look: to open a device or a pipe would do
// something.
func regular(at place, flags int) (*os.File, error) {
	st, err := at.stat()
	if err != nil {
		return nil, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, errNotFile
	}
	fd, err := unix.Openat(at.dir, at.name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), at.name), nil
}

func (a *applier) closeFile() error {
	if a.current == nil {
		return nil
	}
	err := a.current.Close()
	a.current, a.openName = nil, ""
	return err
}

// source opens what is cloned from.
func (a *applier) source(root *os.File, p string) (*os.File, error) {
	if !plain(p) || p == "" {
		return nil, errPath
	}
	probe, err := btrfs.OpenBeneath(root, p, unix.O_PATH)
	if err != nil {
		return nil, err
	}
	defer probe.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(probe.Fd()), &st); err != nil {
		return nil, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, errNotFile
	}
	return btrfs.OpenBeneath(root, p, unix.O_RDONLY)
}

func (a *applier) close() error {
	a.forget()
	err := a.closeFile()
	for _, f := range append(a.opened, a.root) {
		if f != nil {
			err = errors.Join(err, f.Close())
		}
	}
	return err
}
