// SPDX-License-Identifier: GPL-3.0-or-later

package linux

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// SyncFile makes the contents of a file durable, not its name: that is SyncDir.
func SyncFile(path string) error { return syncPath(path, 0) }

// SyncDir makes the names in a directory durable: files created in it, renamed
// into it, removed from it.
func SyncDir(path string) error { return syncPath(path, unix.O_DIRECTORY) }

func syncPath(path string, flags int) error {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|flags, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync() // names the path, retries EINTR
}

// SyncFS writes out everything of the file system that holds path.
func SyncFS(path string) error {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := retry(func() error { return unix.Syncfs(int(f.Fd())) }); err != nil {
		return fmt.Errorf("syncfs %s: %w", path, err)
	}
	return nil
}

// Publish renames tmp to path, replacing what is there, and makes both the
// contents and the new name durable before it returns.
func Publish(tmp, path string) error {
	if err := SyncFile(tmp); err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(path))
}
