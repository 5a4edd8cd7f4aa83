// SPDX-License-Identifier: GPL-3.0-or-later

// Package early is what the first program of a machine asks of the kernel and
// nobody else does: loading modules, and leaving the initramfs for the root
// file system that was found.
package early

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// LoadModule loads one uncompressed module. One that is loaded already is no
// error.
func LoadModule(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("load module: %w", err)
	}
	defer f.Close()
	err = unix.FinitModule(int(f.Fd()), "", 0)
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("load module %s: %w", path, err)
	}
	return nil
}

// NotInitramfsError says that / is a file system that must not be emptied.
type NotInitramfsError struct{ Type int64 }

func (e *NotInitramfsError) Error() string {
	return fmt.Sprintf("switch root: / is no initramfs (file system type %#x)", e.Type)
}

// MoveMount moves a mount, with all below it.
func MoveMount(from, to string) error {
	if err := unix.Mount(from, to, "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("move the mount %s to %s: %w", from, to, err)
	}
	return nil
}

// SwitchRoot empties the initramfs, to give its memory back, and makes the
// mount at newRoot the root of this process. Everything that is mounted
// elsewhere must have been moved below newRoot.
func SwitchRoot(newRoot string) error {
	var st unix.Statfs_t
	if err := unix.Statfs("/", &st); err != nil {
		return fmt.Errorf("switch root: statfs /: %w", err)
	}
	if st.Type != unix.RAMFS_MAGIC && st.Type != unix.TMPFS_MAGIC {
		return &NotInitramfsError{Type: st.Type}
	}
	if err := unix.Chdir(newRoot); err != nil {
		return fmt.Errorf("switch root: enter %s: %w", newRoot, err)
	}
	empty("/")
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("switch root: move %s to /: %w", newRoot, err)
	}
	if err := unix.Chroot("."); err != nil {
		return fmt.Errorf("switch root: chroot: %w", err)
	}
	if err := unix.Chdir("/"); err != nil {
		return fmt.Errorf("switch root: enter /: %w", err)
	}
	return nil
}

// empty removes what lies on the file system of dir itself and never enters a
// mount. What cannot be removed only keeps its memory.
func empty(dir string) {
	var top unix.Stat_t
	if unix.Lstat(dir, &top) != nil {
		return
	}
	var walk func(dir string)
	walk = func(dir string) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return
		}
		for _, e := range entries {
			path := filepath.Join(dir, e.Name())
			var st unix.Stat_t
			if unix.Lstat(path, &st) != nil || st.Dev != top.Dev {
				continue
			}
			if e.IsDir() {
				walk(path)
			}
			_ = os.Remove(path)
		}
	}
	walk(dir)
}

// Exec replaces this process by another program.
func Exec(path string, argv, env []string) error {
	err := unix.Exec(path, argv, env)
	return fmt.Errorf("exec: %w", &fs.PathError{Op: "exec", Path: path, Err: err})
}

// StartWatchdog starts a watchdog: it resets the machine after timeout, unless a
// program has opened it by then and goes on feeding it.
func StartWatchdog(path string, timeout time.Duration) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("start the watchdog: %w", err)
	}
	// Closed without the magic letter, it goes on counting.
	defer f.Close()
	if err := unix.IoctlSetPointerInt(int(f.Fd()), unix.WDIOC_SETTIMEOUT, int(timeout/time.Second)); err != nil {
		// What the driver would count by itself may be too short for a start-up.
		_, stop := f.WriteString("V")
		return errors.Join(fmt.Errorf("set the watchdog %s to %v: %w", path, timeout, err), stop)
	}
	return nil
}
