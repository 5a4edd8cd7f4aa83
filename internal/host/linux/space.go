// SPDX-License-Identifier: GPL-3.0-or-later

package linux

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Space is the room of a file system in bytes.
type Space struct {
	Total     int64
	Free      int64
	Available int64 // to a process without privilege
	Type      int64 // magic number of statfs(2)
}

// FreeSpace reads the room of the file system that holds path.
func FreeSpace(path string) (Space, error) {
	var st unix.Statfs_t
	if err := retry(func() error { return unix.Statfs(path, &st) }); err != nil {
		return Space{}, fmt.Errorf("statfs %s: %w", path, err)
	}
	unit := int64(st.Frsize)
	if unit == 0 {
		unit = int64(st.Bsize)
	}
	return Space{
		Total: int64(st.Blocks) * unit, Free: int64(st.Bfree) * unit,
		Available: int64(st.Bavail) * unit, Type: int64(st.Type),
	}, nil
}

// PunchHole gives the room of a range back; it reads as zeros afterwards.
func PunchHole(f *os.File, offset, size int64) error {
	if size == 0 {
		return nil
	}
	const mode = unix.FALLOC_FL_PUNCH_HOLE | unix.FALLOC_FL_KEEP_SIZE
	if err := retry(func() error { return unix.Fallocate(int(f.Fd()), mode, offset, size) }); err != nil {
		return fmt.Errorf("punch a hole in %s: %w", f.Name(), err)
	}
	return nil
}

// NextData finds the next range of a file, at or after offset, that is not a
// hole. At the end of the file ok is false. A file system without holes
// reports the whole rest as data.
func NextData(f *os.File, offset int64) (start, end int64, ok bool, err error) {
	start, err = unix.Seek(int(f.Fd()), offset, unix.SEEK_DATA)
	if errors.Is(err, unix.ENXIO) {
		return 0, 0, false, nil
	}
	if err != nil {
		return 0, 0, false, fmt.Errorf("seek to data in %s: %w", f.Name(), err)
	}
	end, err = unix.Seek(int(f.Fd()), start, unix.SEEK_HOLE)
	if err != nil {
		return 0, 0, false, fmt.Errorf("seek to a hole in %s: %w", f.Name(), err)
	}
	return start, end, true, nil
}
