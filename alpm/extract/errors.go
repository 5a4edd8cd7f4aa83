// SPDX-License-Identifier: GPL-3.0-or-later

package extract

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// ErrFileOverDirectory is a file or link of a package where the root has a directory.
var ErrFileOverDirectory = errors.New("a directory is in the way, and a file never replaces a directory")

// HostileError is an entry that no package has a reason to hold.
type HostileError struct {
	Name   string
	Reason string
}

func (e *HostileError) Error() string {
	return fmt.Sprintf("extract %q: refused: %s", e.Name, e.Reason)
}

// ExitCode is the class "verification".
func (e *HostileError) ExitCode() int { return 5 }

// Hint says what to do.
func (e *HostileError) Hint() string {
	return "the archive is damaged or made to do harm: get it again from a source you trust, and report it if it is the same"
}

// EntryError is an entry that could not be written.
type EntryError struct {
	Op   string
	Name string
	Err  error
}

func (e *EntryError) Error() string { return fmt.Sprintf("extract %s: %s: %v", e.Name, e.Op, e.Err) }
func (e *EntryError) Unwrap() error { return e.Err }

// NoSpaceError is a full file system or an exhausted quota.
type NoSpaceError struct {
	Name string
	Err  error
}

func (e *NoSpaceError) Error() string { return fmt.Sprintf("extract %s: %v", e.Name, e.Err) }
func (e *NoSpaceError) Unwrap() error { return e.Err }

// ExitCode is the class "no space left".
func (e *NoSpaceError) ExitCode() int { return 7 }

// Hint says what to do.
func (e *NoSpaceError) Hint() string {
	return "free some space on the target's file system (on btrfs, deleting old snapshots does; `rastos clean` finds what can go)"
}

// KernelError is a kernel without what confines the paths.
type KernelError struct{ Err error }

func (e *KernelError) Error() string { return fmt.Sprintf("openat2 with RESOLVE_IN_ROOT: %v", e.Err) }
func (e *KernelError) Unwrap() error { return e.Err }

// ExitCode is the class "missing kernel feature".
func (e *KernelError) ExitCode() int { return 9 }

// Hint says what to do.
func (e *KernelError) Hint() string {
	return "it needs Linux 5.6 or later, and a container whose seccomp profile allows openat2"
}

// fail wraps the error of one system call on one entry.
func fail(op, name string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return &NoSpaceError{Name: name, Err: err}
	default:
		return &EntryError{Op: op, Name: name, Err: err}
	}
}
