// SPDX-License-Identifier: GPL-3.0-or-later

package pkgfile

import (
	"errors"
	"fmt"
)

// Why an archive is refused. Errors of this package wrap one of these, or an
// error of the reader below them.
var (
	ErrFormat    = errors.New("neither a tar archive nor compressed with gzip, zstd, xz or bzip2")
	ErrTruncated = errors.New("the archive is cut off")
	ErrCorrupt   = errors.New("the archive is damaged")
	ErrTooLarge  = errors.New("the archive unpacks to more than is allowed")
	ErrNoInfo    = errors.New("the archive has no .PKGINFO, so it is no package")
)

// Error says which archive, and which entry of it, could not be read.
type Error struct {
	Archive string // path, or empty where only a stream is known
	Entry   string // empty when it is about the archive as a whole
	Err     error
}

func (e *Error) Error() string {
	what := e.Archive
	if what == "" {
		what = "package archive"
	}
	if e.Entry != "" {
		return fmt.Sprintf("read %s: entry %q: %v", what, e.Entry, e.Err)
	}
	return fmt.Sprintf("read %s: %v", what, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// Hint says what to do about it.
func (e *Error) Hint() string {
	switch {
	case errors.Is(e.Err, ErrTruncated), errors.Is(e.Err, ErrCorrupt):
		return "delete the file and download it again"
	case errors.Is(e.Err, ErrFormat), errors.Is(e.Err, ErrNoInfo):
		return "a mirror that is out of order may have sent an error page in its place"
	case errors.Is(e.Err, ErrTooLarge):
		return "the archive looks like a decompression bomb; do not install it"
	}
	return ""
}

// ExitCode is that of a failed verification.
func (e *Error) ExitCode() int { return 5 }
