// SPDX-License-Identifier: GPL-3.0-or-later

package fsroot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// Remove removes a file, a link or an empty directory.
func (r *FS) Remove(name string) error {
	return r.fail("remove", name, r.in(name, func(dir *os.File, base string) error {
		if err := control(dir, func(fd int) error { return removeOne(fd, base) }); err != nil {
			return err
		}
		return r.syncDir(dir)
	}))
}

func removeOne(dirfd int, base string) error {
	err := retry(func() error { return unix.Unlinkat(dirfd, base, 0) })
	if !errors.Is(err, unix.EISDIR) && !errors.Is(err, unix.EPERM) {
		return err
	}
	derr := retry(func() error { return unix.Unlinkat(dirfd, base, unix.AT_REMOVEDIR) })
	if errors.Is(derr, unix.ENOTDIR) {
		return err // EPERM was about the file: it is immutable
	}
	return derr
}

// RemoveAll removes a name and everything below it; nothing there is no error.
// It never goes through a link and never empties a mount (EXDEV). Writable btrfs
// subvolumes below are emptied and removed as directories are.
func (r *FS) RemoveAll(name string) error {
	err := r.in(name, func(dir *os.File, base string) error {
		if err := removeTree(dir, base); err != nil {
			return err
		}
		return r.syncDir(dir)
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return r.fail("remove", name, err)
}

func removeTree(dir *os.File, base string) error {
	err := control(dir, func(fd int) error { return removeOne(fd, base) })
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if errors.Is(err, unix.EBUSY) {
		return fmt.Errorf("%s is a mount point: %w", base, unix.EXDEV)
	}
	if !errors.Is(err, unix.ENOTEMPTY) && !errors.Is(err, fs.ErrExist) {
		return err
	}
	sub, err := openat2(dir, base, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0,
		unix.RESOLVE_BENEATH|unix.RESOLVE_NO_SYMLINKS|unix.RESOLVE_NO_XDEV)
	if err != nil {
		return fmt.Errorf("%s: %w", base, err)
	}
	defer sub.Close()
	// Again when somebody added a file meanwhile, but not for ever.
	for range 3 {
		names, err := sub.Readdirnames(-1)
		if err != nil {
			return err
		}
		for _, n := range names {
			if err := removeTree(sub, n); err != nil {
				return err
			}
		}
		err = control(dir, func(fd int) error {
			return retry(func() error { return unix.Unlinkat(fd, base, unix.AT_REMOVEDIR) })
		})
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if !errors.Is(err, unix.ENOTEMPTY) {
			return fmt.Errorf("%s: %w", base, err)
		}
		if _, err := sub.Seek(0, 0); err != nil {
			return err
		}
	}
	return fmt.Errorf("%s: %w", base, unix.ENOTEMPTY)
}
