// SPDX-License-Identifier: GPL-3.0-or-later

package btrfs

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ErrNotBtrfs is a path on another file system.
var ErrNotBtrfs = errors.New("not on a btrfs file system")

// ErrNotSubvolume is a path on btrfs that is not the root of a subvolume.
var ErrNotSubvolume = errors.New("not a subvolume")

// ErrMounted is a subvolume that is mounted somewhere: deleting it would empty
// that mount without an error from the kernel.
var ErrMounted = errors.New("the subvolume is mounted")

// Error is an operation on a path that failed.
type Error struct {
	Op   string // "create subvolume", "snapshot /a to", …
	Path string
	Err  error
}

func (e *Error) Error() string { return e.Op + " " + e.Path + ": " + e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// ExitCode is the class of the failure for a command line (0: unknown).
func (e *Error) ExitCode() int {
	switch {
	case errors.Is(e.Err, fs.ErrPermission) && os.Geteuid() != 0:
		return 8
	case errors.Is(e.Err, unix.ENOSPC), errors.Is(e.Err, unix.EDQUOT):
		return 7
	}
	return 1
}

// Hint says what to do, where that is known.
func (e *Error) Hint() string {
	switch {
	case errors.Is(e.Err, ErrNotBtrfs):
		return "rastOS keeps its systems in btrfs subvolumes; give a path on a btrfs file system"
	case errors.Is(e.Err, fs.ErrPermission) && os.Geteuid() != 0:
		return "run as root"
	case errors.Is(e.Err, ErrMounted):
		return "unmount it first (findmnt -t btrfs shows where it is)"
	case errors.Is(e.Err, unix.ENOSPC):
		return "delete old snapshots; btrfs needs free metadata space for that too"
	case errors.Is(e.Err, unix.ETXTBSY):
		return "a swap file in it is in use; keep swap files in a subvolume of their own"
	case errors.Is(e.Err, unix.ENOTEMPTY):
		return "it holds other subvolumes; delete those first"
	}
	return ""
}

// The request numbers: _IOC(direction, 0x94, number, size of the argument).
const (
	magic     = 0x94
	iocWrite  = 1 // user space writes, the kernel reads
	iocRead   = 2
	fsMagic   = unix.BTRFS_SUPER_MAGIC
	rootInode = 256 // inode of every subvolume's root directory

	flagReadOnly = 1 << 1 // BTRFS_SUBVOL_RDONLY
)

func request(direction, number, size uintptr) uintptr {
	return direction<<30 | size<<16 | magic<<8 | number
}

// ioctl calls the kernel with a pointer to arg.
func ioctl[T any](f *os.File, direction, number uintptr, arg *T) error {
	return rawIoctl(f, request(direction, number, unsafe.Sizeof(*arg)), unsafe.Pointer(arg))
}

func rawIoctl(f *os.File, req uintptr, arg unsafe.Pointer) error {
	for {
		if err := ioctlOnce(f, req, arg); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// ioctlOnce does not begin again what a signal interrupted.
func ioctlOnce(f *os.File, req uintptr, arg unsafe.Pointer) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var errno unix.Errno
	err = conn.Control(func(fd uintptr) {
		_, _, errno = unix.Syscall(unix.SYS_IOCTL, fd, req, uintptr(arg))
	})
	if err != nil {
		return err
	}
	if errno == unix.ENOTTY {
		return fmt.Errorf("%w (%w)", ErrNotBtrfs, errno)
	}
	if errno != 0 {
		return errno
	}
	return nil
}

// open opens a directory of a btrfs file system.
func open(path string) (*os.File, error) { return openWith(path, 0) }

func openWith(path string, flags int) (*os.File, error) {
	f, err := os.OpenFile(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC|flags, 0)
	if err != nil {
		return nil, bare(err)
	}
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &st); err != nil {
		f.Close()
		return nil, err
	}
	if int64(st.Type) != fsMagic {
		f.Close()
		return nil, ErrNotBtrfs
	}
	return f, nil
}

// openSubvolume also demands that path is the root of a subvolume, and not a
// link to one: whoever deletes a link does not mean what it points to.
func openSubvolume(path string) (*os.File, error) {
	f, err := openWith(path, unix.O_NOFOLLOW)
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		f.Close()
		return nil, err
	}
	if st.Ino != rootInode {
		f.Close()
		return nil, ErrNotSubvolume
	}
	return f, nil
}

// bare takes the path out of an error that is going to be an Error.
func bare(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

func fail(op, path string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Op: op, Path: path, Err: err}
}

// cString is the text before the first zero byte.
func cString(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}
