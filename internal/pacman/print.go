// SPDX-License-Identifier: GPL-3.0-or-later

package pacman

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"syscall"

	"github.com/rastos/rastos/internal/pacman/show"
)

// paint turns colours on or off.
func (s *session) paint(on bool) { s.tint = show.Colours(on) }

// page is where packages are drawn.
func (s *session) page() show.Page {
	return show.Page{Out: s.out, Columns: s.columns(), Tint: s.tint}
}

// columns is the width of the output: what COLUMNS says, or the terminal.
// Off the terminal nothing folds.
func (s *session) columns() int {
	if text := s.Getenv("COLUMNS"); text != "" {
		if n, err := strconv.Atoi(text); err == nil && n >= 0 {
			return n
		}
	}
	switch {
	case !s.StdoutIsTerminal:
		return 0
	case s.Columns() > 0:
		return s.Columns()
	}
	return 80
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
	s.stderr("%serror: %s%s\n", s.tint.Err, s.tint.Off, fmt.Sprintf(format, args...))
}

// warnf writes a warning as a line.
func (s *session) warnf(format string, args ...any) {
	if !s.mute {
		s.stderr("%swarning: %s%s\n", s.tint.Warn, s.tint.Off, fmt.Sprintf(format, args...))
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
