// SPDX-License-Identifier: GPL-3.0-or-later

package pacman

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
)

// tint is pacman's colours: empty strings where there are none.
type tint struct{ colon, title, repo, version, groups, meta, warn, err, faint, off string }

const (
	esc      = "\033["
	bold     = esc + "0;1m"
	boldRed  = esc + "1;31m"
	boldBlue = esc + "1;34m"
)

// paint turns colours on or off.
func (s *session) paint(on bool) {
	s.tint = tint{colon: ":: "}
	if on {
		s.tint = tint{
			colon: boldBlue + "::" + bold + " ", title: bold, repo: esc + "1;35m", version: esc + "1;32m",
			groups: boldBlue, meta: esc + "1;36m", warn: esc + "1;33m", err: boldRed, faint: esc + "38;5;243m",
			off: esc + "0m",
		}
	}
}

// printf writes to standard output, which is flushed at the end and before
// anything goes to standard error or is asked.
func (s *session) printf(format string, args ...any) { fmt.Fprintf(s.out, format, args...) }

// print writes its arguments to standard output as they are.
func (s *session) print(texts ...string) {
	for _, t := range texts {
		_, _ = s.out.WriteString(t)
	}
}

// stderr writes to standard error.
func (s *session) stderr(format string, args ...any) {
	_ = s.out.Flush()
	fmt.Fprintf(s.Stderr, format, args...)
}

// errorf writes an error as a line.
func (s *session) errorf(format string, args ...any) {
	s.stderr("%serror: %s%s\n", s.tint.err, s.tint.off, fmt.Sprintf(format, args...))
}

// warnf writes a warning as a line.
func (s *session) warnf(format string, args ...any) {
	if !s.mute {
		s.stderr("%swarning: %s%s\n", s.tint.warn, s.tint.off, fmt.Sprintf(format, args...))
	}
}

// reason is what C's strerror says of the system's error behind err.
func reason(err error) string {
	var no syscall.Errno
	switch {
	case errors.As(err, &no):
		text := no.Error()
		return strings.ToUpper(text[:1]) + text[1:]
	case errors.Is(err, fs.ErrNotExist):
		return "No such file or directory"
	}
	return err.Error()
}
