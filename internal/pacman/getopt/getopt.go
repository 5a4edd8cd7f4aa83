// SPDX-License-Identifier: GPL-3.0-or-later

// Package getopt reads a command line the way GNU getopt_long does: short
// options bundled, long ones shortened as far as they are unambiguous, values
// attached or in the next word, options and operands in any order, and `--` as
// the end of the options. Errors have glibc's words.
//
// Not implemented: POSIXLY_CORRECT, long options behind a single dash, and
// `-W foo`.
package getopt

import (
	"fmt"
	"slices"
	"strings"
)

// Value says whether an option takes a value.
type Value int

// The kinds of options. An optional value must be attached with `=`.
const (
	NoValue Value = iota
	Required
	Optional
)

// Long is one long option. Key is what it stands for: the letter of a short
// option, or a name of the caller's own.
type Long struct {
	Name  string
	Value Value
	Key   string
}

// Spec is what a program understands. Short lists letters; a colon behind one
// says that it takes a value.
type Spec struct {
	Short string
	Long  []Long
}

// Option is one option as it was given.
type Option struct {
	Key string
	// Name is how it was written out: "-b", or "--dbpath" in full.
	Name  string
	Value string
	// HasValue tells an empty value from none.
	HasValue bool
}

// Parse returns the options in order and the operands. The error is without
// the program's name, which getopt_long puts before it. Options before a wrong
// one are returned with the error.
func (s Spec) Parse(args []string) (options []Option, operands []string, err error) {
	options, at, err := s.parse(args)
	for _, i := range at {
		operands = append(operands, args[i])
	}
	return options, operands, err
}

// Permuted is the command line as getopt_long leaves it: options first, then
// what is none.
func (s Spec) Permuted(args []string) []string {
	_, at, err := s.parse(args)
	if err != nil {
		return args
	}
	var out []string
	for i, arg := range args {
		if !slices.Contains(at, i) {
			out = append(out, arg)
		}
	}
	for _, i := range at {
		out = append(out, args[i])
	}
	return out
}

// parse returns the options and where the operands are.
func (s Spec) parse(args []string) (options []Option, operands []int, err error) {
	for i := 0; i < len(args); i++ {
		arg := args[i]
		var used int
		var opts []Option
		switch {
		case arg == "--":
			for i++; i < len(args); i++ {
				operands = append(operands, i)
			}
			return options, operands, nil
		case strings.HasPrefix(arg, "--"):
			var o Option
			o, used, err = s.long(arg[2:], args[i+1:])
			opts = []Option{o}
		case len(arg) > 1 && arg[0] == '-':
			opts, used, err = s.short(arg[1:], args[i+1:])
		default:
			operands = append(operands, i)
			continue
		}
		if err != nil {
			return options, operands, err
		}
		options = append(options, opts...)
		i += used
	}
	return options, operands, nil
}

func (s Spec) long(arg string, rest []string) (o Option, used int, err error) {
	name, value, has := strings.Cut(arg, "=")
	l, err := s.find(name, arg)
	if err != nil {
		return o, 0, err
	}
	o = Option{Key: l.Key, Name: "--" + l.Name, Value: value, HasValue: has}
	switch {
	case has && l.Value == NoValue:
		return o, 0, fmt.Errorf("option '--%s' doesn't allow an argument", l.Name)
	case !has && l.Value == Required && len(rest) == 0:
		return o, 0, fmt.Errorf("option '--%s' requires an argument", l.Name)
	case !has && l.Value == Required:
		o.Value, o.HasValue = rest[0], true
		return o, 1, nil
	}
	return o, 0, nil
}

// find looks a long option up: its whole name, or what only one begins with.
func (s Spec) find(name, arg string) (Long, error) {
	var found []Long
	for _, l := range s.Long {
		switch {
		case l.Name == name:
			return l, nil
		case strings.HasPrefix(l.Name, name):
			found = append(found, l)
		}
	}
	switch len(found) {
	case 0:
		return Long{}, fmt.Errorf("unrecognized option '--%s'", arg)
	case 1:
		return found[0], nil
	}
	var names strings.Builder
	for _, l := range found {
		fmt.Fprintf(&names, " '--%s'", l.Name)
	}
	return Long{}, fmt.Errorf("option '--%s' is ambiguous; possibilities:%s", arg, names.String())
}

func (s Spec) short(letters string, rest []string) (opts []Option, used int, err error) {
	for i := 0; i < len(letters); i++ {
		letter := letters[i : i+1]
		at := strings.Index(s.Short, letter)
		if at < 0 || letter == ":" {
			return opts, 0, fmt.Errorf("invalid option -- '%s'", letter)
		}
		o := Option{Key: letter, Name: "-" + letter}
		if !strings.HasPrefix(s.Short[at+1:], ":") {
			opts = append(opts, o)
			continue
		}
		o.HasValue = true
		switch {
		case i+1 < len(letters):
			o.Value = letters[i+1:]
		case len(rest) > 0:
			o.Value, used = rest[0], 1
		default:
			return opts, 0, fmt.Errorf("option requires an argument -- '%s'", letter)
		}
		return append(opts, o), used, nil
	}
	return opts, 0, nil
}
