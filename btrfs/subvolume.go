// SPDX-License-Identifier: GPL-3.0-or-later

package btrfs

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

type volArgs struct {
	_    int64
	name [4088]byte
}

type volArgsV2 struct {
	fd    int64
	_     uint64 // transid
	flags uint64
	_     [4]uint64
	name  [4040]byte
}

// maxName is BTRFS_VOL_NAME_MAX.
const maxName = 255

// parent opens the directory that holds path and returns the last component.
func parent(path string) (*os.File, string, error) {
	dir, name := filepath.Split(filepath.Clean(path))
	if name == "" || name == "." || name == ".." || strings.ContainsRune(name, 0) {
		return nil, "", unix.EINVAL
	}
	if len(name) > maxName {
		return nil, "", unix.ENAMETOOLONG
	}
	if dir == "" {
		dir = "."
	}
	// The parent may be reached through a link (…/current/x); only the last
	// component is ours alone.
	f, err := os.Open(dir)
	if err != nil {
		return nil, "", bare(err)
	}
	return f, name, nil
}

// Create makes an empty subvolume. It is durable after SyncFS, not before.
func Create(path string) error {
	dir, name, err := parent(path)
	if err != nil {
		return fail("create subvolume", path, err)
	}
	defer dir.Close()
	var args volArgsV2
	copy(args.name[:], name)
	return fail("create subvolume", path, ioctl(dir, iocWrite, 24, &args))
}

// Snapshot makes dst a snapshot of the subvolume src. A read-only one is
// read-only from its first moment: it is never writable in between.
func Snapshot(src, dst string, readOnly bool) error {
	op := "snapshot " + src + " to"
	from, err := openSubvolume(src)
	if err != nil {
		return fail("snapshot", src, err)
	}
	defer from.Close()
	dir, name, err := parent(dst)
	if err != nil {
		return fail(op, dst, err)
	}
	defer dir.Close()
	args := volArgsV2{fd: int64(from.Fd())}
	if readOnly {
		args.flags = flagReadOnly
	}
	copy(args.name[:], name)
	return fail(op, dst, ioctl(dir, iocWrite, 23, &args))
}

// Delete deletes a subvolume and waits until the deletion is on the disk; the
// space comes back later, in the background. It refuses a subvolume that is
// mounted in this mount namespace (ErrMounted); the kernel refuses the default
// one and one that holds other subvolumes.
func Delete(path string) error {
	if err := DeleteNoWait(path); err != nil {
		return err
	}
	return Commit(filepath.Dir(filepath.Clean(path)))
}

// DeleteNoWait is Delete without the wait: for many in a row, with one Commit
// or SyncFS at the end. A power cut may bring the subvolume back whole.
func DeleteNoWait(path string) error {
	const op = "delete subvolume"
	f, err := openSubvolume(path)
	if err != nil {
		return fail(op, path, err)
	}
	where, err := mountedAt(f)
	f.Close()
	if err != nil {
		return fail(op, path, err)
	}
	if where != "" {
		return fail(op, path, errors.Join(ErrMounted, errors.New("at "+where)))
	}
	dir, name, err := parent(path)
	if err != nil {
		return fail(op, path, err)
	}
	defer dir.Close()
	var args volArgs
	copy(args.name[:], name)
	return fail(op, path, ioctl(dir, iocWrite, 15, &args))
}

// ReadOnly tells whether a subvolume is read-only.
func ReadOnly(path string) (bool, error) {
	f, err := openSubvolume(path)
	if err != nil {
		return false, fail("read the flags of subvolume", path, err)
	}
	defer f.Close()
	flags, err := subvolumeFlags(f)
	return flags&flagReadOnly != 0, fail("read the flags of subvolume", path, err)
}

func subvolumeFlags(f *os.File) (uint64, error) {
	var flags uint64
	err := ioctl(f, iocRead, 25, &flags)
	return flags, err
}

// SetReadOnly sets or clears the read-only property. A descriptor that was open
// for writing before still writes. Clearing it on a received subvolume makes
// incremental receive onto it wrong: take a writable snapshot instead.
func SetReadOnly(path string, readOnly bool) error {
	const op = "set the read-only property of subvolume"
	f, err := openSubvolume(path)
	if err != nil {
		return fail(op, path, err)
	}
	defer f.Close()
	flags, err := subvolumeFlags(f)
	if err != nil {
		return fail(op, path, err)
	}
	want := flags &^ flagReadOnly
	if readOnly {
		want |= flagReadOnly
	}
	if want == flags {
		return nil
	}
	return fail(op, path, ioctl(f, iocWrite, 26, &want))
}

// IsSubvolume tells whether path is the root of a subvolume. A path that is on
// another file system, or a file, is none; one that does not exist is an error.
func IsSubvolume(path string) (bool, error) {
	f, err := openSubvolume(path)
	switch {
	case err == nil:
		f.Close()
		return true, nil
	case errors.Is(err, ErrNotBtrfs), errors.Is(err, ErrNotSubvolume),
		errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ELOOP):
		// ENOTDIR also says that a parent is a file: then Lstat fails too.
		_, err := os.Lstat(path)
		return false, err
	}
	return false, fail("open", path, err)
}

// Commit commits the running transaction: every create, delete, rename and
// snapshot before it is durable afterwards. Unlike SyncFS it does not write out
// the data of files that other programs are still writing.
func Commit(path string) error {
	f, err := open(path)
	if err != nil {
		return fail("commit", path, err)
	}
	defer f.Close()
	var transid uint64
	if err := ioctl(f, iocRead, 24, &transid); err != nil {
		return fail("start the commit of", path, err)
	}
	return fail("wait for the commit of", path, ioctl(f, iocWrite, 22, &transid))
}

// SyncFS writes out all data and metadata of the file system that holds path,
// and fails if data written before was lost on the way (Linux 5.8).
func SyncFS(path string) error {
	f, err := open(path)
	if err != nil {
		return fail("sync", path, err)
	}
	defer f.Close()
	if err := rawIoctl(f, request(0, 8, 0), unsafe.Pointer(nil)); err != nil {
		return fail("sync", path, err)
	}
	// The call above is about metadata; only this one tells of lost data.
	var syncErr error
	conn, err := f.SyscallConn()
	if err == nil {
		err = conn.Control(func(fd uintptr) { syncErr = unix.Syncfs(int(fd)) })
	}
	return fail("sync", path, errors.Join(err, syncErr))
}
