// SPDX-License-Identifier: GPL-3.0-or-later

package trans

import (
	"errors"
	"fmt"
	"strings"
)

// The documented exit codes of this package's errors.
const (
	exitConflict  = 4
	exitVerify    = 5
	exitSpace     = 7
	exitLocked    = 10
	maxConflicts  = 10 // told in one message
	bytesPerMiB   = 1 << 20
	spaceFraction = 20 // one twentieth stays free
)

// ErrChecksum is an archive whose content is not what the database says.
var ErrChecksum = errors.New("the checksum is wrong")

// ErrNotFile is a path of an archive at which there is something else.
var ErrNotFile = errors.New("not a regular file")

// ErrMismatch is an archive that holds another package than the plan says.
var ErrMismatch = errors.New("the archive is not the package that the database describes")

// ErrNoDatabase is a repository whose database was never downloaded.
var ErrNoDatabase = errors.New("its database is not there")

// ErrNoServer is a repository that nothing can be downloaded from.
var ErrNoServer = errors.New("no server is configured for it")

// LockError is a database that another program works on.
type LockError struct {
	Path    string
	PID     int    // 0: unknown
	Program string // what is known of the holder
	// Left: no program that can be seen from here has the lock open, so that
	// it was left by one that was interrupted; a container sees only its own.
	Left bool
}

func (e *LockError) Error() string {
	if e.PID > 0 {
		return fmt.Sprintf("lock %s: the database is in use by %s (pid %d)", e.Path, e.Program, e.PID)
	}
	return fmt.Sprintf("lock %s: the database is in use, and the lock does not say by whom", e.Path)
}

// Hint tells what to do.
func (e *LockError) Hint() string {
	switch {
	case e.PID > 0:
		return "wait until it is done"
	case e.Left:
		return "no program here has it open: another package manager was interrupted; unless one runs in another container, remove " + e.Path
	}
	return "wait for the other package manager; if none is running, it was interrupted: remove " + e.Path
}

// ExitCode is the class "lock held by another".
func (e *LockError) ExitCode() int { return exitLocked }

// StaleError is a plan that no longer fits what is installed.
type StaleError struct{ Package, Planned, Found string }

func (e *StaleError) Error() string {
	name := func(v string) string {
		if v == "" {
			return "not installed"
		}
		return "installed as " + v
	}
	return fmt.Sprintf("the plan is out of date: %s was %s and is %s now", e.Package, name(e.Planned), name(e.Found))
}

// Hint tells what to do.
func (e *StaleError) Hint() string { return "plan again" }

// VerifyError is an archive or a database that must not be used.
type VerifyError struct {
	Object  string // "openssh-9.6p1-1-x86_64.pkg.tar.zst", "database core"
	Package string // its name, of an archive that a repository describes
	Path    string
	Err     error
}

func (e *VerifyError) Error() string { return fmt.Sprintf("verify %s: %v", e.Object, e.Err) }
func (e *VerifyError) Unwrap() error { return e.Err }

// Hint tells what to do.
func (e *VerifyError) Hint() string {
	var h interface{ Hint() string }
	switch {
	case errors.As(e.Err, &h) && h.Hint() != "":
		return h.Hint()
	case errors.Is(e.Err, ErrChecksum), errors.Is(e.Err, ErrMismatch):
		return "refresh the databases; if that does not help, the mirror has a damaged file"
	}
	return ""
}

// ExitCode is the class "verification".
func (e *VerifyError) ExitCode() int { return exitVerify }

// FileConflict is one path that cannot be installed.
type FileConflict struct {
	Package string `json:"package"`
	Path    string `json:"path"`
	// Other is the second new package that has the path; empty if it is in
	// the root already, where Owner is whose it is, if anybody's.
	Other string `json:"other,omitempty"`
	Owner string `json:"owner,omitempty"`
}

func (c FileConflict) String() string {
	switch {
	case c.Other != "":
		return fmt.Sprintf("/%s is in both %s and %s", c.Path, c.Package, c.Other)
	case c.Owner != "":
		return fmt.Sprintf("/%s of %s is there already and belongs to %s", c.Path, c.Package, c.Owner)
	}
	return fmt.Sprintf("/%s of %s is there already and belongs to no package", c.Path, c.Package)
}

// FileConflictError lists all files in the way.
type FileConflictError struct{ Conflicts []FileConflict }

func (e *FileConflictError) Error() string {
	lines := make([]string, 0, min(len(e.Conflicts), maxConflicts)+1)
	for i, c := range e.Conflicts {
		if i == maxConflicts {
			lines = append(lines, fmt.Sprintf("and %d more", len(e.Conflicts)-i))
			break
		}
		lines = append(lines, c.String())
	}
	return "files are in the way: " + strings.Join(lines, "; ")
}

// Hint tells what to do.
func (e *FileConflictError) Hint() string {
	for _, c := range e.Conflicts {
		if c.Other == "" && c.Owner == "" {
			return "look at the file; move it away, or name it as one to overwrite"
		}
	}
	return "the packages do not fit together; install only one of them"
}

// ExitCode is the class "conflict".
func (e *FileConflictError) ExitCode() int { return exitConflict }

// HookError is a hook that does not let a transaction begin.
type HookError struct{ Err error }

func (e *HookError) Error() string { return e.Err.Error() }
func (e *HookError) Unwrap() error { return e.Err }

// SpaceError is a file system with too little room for the transaction.
type SpaceError struct {
	Path         string
	Needed, Free int64 // bytes
	Download     bool  // it is the archives that do not fit, in the cache
}

func (e *SpaceError) Error() string {
	return fmt.Sprintf("not enough space at %s: %d MiB are needed and %d MiB are free",
		e.Path, (e.Needed+bytesPerMiB-1)/bytesPerMiB, e.Free/bytesPerMiB)
}

// Hint tells what to do.
func (e *SpaceError) Hint() string {
	if e.Download {
		return "make room on the file system of the package cache"
	}
	return "make room there, or install fewer packages at once"
}

// ExitCode is the class "no space left".
func (e *SpaceError) ExitCode() int { return exitSpace }

// PackageError says at which package a running transaction stopped.
type PackageError struct {
	Op      string // "install", "upgrade", "remove"
	Package string
	Done    int // packages finished before
	Total   int
	Err     error
}

func (e *PackageError) Error() string {
	return fmt.Sprintf("%s %s (%d of %d packages were done): %v", e.Op, e.Package, e.Done, e.Total, e.Err)
}

func (e *PackageError) Unwrap() error { return e.Err }

// UnfinishedError is a transaction that could not be finished now. Its journal
// is kept, and whoever takes the lock next goes on from there.
type UnfinishedError struct {
	Done, Total int // packages
	Err         error
}

func (e *UnfinishedError) Error() string {
	return fmt.Sprintf("the transaction is not finished (%d of %d packages are in their places): %v", e.Done, e.Total, e.Err)
}

func (e *UnfinishedError) Unwrap() error { return e.Err }

// Hint tells what to do.
func (e *UnfinishedError) Hint() string {
	var h interface{ Hint() string }
	if errors.As(e.Err, &h) && h.Hint() != "" {
		return h.Hint() + "; the next command then finishes by itself"
	}
	return "remove the cause; the next command then finishes by itself, and pacman is kept out until that is done"
}
