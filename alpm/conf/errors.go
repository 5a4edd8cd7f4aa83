// SPDX-License-Identifier: GPL-3.0-or-later

package conf

import (
	"fmt"
	"strings"
)

// Problem is one thing that is wrong with a file.
type Problem struct {
	File string // empty: it has no place
	Line int    // 0: the file as a whole
	Text string
}

func (p Problem) String() string {
	switch {
	case p.File == "":
		return p.Text
	case p.Line == 0:
		return fmt.Sprintf("config file %s %s", p.File, p.Text)
	}
	return fmt.Sprintf("config file %s, line %d: %s", p.File, p.Line, p.Text)
}

// Error is a file that cannot be used. It has at least one problem.
type Error struct {
	Problems []Problem
	Err      error // where a file could not be read
}

func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "; ")
}

func (e *Error) Unwrap() error { return e.Err }

// Hint says where the directives are explained.
func (e *Error) Hint() string { return "pacman.conf(5) explains the directives" }

// ExitCode is that of a mistake in a configuration.
func (e *Error) ExitCode() int { return 3 }
