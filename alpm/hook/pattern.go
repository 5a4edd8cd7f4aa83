// SPDX-License-Identifier: GPL-3.0-or-later

package hook

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Patterns is a list of shell patterns as libalpm uses them for targets.
type Patterns []pattern

type pattern struct {
	negated bool
	glob    string
	prefix  string // what every match begins with: most paths fail here already
	literal bool   // the prefix is all of it
}

// Compile prepares a list of patterns.
func Compile(list []string) Patterns {
	compiled := make(Patterns, len(list))
	for i, s := range list {
		p := pattern{glob: s}
		if s != "" && (s[0] == '!' || s[0] == '\\') {
			// A backslash in front stands for "no exclamation mark here".
			p.negated, p.glob = s[0] == '!', s[1:]
		}
		n := strings.IndexAny(p.glob, `*?[\`)
		p.literal = n < 0
		if n < 0 {
			n = len(p.glob)
		}
		p.prefix = p.glob[:n]
		compiled[i] = p
	}
	return compiled
}

// Match tells whether a name is meant: the last pattern that matches it decides.
func (ps Patterns) Match(name string) bool {
	for i := len(ps) - 1; i >= 0; i-- {
		if ps[i].match(name) {
			return !ps[i].negated
		}
	}
	return false
}

func (p *pattern) match(name string) bool {
	if !strings.HasPrefix(name, p.prefix) {
		return false
	}
	if p.literal {
		return len(name) == len(p.prefix)
	}
	return fnmatch(p.glob[len(p.prefix):], name[len(p.prefix):])
}

// fnmatch is fnmatch(3) without flags: `*` and `?` match slashes and leading
// dots. Only the last star needs another try, so that it is never exponential.
func fnmatch(glob, name string) bool {
	starGlob, starName, starred := "", "", false
	for {
		if ok, restGlob, restName := matchOne(glob, name); ok {
			glob, name = restGlob, restName
			continue
		}
		switch {
		case glob != "" && glob[0] == '*':
			glob = strings.TrimLeft(glob, "*")
			if glob == "" {
				return true
			}
			starGlob, starName, starred = glob, name, true
			continue
		case glob == "" && name == "":
			return true
		case !starred || starName == "":
			return false
		}
		_, size := utf8.DecodeRuneInString(starName)
		starName = starName[size:]
		glob, name = starGlob, starName
	}
}

// matchOne matches one element other than a star against one character.
func matchOne(glob, name string) (ok bool, restGlob, restName string) {
	if glob == "" || name == "" || glob[0] == '*' {
		return false, glob, name
	}
	r, size := utf8.DecodeRuneInString(name)
	switch glob[0] {
	case '?':
		return true, glob[1:], name[size:]
	case '[':
		if in, rest, closed := matchClass(glob[1:], r); closed {
			return in, rest, name[size:]
		}
	case '\\':
		if len(glob) > 1 {
			glob = glob[1:]
		}
	}
	g, gsize := utf8.DecodeRuneInString(glob)
	if g == utf8.RuneError && gsize == 1 || r == utf8.RuneError && size == 1 {
		return glob[0] == name[0], glob[1:], name[1:] // no UTF-8: byte by byte
	}
	return g == r, glob[gsize:], name[size:]
}

// matchClass matches a character against what follows a `[`. It is not closed
// when there is no `]`: then the bracket stands for itself.
func matchClass(glob string, r rune) (in bool, rest string, closed bool) {
	negated := glob != "" && (glob[0] == '!' || glob[0] == '^')
	if negated {
		glob = glob[1:]
	}
	for first := true; ; first = false {
		if glob == "" {
			return false, "", false
		}
		if glob[0] == ']' && !first {
			return in != negated, glob[1:], true
		}
		if name, after, ok := className(glob); ok {
			if test := classes[name]; test != nil && test(r) {
				in = true
			}
			glob = after
			continue
		}
		low, after := classRune(glob)
		glob = after
		high := low
		if len(glob) > 1 && glob[0] == '-' && glob[1] != ']' {
			high, glob = classRune(glob[1:])
		}
		if low <= r && r <= high {
			in = true
		}
	}
}

// className reads "[:alpha:]".
func className(glob string) (name, rest string, ok bool) {
	inner, found := strings.CutPrefix(glob, "[:")
	if !found {
		return "", "", false
	}
	name, rest, ok = strings.Cut(inner, ":]")
	return name, rest, ok
}

func classRune(glob string) (rune, string) {
	if glob[0] == '\\' && len(glob) > 1 {
		glob = glob[1:]
	}
	r, size := utf8.DecodeRuneInString(glob)
	return r, glob[size:]
}

var classes = map[string]func(rune) bool{
	"alpha": unicode.IsLetter, "digit": func(r rune) bool { return '0' <= r && r <= '9' }, "space": unicode.IsSpace,
	"alnum": func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) },
	"upper": unicode.IsUpper, "lower": unicode.IsLower, "cntrl": unicode.IsControl, "print": unicode.IsPrint,
	"punct":  func(r rune) bool { return unicode.IsPunct(r) || unicode.IsSymbol(r) },
	"graph":  func(r rune) bool { return unicode.IsGraphic(r) && !unicode.IsSpace(r) },
	"blank":  func(r rune) bool { return r == ' ' || r == '\t' },
	"xdigit": func(r rune) bool { return strings.ContainsRune("0123456789abcdefABCDEF", r) },
}
