// SPDX-License-Identifier: GPL-3.0-or-later

package hook

import (
	"fmt"
	"strings"
)

// Suffix of the file names of hooks.
const Suffix = ".hook"

// When is the moment at which a hook runs.
type When uint8

// Moments.
const (
	PreTransaction When = iota + 1
	PostTransaction
)

func (w When) String() string {
	switch w {
	case PreTransaction:
		return "PreTransaction"
	case PostTransaction:
		return "PostTransaction"
	default:
		return fmt.Sprintf("When(%d)", uint8(w))
	}
}

// Operation is a set of what happens to a package or a path.
type Operation uint8

// Operations.
const (
	Install Operation = 1 << iota
	Upgrade
	Remove
)

// Type is what the targets of a trigger are matched against.
type Type uint8

// Types.
const (
	Path Type = iota + 1
	Package
)

// Trigger is one [Trigger] section.
type Trigger struct {
	Operations Operation
	Type       Type
	// Targets are shell patterns; `*` also matches slashes, the last pattern
	// that matches decides, and `!` in front makes it say no.
	Targets []string
}

// Hook is one hook file.
type Hook struct {
	Name         string // of the file, with its suffix
	Description  string
	When         When
	Exec         []string
	Depends      []string
	AbortOnFail  bool
	NeedsTargets bool
	// Network is `NetworkAccess = allowed`.
	Network  bool
	Triggers []Trigger // none: a hook that only masks one of a lower directory
	Warnings []string
}

// ParseError is a mistake in a hook file.
type ParseError struct {
	File string
	Line int // 0: the file as a whole
	Text string
}

func (e *ParseError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("hook %s: %s", e.File, e.Text)
	}
	return fmt.Sprintf("hook %s line %d: %s", e.File, e.Line, e.Text)
}

// ExitCode is the class "manifest or config mistakes".
func (e *ParseError) ExitCode() int { return 3 }

// Hint says how to go on.
func (e *ParseError) Hint() string {
	return "repair the file, or mask it: a link to /dev/null with its name in /etc/pacman.d/hooks"
}

// Parse reads a hook file. name is the file's name without a directory.
func Parse(name string, text []byte) (*Hook, error) {
	p := parser{hook: &Hook{Name: name}, file: name}
	for i, line := range strings.Split(string(text), "\n") {
		p.line = i + 1
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if err := p.read(line); err != nil {
			return nil, err
		}
	}
	p.line = 0
	if err := p.validate(); err != nil {
		return nil, err
	}
	return p.hook, nil
}

type parser struct {
	hook    *Hook
	file    string
	line    int
	section string
}

func (p *parser) fail(format string, args ...any) error {
	return &ParseError{File: p.file, Line: p.line, Text: fmt.Sprintf(format, args...)}
}

func (p *parser) warn(format string, args ...any) {
	p.hook.Warnings = append(p.hook.Warnings, fmt.Sprintf("hook %s line %d: ", p.file, p.line)+fmt.Sprintf(format, args...))
}

// twice warns of an option of which only the last value counts.
func (p *parser) twice(option string) { p.warn("overwriting previous definition of %s", option) }

func (p *parser) read(line string) error {
	if line[0] == '[' && line[len(line)-1] == ']' {
		p.section = line[1 : len(line)-1]
		switch p.section {
		case "Trigger":
			p.hook.Triggers = append(p.hook.Triggers, Trigger{})
		case "Action":
		default:
			return p.fail("invalid section [%s]", p.section)
		}
		return nil
	}
	key, value, hasValue := strings.Cut(line, "=")
	key, value = strings.TrimSpace(key), strings.TrimSpace(value)
	switch {
	case p.section == "":
		return p.fail("the option %s stands before any section", key)
	case !hasValue && key != "AbortOnFail" && key != "NeedsTargets":
		return p.fail("the option %s has no value", key)
	case p.section == "Trigger":
		return p.trigger(&p.hook.Triggers[len(p.hook.Triggers)-1], key, value)
	default:
		return p.action(key, value)
	}
}

func (p *parser) trigger(t *Trigger, key, value string) error {
	switch key {
	case "Operation":
		op, ok := operations[value]
		if !ok {
			return p.fail("invalid operation %q (Install, Upgrade or Remove)", value)
		}
		t.Operations |= op
	case "Type":
		kind, ok := types[value]
		if !ok {
			return p.fail("invalid type %q (Path or Package)", value)
		}
		if t.Type != 0 {
			p.twice("Type")
		}
		t.Type = kind
	case "Target":
		t.Targets = append(t.Targets, value)
	default:
		return p.fail("invalid option %s in [Trigger]", key)
	}
	return nil
}

var operations = map[string]Operation{"Install": Install, "Upgrade": Upgrade, "Remove": Remove}

// File is the old name of Path.
var types = map[string]Type{"Path": Path, "File": Path, "Package": Package}

var moments = map[string]When{"PreTransaction": PreTransaction, "PostTransaction": PostTransaction}

func (p *parser) action(key, value string) error {
	h := p.hook
	switch key {
	case "Description":
		if h.Description != "" {
			p.twice("Description")
		}
		h.Description = value
	case "When":
		when, ok := moments[value]
		if !ok {
			return p.fail("invalid value %q of When (PreTransaction or PostTransaction)", value)
		}
		if h.When != 0 {
			p.twice("When")
		}
		h.When = when
	case "Exec":
		if h.Exec != nil {
			p.twice("Exec")
		}
		argv, err := splitWords(value)
		if err != nil {
			return p.fail("Exec: %v", err)
		}
		h.Exec = argv
	case "Depends":
		h.Depends = append(h.Depends, value)
	case "AbortOnFail":
		h.AbortOnFail = true
	case "NeedsTargets":
		h.NeedsTargets = true
	case "NetworkAccess":
		if value != "allowed" {
			return p.fail("invalid value %q of NetworkAccess (allowed)", value)
		}
		h.Network = true
	default:
		return p.fail("invalid option %s in [Action]", key)
	}
	return nil
}

// validate finds what is missing. A hook without triggers is complete: such
// files mask the hooks of lower directories.
func (p *parser) validate() error {
	h := p.hook
	if len(h.Triggers) == 0 {
		return nil
	}
	for _, t := range h.Triggers {
		switch {
		case len(t.Targets) == 0:
			return p.fail("a [Trigger] has no Target")
		case t.Type == 0:
			return p.fail("a [Trigger] has no Type")
		case t.Operations == 0:
			return p.fail("a [Trigger] has no Operation")
		}
	}
	switch {
	case len(h.Exec) == 0:
		return p.fail("[Action] has no Exec")
	case h.When == 0:
		return p.fail("[Action] has no When")
	case h.When == PostTransaction && h.AbortOnFail:
		p.warn("AbortOnFail has no effect after the transaction")
	}
	return nil
}
