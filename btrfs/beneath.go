// SPDX-License-Identifier: GPL-3.0-or-later

package btrfs

import (
	"encoding/binary"
	"os"

	"golang.org/x/sys/unix"
)

// OpenBeneath opens a name below a directory with no symbolic link on the way or
// at its end, and never outside: for names that somebody else chose.
func OpenBeneath(root *os.File, name string, flags int) (*os.File, error) {
	how := unix.OpenHow{
		Flags:   uint64(flags) | unix.O_CLOEXEC | unix.O_NOFOLLOW,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_XDEV,
	}
	for {
		fd, err := unix.Openat2(int(root.Fd()), name, &how)
		if err == unix.EINTR || err == unix.EAGAIN {
			continue // EAGAIN: something was renamed meanwhile
		}
		if err != nil {
			return nil, err
		}
		return os.NewFile(uintptr(fd), name), nil
	}
}

// Item types that hold the names of an inode: those of up to about 4 KB, and
// what has no room there.
const (
	inodeRefType    = 12
	inodeExtRefType = 13
)

// Names lists all names of an inode in the subvolume that root is an open
// directory of, relative to the subvolume.
func Names(root *os.File, inode uint64) (names []string, err error) {
	dirs := map[uint64]string{}
	add := func(parent uint64, name string) error {
		dir, known := dirs[parent]
		if !known {
			var err error
			if dir, err = lookup(root, 0, parent); err != nil {
				return err
			}
			dirs[parent] = dir
		}
		names = append(names, dir+name)
		return nil
	}
	err = search(root, 0, inode, inode, inodeRefType, inodeExtRefType, func(it item) error {
		return eachName(it, add)
	})
	return names, fail("list the names of an inode in", root.Name(), err)
}

// eachName reads struct btrfs_inode_ref and btrfs_inode_extref, of which an item
// holds several.
func eachName(it item, add func(parent uint64, name string) error) error {
	head := 10 // index and length of the name
	if it.kind == inodeExtRefType {
		head = 18 // the parent, too
	}
	for b := it.data; len(b) > 0; {
		if len(b) < head {
			return errShortItem
		}
		parent, n := it.offset, int(binary.LittleEndian.Uint16(b[head-2:]))
		if it.kind == inodeExtRefType {
			parent = binary.LittleEndian.Uint64(b)
		}
		if len(b) < head+n {
			return errShortItem
		}
		if err := add(parent, string(b[head:head+n])); err != nil {
			return err
		}
		b = b[head+n:]
	}
	return nil
}
