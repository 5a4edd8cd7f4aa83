// SPDX-License-Identifier: GPL-3.0-or-later

package conf

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
)

// Base is what is settled before a file is read.
type Base struct {
	Config
	// Machine is what uname calls the processor, for `Architecture = auto`.
	Machine string
}

// maxDepth is how deep files may include one another.
const maxDepth = 10

// reader is the state of reading one file and what it includes. A section
// goes on through the end of an included file, as with pacman.
type reader struct {
	files   Files
	cfg     *Config
	machine string
	section string
	inRepo  bool
	begun   bool
	depth   int
}

// place is where a directive stands.
type place struct {
	file string
	line int
}

func (p place) problem(format string, args ...any) Problem {
	return Problem{File: p.file, Line: p.line, Text: fmt.Sprintf(format, args...)}
}

func (p place) fail(format string, args ...any) error {
	return &Error{Problems: []Problem{p.problem(format, args...)}}
}

// Read reads a file and what it includes on top of base. The Config is what
// was read up to the error, if there is one, with the warnings so far.
func Read(files Files, file string, base Base) (*Config, error) {
	cfg := base.Config
	r := &reader{files: files, cfg: &cfg, machine: base.Machine}
	return &cfg, r.read(file)
}

func (r *reader) read(file string) error {
	data, err := r.files.ReadFile(file)
	if err != nil {
		return &Error{Problems: []Problem{{File: file, Text: "could not be read: " + reason(err)}}, Err: err}
	}
	for i, line := range strings.Split(string(data), "\n") {
		if err := r.line(place{file, i + 1}, line); err != nil {
			return err
		}
	}
	return nil
}

// reason is the text of the system's error, as C's strerror has it.
func reason(err error) string {
	var no syscall.Errno
	if errors.As(err, &no) {
		text := no.Error()
		return strings.ToUpper(text[:1]) + text[1:]
	}
	if errors.Is(err, fs.ErrNotExist) {
		return "No such file or directory"
	}
	return err.Error()
}

// spaces are what C's isspace is true for.
const spaces = " \t\n\v\f\r"

func (r *reader) line(at place, line string) error {
	line = strings.Trim(line, spaces)
	switch {
	case line == "" || line[0] == '#':
		return nil
	case len(line) > 1 && line[0] == '[' && line[len(line)-1] == ']':
		r.begin(line[1 : len(line)-1])
		return nil
	}
	key, value, has := strings.Cut(line, "=")
	return r.directive(at, strings.Trim(key, spaces), strings.Trim(value, spaces), has)
}

func (r *reader) begin(name string) {
	r.section, r.begun, r.inRepo = name, true, name != "options"
	if r.inRepo {
		r.cfg.Repos = append(r.cfg.Repos, Repo{Name: name})
	}
}

func (r *reader) directive(at place, key, value string, has bool) error {
	switch {
	case key == "Include":
		return r.include(at, value, has)
	case !r.begun:
		return at.fail("All directives must belong to a section.")
	case r.inRepo:
		return r.repo(at, key, value, has)
	}
	return r.option(at, key, value, has)
}

// include reads the files that a pattern matches. As with GLOB_NOCHECK, a
// pattern that matches nothing is taken for a name, which then cannot be read.
func (r *reader) include(at place, pattern string, has bool) error {
	if !has {
		return at.fail("directive 'Include' needs a value")
	}
	if r.depth >= maxDepth {
		return &Error{Problems: []Problem{{Text: fmt.Sprintf("config parsing exceeded max recursion depth of %d.", maxDepth)}}}
	}
	r.depth++
	defer func() { r.depth-- }()
	names, err := r.files.Glob(pattern)
	if err != nil || len(names) == 0 {
		names = []string{pattern}
	}
	for _, name := range names {
		if err := r.read(name); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) unknown(at place, key string) {
	r.cfg.Warnings = append(r.cfg.Warnings, at.problem("directive '%s' in section '%s' not recognized.", key, r.section))
}
