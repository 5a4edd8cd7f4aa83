// SPDX-License-Identifier: GPL-3.0-or-later

// Package verify holds the files of installed packages against what the
// database of installed packages says of them: that they exist (Check, as
// pacman -Qk), or all that .MTREE records, content included (Options.Full, as
// pacman -Qkk).
//
// The findings are those of pacman 6.0.2, in its order and, by
// Finding.String, in its words. What differs, on purpose:
//
//   - A path is resolved inside the root (extract.Look). pacman follows an
//     absolute link of another root out of it and judges the host's files.
//   - A SHA-256 that matches proves the content, so that an MD5 beside it is
//     not computed: an .MTREE that contradicts itself is not noticed.
//     Options.BothDigests computes both, at four times the price.
//   - A digest that .MTREE does not record is not compared (makepkg since 6.1
//     writes no MD5); pacman 6.0.2 compares with zeros and finds a mismatch.
//   - An .MTREE that cannot be read to its end is an error of its package.
//     pacman takes what it could read for all.
//
// Nothing is written, and only regular files are opened, never a device or a
// FIFO. Extended attributes are not in .MTREE and are not looked at.
package verify

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/rastos/rastos/alpm/desc"
)

// Kind is what is wrong with a file.
type Kind string

// What Check finds. In this order they come for one file.
const (
	TooLong      Kind = "path too long"
	Missing      Kind = "missing" // or not to be looked at: Finding.Err says why
	Unrecognised Kind = "unrecognised type"
	Type         Kind = "type"
	UID          Kind = "uid"
	GID          Kind = "gid"
	Permissions  Kind = "permissions"
	LinkUnread   Kind = "link unreadable"
	LinkTarget   Kind = "link target"
	Time         Kind = "time"
	Size         Kind = "size"
	Unreadable   Kind = "unreadable" // so that Digest could not be computed
	NoDigest     Kind = "no digest"  // .MTREE has none
	Mismatch     Kind = "content"    // by Digest
)

// The digests that a finding can be about.
const (
	MD5    = "MD5"
	SHA256 = "SHA256"
)

// Finding is one thing that is wrong with one file.
type Finding struct {
	Package string
	Path    string // as the package has it; ".INSTALL" and ".CHANGELOG" are in the database
	At      string // the path that was looked at, as pacman prints it
	Kind    Kind
	Digest  string // MD5 or SHA256, where Kind is about one
	Backup  bool   // a file that people are expected to change: no damage
	Err     error  // of Missing, LinkUnread and Unreadable
}

// Damage tells whether the finding makes its file count as altered.
func (f Finding) Damage() bool { return !f.Backup && f.Kind != TooLong && f.Kind != Unrecognised }

// String is what pacman prints, but for the "warning: " or "backup file: " in front.
func (f Finding) String() string {
	switch f.Kind {
	case TooLong:
		return "path too long: " + f.At
	case Unrecognised:
		return "file type not recognized: " + f.At
	case LinkUnread:
		return "unable to read symlink contents: " + f.At
	}
	return fmt.Sprintf("%s: %s (%s)", f.Package, f.At, f.reason())
}

func (f Finding) reason() string {
	switch f.Kind {
	case Missing:
		return errnoText(f.Err)
	case Type:
		return "File type mismatch"
	case UID, GID:
		return strings.ToUpper(string(f.Kind)) + " mismatch"
	case Permissions:
		return "Permissions mismatch"
	case LinkTarget:
		return "Symlink path mismatch"
	case Time:
		return "Modification time mismatch"
	case Size:
		return "Size mismatch"
	case Unreadable:
		return "failed to calculate " + f.Digest + " checksum"
	case NoDigest:
		return f.Digest + " checksum information not available"
	}
	return f.Digest + " checksum mismatch"
}

// errnoText is strerror(3): what Go says, with a capital letter.
func errnoText(err error) string {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return fmt.Sprint(err)
	}
	text := errno.Error()
	return strings.ToUpper(text[:1]) + text[1:]
}

// Result is what was found of one package.
type Result struct {
	Package  *desc.Package
	Files    int // that were looked at
	Altered  int // of those: missing, or not as they should be
	NoMtree  bool
	Findings []Finding // in the order of the package's list
	Err      error     // the list of files could not be read
}

// OK tells whether the package is as it was installed.
func (r *Result) OK() bool { return r.Altered == 0 && r.Err == nil }

// Database is where the lists of files come from; *localdb.DB is one. It is
// asked by several goroutines at once.
type Database interface {
	LoadFiles(*desc.Package) error
	Mtree(*desc.Package) ([]byte, error)
}

// Options choose what is compared with what.
type Options struct {
	Root  string // the system tree
	Local string // the directory of the database, which holds scriptlets and changelogs

	Full        bool                   // compare with .MTREE
	BothDigests bool                   // compute the MD5 even of what its SHA-256 proves
	NoExtract   func(path string) bool // files that may be missing; nil for none
	Workers     int                    // 0 is one for each processor
}

// Error says that the check could not be made at all.
type Error struct {
	Root string
	Err  error
}

func (e *Error) Error() string { return fmt.Sprintf("verify the files of %s: %v", e.Root, e.Err) }
func (e *Error) Unwrap() error { return e.Err }

// Check looks at the files of packages and gives a result for each, in their
// order and as soon as it is known, to report; an error of that ends the check
// and is returned, as is the end of ctx.
func Check(ctx context.Context, db Database, packages []*desc.Package, opt Options, report func(Result) error) error {
	c, err := newCheck(ctx, db, packages, opt)
	if err != nil {
		return &Error{Root: opt.Root, Err: err}
	}
	defer c.close()
	return c.run(report)
}
