// SPDX-License-Identifier: GPL-3.0-or-later

package desc

import (
	"errors"
	"strconv"
	"strings"
)

// Why a record is refused.
var (
	ErrNumber   = errors.New("not a number")
	ErrName     = errors.New("a name that is not allowed")
	ErrPath     = errors.New("a path that leads out of the root")
	ErrNUL      = errors.New("a NUL byte")
	ErrNewline  = errors.New("a line break inside a value")
	ErrMissing  = errors.New("a required field is missing")
	ErrSyntax   = errors.New("not of the form `key = value`")
	ErrMismatch = errors.New("the record is not what its name says")
	ErrLine     = errors.New("a line that is too long")
)

// Error says where a record is wrong. A codec knows File, Line, Field and Err;
// whoever reads a database fills in DB and Entry.
type Error struct {
	DB    string // "core", "local"
	Entry string // "acl-2.3.1-2"
	File  string // "desc", "files", ".PKGINFO"
	Line  int    // from 1; 0 when it is about the record as a whole
	Field string // "%CSIZE%", "pkgver"
	Value string
	Err   error
}

func (e *Error) Error() string {
	var parts []string
	if e.DB != "" {
		parts = append(parts, "database "+e.DB)
	}
	if e.Entry != "" {
		parts = append(parts, "entry "+e.Entry)
	}
	where := e.File
	if e.Line > 0 {
		where += " line " + strconv.Itoa(e.Line)
	}
	if where != "" {
		parts = append(parts, strings.TrimSpace(where))
	}
	if e.Field != "" {
		parts = append(parts, e.Field)
	}
	text := e.Err.Error()
	if e.Value != "" {
		text += ": " + strconv.Quote(clip(e.Value))
	}
	return strings.Join(append(parts, text), ": ")
}

func (e *Error) Unwrap() error { return e.Err }

// ExitCode is that of a failed verification: the record is damaged or hostile.
func (e *Error) ExitCode() int { return 5 }

// clip keeps a hostile value from flooding the terminal.
func clip(s string) string {
	const most = 120
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
