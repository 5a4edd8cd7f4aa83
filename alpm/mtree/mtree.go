// SPDX-License-Identifier: GPL-3.0-or-later

// Package mtree reads and writes the mtree(5) text that a package carries as
// .MTREE: what every file of it should be.
//
// Decode takes the flat form with full paths that makepkg (bsdtar) writes:
// comments, /set and /unset defaults, and the keywords type, mode, uid, gid,
// size, time, link, md5 and sha256 with their longer spellings; others are
// skipped. The nested form, whose paths have no slash and end with "..", is
// refused. Encode writes one /set line and what differs from it.
package mtree

import (
	"errors"
	"fmt"
)

// Type is what an entry is.
type Type string

// The types that packages have.
const (
	File    Type = "file"
	Dir     Type = "dir"
	Symlink Type = "link"
	FIFO    Type = "fifo"
	Char    Type = "char"
	Block   Type = "block"
	Socket  Type = "socket"
)

// Entry describes one file.
type Entry struct {
	Path     string // relative, without "./"; "." is the root itself
	Type     Type
	Mode     uint32 // permission bits with setuid, setgid and sticky: 0o7777
	UID, GID int
	Size     int64 // bytes; files only
	Sec      int64 // modification time, seconds since 1970
	Nsec     int64
	Link     string // target of a symbolic link
	MD5      string // hexadecimal; files only
	SHA256   string // hexadecimal; files only
}

// Why an mtree is refused.
var (
	ErrSyntax   = errors.New("malformed mtree")
	ErrTooLarge = errors.New("the mtree is larger than allowed")
	ErrPath     = errors.New("a path that leads out of the root")
)

// Error says in which line.
type Error struct {
	Line  int
	Field string
	Err   error
}

func (e *Error) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("read mtree line %d: %v", e.Line, e.Err)
	}
	return fmt.Sprintf("read mtree line %d: %q: %v", e.Line, e.Field, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// ExitCode is that of a failed verification.
func (e *Error) ExitCode() int { return 5 }
