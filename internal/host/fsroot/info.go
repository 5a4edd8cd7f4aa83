// SPDX-License-Identifier: GPL-3.0-or-later

package fsroot

import (
	"io/fs"
	"path"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// info is an fs.FileInfo from one fstatat. Sys gives a *syscall.Stat_t, as
// that of package os does.
type info struct {
	name string
	st   syscall.Stat_t
}

func (i *info) Name() string       { return i.name }
func (i *info) Size() int64        { return i.st.Size }
func (i *info) IsDir() bool        { return i.Mode().IsDir() }
func (i *info) ModTime() time.Time { return time.Unix(i.st.Mtim.Unix()) }
func (i *info) Sys() any           { return &i.st }
func (i *info) Mode() fs.FileMode  { return fileMode(i.st.Mode) }

// info is an fs.DirEntry too: ReadDir has looked at every entry already.
func (i *info) Type() fs.FileMode          { return i.Mode().Type() }
func (i *info) Info() (fs.FileInfo, error) { return i, nil }
func (i *info) String() string             { return fs.FormatDirEntry(i) }

func newInfo(name string, st *unix.Stat_t) *info {
	i := &info{name: path.Base("/" + name)}
	i.st.Dev, i.st.Ino, i.st.Nlink, i.st.Mode = st.Dev, st.Ino, st.Nlink, st.Mode
	i.st.Uid, i.st.Gid, i.st.Rdev = st.Uid, st.Gid, st.Rdev
	i.st.Size, i.st.Blksize, i.st.Blocks = st.Size, st.Blksize, st.Blocks
	i.st.Atim, i.st.Mtim, i.st.Ctim = syscall.Timespec(st.Atim), syscall.Timespec(st.Mtim), syscall.Timespec(st.Ctim)
	return i
}

func fileMode(m uint32) fs.FileMode {
	mode := fs.FileMode(m & 0o777)
	switch m & unix.S_IFMT {
	case unix.S_IFDIR:
		mode |= fs.ModeDir
	case unix.S_IFLNK:
		mode |= fs.ModeSymlink
	case unix.S_IFBLK:
		mode |= fs.ModeDevice
	case unix.S_IFCHR:
		mode |= fs.ModeDevice | fs.ModeCharDevice
	case unix.S_IFIFO:
		mode |= fs.ModeNamedPipe
	case unix.S_IFSOCK:
		mode |= fs.ModeSocket
	}
	if m&unix.S_ISUID != 0 {
		mode |= fs.ModeSetuid
	}
	if m&unix.S_ISGID != 0 {
		mode |= fs.ModeSetgid
	}
	if m&unix.S_ISVTX != 0 {
		mode |= fs.ModeSticky
	}
	return mode
}

// unixPerm is the permission part of a mode with setuid, setgid and sticky.
func unixPerm(m fs.FileMode) uint32 {
	perm := uint32(m.Perm())
	if m&fs.ModeSetuid != 0 {
		perm |= unix.S_ISUID
	}
	if m&fs.ModeSetgid != 0 {
		perm |= unix.S_ISGID
	}
	if m&fs.ModeSticky != 0 {
		perm |= unix.S_ISVTX
	}
	return perm
}
