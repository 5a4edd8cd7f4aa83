// SPDX-License-Identifier: GPL-3.0-or-later

// Package mount mounts and unmounts file systems by system call (no mount
// program), reads the mount table, and runs functions in private mount
// namespaces. Options are words as in fstab; those that are mount flags become
// flags, because a file system refuses to find them among its own options
// (btrfs and noatime).
package mount

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// Error is a mount or unmount that failed.
type Error struct {
	Op     string // "mount", "unmount"
	Source string
	Target string
	Type   string
	Err    error
}

func (e *Error) Error() string {
	if e.Source == "" {
		return fmt.Sprintf("%s %s: %v", e.Op, e.Target, e.Err)
	}
	return fmt.Sprintf("%s %s on %s: %v", e.Op, e.Source, e.Target, e.Err)
}
func (e *Error) Unwrap() error { return e.Err }

// ExitCode is the class of the failure.
func (e *Error) ExitCode() int {
	switch {
	case errors.Is(e.Err, fs.ErrPermission):
		return 8
	case errors.Is(e.Err, unix.ENODEV):
		return 9
	}
	return 1
}

// Hint says what to do, where that is known.
func (e *Error) Hint() string {
	switch {
	case errors.Is(e.Err, fs.ErrPermission) && os.Geteuid() != 0:
		return "run as root"
	case errors.Is(e.Err, fs.ErrPermission):
		return "mounting needs CAP_SYS_ADMIN; inside a container run it with --privileged"
	case errors.Is(e.Err, unix.ENODEV):
		return fmt.Sprintf("the running kernel has no %s; load its module (modprobe %s) or use another kernel", e.Type, e.Type)
	case errors.Is(e.Err, unix.EBUSY) && e.Op == "unmount":
		return "a process still has files open below it (fuser -vm " + e.Target + ")"
	}
	return ""
}
