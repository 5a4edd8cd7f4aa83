// SPDX-License-Identifier: GPL-3.0-or-later

package linux

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Reflink makes dst share the data of src, where the file system can (btrfs,
// XFS): then it costs nothing and ok is true. Otherwise nothing has happened.
func Reflink(dst, src *os.File) (ok bool, err error) {
	err = retry(func() error { return unix.IoctlFileClone(int(dst.Fd()), int(src.Fd())) })
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EXDEV),
		errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOTTY), errors.Is(err, unix.ENOSYS):
		return false, nil
	}
	return false, fmt.Errorf("clone %s to %s: %w", src.Name(), dst.Name(), err)
}

// CopyFile fills the empty file dst with the contents of the regular file src:
// by reference where possible, else data range by data range inside the
// kernel, so that holes stay holes.
func CopyFile(dst, src *os.File) error {
	if ok, err := Reflink(dst, src); ok || err != nil {
		return err
	}
	st, err := src.Stat()
	if err != nil {
		return err
	}
	for offset := int64(0); offset < st.Size(); {
		start, end, ok, err := NextData(src, offset)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		if err := copyRange(dst, src, start, end-start); err != nil {
			return fmt.Errorf("copy %s to %s: %w", src.Name(), dst.Name(), err)
		}
		offset = end
	}
	return dst.Truncate(st.Size())
}

func copyRange(dst, src *os.File, offset, size int64) error {
	in, out := offset, offset
	for size > 0 {
		var n int
		err := retry(func() (err error) {
			n, err = unix.CopyFileRange(int(src.Fd()), &in, int(dst.Fd()), &out, int(min(size, 1<<30)), 0)
			return err
		})
		switch {
		case errors.Is(err, unix.EXDEV), errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EOPNOTSUPP):
			_, err := io.Copy(io.NewOffsetWriter(dst, out), io.NewSectionReader(src, in, size))
			return err
		case err != nil:
			return err
		case n == 0:
			return nil // src became shorter; the caller's size decides
		}
		size -= int64(n)
	}
	return nil
}
