// SPDX-License-Identifier: GPL-3.0-or-later

package fetch

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"syscall"
)

// errMissing is the cause of an Attempt that failed because the server does
// not have the file.
var errMissing = errors.New("the server does not have it (404)")

// A StatusError is an HTTP answer other than the file.
type StatusError struct {
	Code   int    // 404
	Status string // "404 Not Found"
}

func (e *StatusError) Error() string {
	if e.Is(errMissing) {
		return errMissing.Error()
	}
	return "the server answered " + e.Status
}

// Is makes the answers that say that there is no such file one.
func (e *StatusError) Is(target error) bool {
	return target == errMissing && (e.Code == http.StatusNotFound || e.Code == http.StatusGone)
}

// errBanned is the cause of an Attempt that was not made.
var errBanned = errors.New("skipped, it failed too often in this run")

// errSpool wraps errors of the local file, which no other mirror can mend.
var errSpool = errors.New("local file")

// An Attempt is one mirror that did not give the file.
type Attempt struct {
	URL string // without a password
	Err error
}

// An Error says that no mirror gave a file.
type Error struct {
	Path     string
	Attempts []Attempt
}

func (e *Error) Error() string {
	name := filepath.Base(e.Path)
	if len(e.Attempts) == 0 {
		return fmt.Sprintf("download %s: no mirror is configured", name)
	}
	last := e.last()
	return fmt.Sprintf("download %s: %s: %v", name, hostOf(last.URL), last.Err)
}

// last is the last attempt that was made: a mirror that was really asked tells
// more than one that was left alone.
func (e *Error) last() Attempt {
	last := e.Attempts[len(e.Attempts)-1]
	for _, a := range e.Attempts {
		if !errors.Is(a.Err, errBanned) {
			last = a
		}
	}
	return last
}

// Cause is how the last mirror that was asked failed; nil where there is none.
func (e *Error) Cause() error {
	if len(e.Attempts) == 0 {
		return nil
	}
	return e.last().Err
}

// Unwrap gives the causes of all attempts.
func (e *Error) Unwrap() []error {
	causes := make([]error, len(e.Attempts))
	for i, a := range e.Attempts {
		causes[i] = a.Err
	}
	return causes
}

// Hint names the mirrors that were tried.
func (e *Error) Hint() string {
	if len(e.Attempts) == 0 {
		return "name at least one server for the repository"
	}
	if len(e.Attempts) == 1 {
		a := e.Attempts[0]
		if isDNS(a.Err) {
			return fmt.Sprintf("is the network up, and is %s spelled right?", hostOf(a.URL))
		}
		return "tried " + a.URL + "; another mirror may have it"
	}
	var tried []string
	for _, a := range e.Attempts {
		tried = append(tried, fmt.Sprintf("%s (%v)", hostOf(a.URL), a.Err))
	}
	return "tried " + strings.Join(tried, ", ")
}

// ExitCode is 5 where a mirror gave a file with wrong content, else 6.
func (e *Error) ExitCode() int {
	var wrong *ContentError
	for _, a := range e.Attempts {
		if errors.As(a.Err, &wrong) {
			return 5
		}
	}
	return 6
}

// A NoFileError is a file URL that leads to nothing.
type NoFileError struct{ Path string }

func (e *NoFileError) Error() string { return "there is no " + e.Path }

// Is makes it one of the ways in which a server lacks a file.
func (e *NoFileError) Is(target error) bool { return target == errMissing }

// A ContentError is a file that is not the one that was asked for.
type ContentError struct{ Want, Got string }

func (e *ContentError) Error() string {
	return fmt.Sprintf("the file is not the one the database describes: expected %s, got %s", e.Want, e.Got)
}

// A SpaceError is a file system that is full.
type SpaceError struct {
	Path string
	Err  error
}

func (e *SpaceError) Error() string { return fmt.Sprintf("write %s: %v", e.Path, e.Err) }
func (e *SpaceError) Unwrap() error { return e.Err }

// ExitCode is that of a full disk.
func (e *SpaceError) ExitCode() int { return 7 }

// Hint says what would help.
func (e *SpaceError) Hint() string {
	return "make room on the file system that holds " + filepath.Dir(e.Path)
}

// local wraps an error of a local file operation.
func local(path string, err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return &SpaceError{Path: path, Err: err}
	}
	return fmt.Errorf("%w: %w", errSpool, err)
}

// isLocal tells errors that another mirror cannot mend.
func isLocal(err error) bool {
	var full *SpaceError
	return errors.Is(err, errSpool) || errors.As(err, &full)
}

func isDNS(err error) bool {
	var dns *net.DNSError
	return errors.As(err, &dns)
}

func redact(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return raw
	}
	return u.Redacted()
}

// hostOf shortens a URL to what tells mirrors apart.
func hostOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return raw
	}
	if u.Host == "" {
		return u.Path
	}
	return u.Host
}
