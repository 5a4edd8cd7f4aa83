// SPDX-License-Identifier: GPL-3.0-or-later

package receive

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/rastos/rastos/btrfs/stream"
)

// applier carries out commands below a root.
type applier struct {
	root    *os.File
	sources map[stream.UUID]*os.File // what may be cloned from
	opened  []*os.File
	decode  bool
	written int64

	dir      *os.File // the directory of the last command
	dirName  string
	current  *os.File // the file that was written last
	openName string
}

func (a *applier) do(c *stream.Command) error {
	switch c.Kind {
	case stream.Mkfile, stream.Mkdir, stream.Mknod, stream.Mkfifo, stream.Mksock, stream.Symlink:
		return a.make(c)
	case stream.Rename, stream.Link, stream.Unlink, stream.Rmdir:
		return a.name(c)
	case stream.SetXattr, stream.RemoveXattr, stream.Chmod, stream.Chown, stream.Utimes:
		return a.attribute(c)
	case stream.Write, stream.EncodedWrite, stream.Clone, stream.Truncate, stream.Fallocate:
		return a.content(c)
	case stream.UpdateExtent:
		return fmt.Errorf("the stream was sent without data, for comparing only")
	case stream.FileAttr, stream.End:
		return nil
	}
	return fmt.Errorf("it is not expected here")
}

func (a *applier) make(c *stream.Command) error {
	at, err := a.at(c.Path)
	if err != nil {
		return err
	}
	mode := uint32(0o600)
	switch c.Kind {
	case stream.Mkfile:
		// A name that is there already is never opened: it may be anything.
		fd, err := unix.Openat(at.dir, at.name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, mode)
		if err != nil {
			return err
		}
		return unix.Close(fd)
	case stream.Mkdir:
		return unix.Mkdirat(at.dir, at.name, 0o700)
	case stream.Symlink:
		return unix.Symlinkat(c.PathLink, at.dir, at.name)
	case stream.Mkfifo:
		return unix.Mknodat(at.dir, at.name, unix.S_IFIFO|mode, 0)
	case stream.Mksock:
		return unix.Mknodat(at.dir, at.name, unix.S_IFSOCK|mode, 0)
	}
	kind := uint32(c.Mode) & unix.S_IFMT
	if kind != unix.S_IFCHR && kind != unix.S_IFBLK {
		return fmt.Errorf("mode %o is no device's", c.Mode)
	}
	return unix.Mknodat(at.dir, at.name, kind|uint32(c.Mode)&0o7777, int(c.Rdev))
}

// name carries out what changes names.
func (a *applier) name(c *stream.Command) error {
	if err := a.closeFile(); err != nil {
		return err // its path may be another's from now on
	}
	from, err := a.at(c.Path)
	if err != nil {
		return err
	}
	switch c.Kind {
	case stream.Unlink:
		return unix.Unlinkat(from.dir, from.name, 0)
	case stream.Rmdir:
		a.forgetAfter(c.Path)
		return unix.Unlinkat(from.dir, from.name, unix.AT_REMOVEDIR)
	}
	other := c.PathTo
	if c.Kind == stream.Link {
		other = c.PathLink
	}
	// at holds one directory; this one must live on beside the next.
	dir, err := unix.FcntlInt(uintptr(from.dir), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	from.dir = dir
	to, err := a.at(other)
	if err != nil {
		return err
	}
	if c.Kind == stream.Link {
		// Here the new name comes first in the stream, and what is there second.
		return unix.Linkat(to.dir, to.name, from.dir, from.name, 0)
	}
	defer a.forget()
	return unix.Renameat(from.dir, from.name, to.dir, to.name)
}

// forgetAfter lets go of a directory that is going to be deleted.
func (a *applier) forgetAfter(p string) {
	if a.dirName == p {
		a.forget()
	}
}

func (a *applier) attribute(c *stream.Command) error {
	at, err := a.at(c.Path)
	if err != nil {
		return err
	}
	switch c.Kind {
	case stream.Chown:
		return unix.Fchownat(at.dir, at.name, int(c.UID), int(c.GID), unix.AT_SYMLINK_NOFOLLOW)
	case stream.Chmod:
		st, err := at.stat()
		if err != nil {
			return err
		}
		if st.Mode&unix.S_IFMT == unix.S_IFLNK {
			return errLink // it would change what the link points to
		}
		return unix.Fchmodat(at.dir, at.name, uint32(c.Mode)&0o7777, 0)
	case stream.Utimes:
		times := []unix.Timespec{
			{Sec: c.Atime.Unix(), Nsec: int64(c.Atime.Nanosecond())}, {Sec: c.Mtime.Unix(), Nsec: int64(c.Mtime.Nanosecond())},
		}
		return unix.UtimesNanoAt(at.dir, at.name, times, unix.AT_SYMLINK_NOFOLLOW)
	}
	// There is no call for the attributes of a name in an open directory.
	p := "/proc/self/fd/" + strconv.Itoa(at.dir) + "/" + at.name
	if c.Kind == stream.SetXattr {
		return unix.Lsetxattr(p, c.XattrName, c.XattrData, 0)
	}
	return unix.Lremovexattr(p, c.XattrName)
}
