// SPDX-License-Identifier: GPL-3.0-or-later

package pacman

import (
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode/utf8"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/syncdb"
)

// compile reads an extended regular expression of POSIX, letters of either
// case alike. What GNU adds to them (\w, \b …) is understood, and repetitions
// of repetitions, so that "g++" is one.
func compile(expr string) (*regexp.Regexp, error) {
	expr = singleRepeats(expr)
	re, err := syntax.Parse(expr, syntax.POSIX|syntax.FoldCase)
	if err != nil {
		re, err = syntax.Parse(expr, syntax.Perl&^syntax.OneLine|syntax.FoldCase)
	}
	if err != nil {
		return nil, err
	}
	return regexp.Compile(re.String())
}

// singleRepeats turns several of `*`, `+` and `?` in a row into the one that
// means the same.
func singleRepeats(expr string) string {
	var out strings.Builder
	class := false
	for i := 0; i < len(expr); i++ {
		c := expr[i]
		out.WriteByte(c)
		switch {
		case class:
			class = c != ']' || expr[i-1] == '[' || expr[i-1] == '^' && expr[i-2] == '['
		case c == '\\' && i+1 < len(expr):
			i++
			out.WriteByte(expr[i])
		case c == '[':
			class = true
		case strings.IndexByte("*+?", c) >= 0 && i > 0:
			end := i + 1
			for end < len(expr) && strings.IndexByte("*+?", expr[end]) >= 0 {
				end++
			}
			if run := expr[i:end]; strings.Trim(run, run[:1]) != "" {
				text := out.String()
				out.Reset()
				out.WriteString(text[:len(text)-1] + "*")
			}
			i = end - 1
		}
	}
	return out.String()
}

// finder is what is searched for: all of several expressions.
type finder struct {
	res   []*regexp.Regexp
	texts []string
	words []string // each is in every package that matches
}

func newFinder(targets []string) (*finder, error) {
	f := &finder{texts: targets}
	for _, t := range targets {
		re, err := compile(t)
		if err != nil {
			return nil, err
		}
		f.res = append(f.res, re)
		f.words = append(f.words, commonWord(re, t))
	}
	return f, nil
}

// commonWord finds a word that every match of re and of the plain text has, but
// for the case of its letters. It is empty if there is none.
func commonWord(re *regexp.Regexp, text string) string {
	parsed, err := syntax.Parse(re.String(), syntax.Perl)
	if err != nil {
		return ""
	}
	word := neededWord(parsed.Simplify())
	if !strings.Contains(syncdb.Fold(text), word) {
		return ""
	}
	return word
}

// neededWord is the longest plain text that every match of re has: in ASCII,
// in small letters.
func neededWord(re *syntax.Regexp) (word string) {
	longer := func(s string) {
		if len(s) > len(word) {
			word = s
		}
	}
	switch re.Op {
	case syntax.OpLiteral:
		for _, part := range strings.FieldsFunc(string(re.Rune), func(r rune) bool { return r >= utf8.RuneSelf || r == '\n' }) {
			longer(strings.ToLower(part))
		}
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			longer(neededWord(sub))
		}
	case syntax.OpCapture, syntax.OpPlus:
		longer(neededWord(re.Sub[0]))
	}
	return word
}

// matches looks through name, description, provides and groups.
func (f *finder) matches(p *desc.Package) bool {
	for i, re := range f.res {
		if !matchesOne(re, f.texts[i], p) {
			return false
		}
	}
	return true
}

func matchesOne(re *regexp.Regexp, text string, p *desc.Package) bool {
	if re.MatchString(p.Name) || strings.Contains(p.Name, text) || re.MatchString(p.Description) {
		return true
	}
	for _, provide := range p.Provides {
		if re.MatchString(desc.ParseDep(provide).Name) {
			return true
		}
	}
	for _, g := range p.Groups {
		if re.MatchString(g) {
			return true
		}
	}
	return false
}

// search prints the packages of a database that match all targets, all
// packages if there is none. found is false if there was nothing. candidates
// gives all packages that have some words, and perhaps others.
func (s *session) search(db string, candidates func(words ...string) []*desc.Package, present bool) (found, ok bool) {
	f, err := newFinder(s.opt.Targets)
	if err != nil {
		s.errorf("search failed: invalid regular expression")
		return false, false
	}
	page := s.page()
	for _, p := range candidates(f.words...) {
		if !f.matches(p) {
			continue
		}
		found = true
		if s.opt.Quiet {
			s.print(p.Name, "\n")
			continue
		}
		var installed *desc.Package
		if present {
			installed = s.conf.Local.Package(p.Name)
		}
		page.Found(db, p, installed)
	}
	return found, true
}
