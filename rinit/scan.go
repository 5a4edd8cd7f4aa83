// SPDX-License-Identifier: GPL-3.0-or-later

package rinit

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/rastos/rastos/internal/mistake"
)

// What a part of a file is.
type shape int

const (
	blank shape = iota
	comment
	header // of a section
	scalar
	list
	code
	stray // a line that says nothing
)

// part is one or more lines of a file: what the formatter writes.
type part struct {
	shape   shape
	section string // that it stands in, or heads
	key     string
	keyAt   span
	value   string // of a scalar, as written; lines of code; the text of a comment
	valueAt span
	words   []word // of a list
	broken  bool   // what is wrong with it was told
}

// span is a range of bytes of the file.
type span struct{ off, end int }

// word is one of a list.
type word struct {
	text string
	at   span
}

// scanner takes a file apart. It knows the shapes of values, not what they mean.
type scanner struct {
	src         *mistake.Source
	line        int // the next one
	name, kind  part
	parts       []part
	section     sectionKind
	wrong, warn mistake.List
}

func (s *scanner) mistake(at span, hint, format string, args ...any) {
	s.wrong = append(s.wrong, told(s.src, at, hint, format, args...))
}

func told(src *mistake.Source, at span, hint, format string, args ...any) mistake.Mistake {
	m := src.At(at.off, at.end, fmt.Sprintf(format, args...))
	m.Hint = hint
	return m
}

// text returns a line, with the place of what is not blank in it.
func (s *scanner) text(line int) (string, span) {
	raw := string(s.src.Text(line))
	text := strings.TrimSpace(raw)
	off := s.src.Lines[line] + strings.Index(raw, text)
	return text, span{off, off + len(text)}
}

// more tells whether there is another line; the nothing after the last line
// break is none.
func (s *scanner) more() bool {
	return s.line < len(s.src.Lines) && s.src.Lines[s.line] < len(s.src.Data)
}

func (s *scanner) scan() {
	s.top()
	for s.more() {
		text, at := s.text(s.line)
		s.line++
		switch {
		case text == "":
			s.add(part{shape: blank})
		case text[0] == '#':
			s.add(part{shape: comment, value: text})
		case text[0] == '[':
			s.head(text, at)
		case !strings.Contains(text, "="):
			s.add(part{shape: stray, value: text})
			s.warn = append(s.warn, told(s.src, at, "write KEY = VALUE, or # before a comment", "this line says nothing: there is no = in it"))
		default:
			s.assignment(text, at)
		}
	}
}

func (s *scanner) add(p part) {
	p.section = s.section.name
	s.parts = append(s.parts, p)
}

// top reads what stands before the first section: name and type, then nothing
// but comments.
func (s *scanner) top() {
	for ; s.more(); s.line++ {
		text, at := s.text(s.line)
		if strings.HasPrefix(text, "[") {
			break
		}
		key, value, found := strings.Cut(text, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		p := part{shape: scalar, key: key, keyAt: span{at.off, at.off + len(key)}, value: value, valueAt: span{at.end - len(value), at.end}}
		switch {
		case text == "":
			s.parts = append(s.parts, part{shape: blank})
		case text[0] == '#':
			s.parts = append(s.parts, part{shape: comment, value: text})
		case found && key == "name":
			s.titled(&s.name, p, 0)
		case found && key == "type":
			s.titled(&s.kind, p, 1)
		default:
			s.mistake(at, "after name and type come sections such as [options]", "%q stands in no section", text)
		}
	}
}

// titled takes the name or the type.
func (s *scanner) titled(into *part, p part, line int) {
	switch {
	case into.key != "":
		s.mistake(p.keyAt, "", "%q is given twice: the first is at line %d", p.key, s.src.Line(into.keyAt.off)+1)
		return
	case s.line != line:
		s.mistake(p.keyAt, "comments and blank lines come after name and type", "%q stands in line %d and must be in line %d", p.key, s.line+1, line+1)
	}
	*into = p
}

// head reads the head of a section.
func (s *scanner) head(text string, at span) {
	name, rest, closed := strings.Cut(text[1:], "]")
	switch {
	case !closed:
		s.mistake(at, "write ["+strings.TrimSpace(name)+"]", "this head of a section has no ]")
	case rest != "":
		s.mistake(span{at.end - len(rest), at.end}, "a comment is a line of its own", "%q stands behind the head of a section", strings.TrimSpace(rest))
	}
	at.end -= len(rest)
	s.section, _ = sectionOf(name)
	s.section.name = name // also where it is unknown
	s.add(part{shape: header, key: name, keyAt: at})
}

// assignment reads a line with "=", and the lines that belong to it.
func (s *scanner) assignment(text string, at span) {
	key, value, _ := strings.Cut(text, "=")
	key, value = strings.TrimSpace(key), strings.TrimSpace(value)
	p := part{shape: scalar, key: key, keyAt: span{at.off, at.off + len(key)}, value: value, valueAt: span{at.end - len(value), at.end}}
	if key == "" {
		s.mistake(at, "", "there is no key before =")
		return
	}
	f, known := fieldOf(s.section, key)
	switch {
	case s.section.name == env:
	case known && f.code || !known && value == "(":
		s.code(&p)
		return
	case known && f.list() || !known && strings.HasPrefix(value, "["):
		s.list(&p)
		return
	}
	s.add(p)
}

// code reads the lines up to a ")" at the beginning of one.
func (s *scanner) code(p *part) {
	p.shape = code
	opened := p.value
	p.value = ""
	if opened != "(" {
		hint := fmt.Sprintf("write %s = ( alone, the code in the next lines, and ) alone at the beginning of a line", p.key)
		s.mistake(p.valueAt, hint, "the code of %q does not begin in the line after (", p.key)
		p.broken = true
		if !strings.HasPrefix(opened, "(") || strings.HasSuffix(opened, ")") {
			s.add(*p) // most likely the whole of it stands in this line
			return
		}
	}
	var lines strings.Builder
	indented := 0
	for ; s.more(); s.line++ {
		raw := strings.TrimRight(string(s.src.Text(s.line)), "\r")
		text := strings.TrimSpace(raw)
		if strings.TrimRightFunc(raw, unicode.IsSpace) == ")" {
			s.line++
			p.value = lines.String()
			s.add(*p)
			return
		}
		if text == ")" && indented == 0 {
			indented = s.line + 1
		}
		lines.WriteString(raw + "\n")
	}
	hint := "write ) alone at the beginning of a line"
	if indented > 0 {
		hint = fmt.Sprintf("the ) in line %d has blanks before it, and so is part of the code", indented)
	}
	s.mistake(p.keyAt, hint, "the code of %q has no end", p.key)
	p.broken = true
	s.add(*p)
}

// list reads words up to a "]", over any number of lines.
func (s *scanner) list(p *part) {
	p.shape = list
	p.words = []word{}
	form := fmt.Sprintf("write %s = [ one two ]", p.key)
	rest, opened := strings.CutPrefix(p.value, "[")
	switch {
	case !opened:
		s.mistake(p.valueAt, form, "%q wants a list", p.key)
		p.broken = true
		s.add(*p)
		return
	case rest != "" && !unicode.IsSpace(rune(rest[0])):
		s.mistake(span{p.valueAt.off, p.valueAt.off + 1}, form, "a blank must follow [")
	}
	closed := s.words(p, rest, p.valueAt.end-len(rest))
	for ; !closed && s.more(); s.line++ {
		text, at := s.text(s.line)
		if strings.HasPrefix(text, "[") || strings.Contains(text, "=") {
			break // something else begins
		}
		closed = s.words(p, text, at.off)
	}
	if !closed {
		s.mistake(p.keyAt, "end it with a ] apart from the last word", "the list of %q has no end", p.key)
		p.broken = true
	}
	p.value = ""
	s.add(*p)
}

// words takes the words of one line of a list and tells whether it ends there.
func (s *scanner) words(p *part, text string, off int) (closed bool) {
	for {
		text, off = trimLeft(text, off)
		if text == "" {
			return closed
		}
		end := strings.IndexFunc(text, unicode.IsSpace)
		if end < 0 {
			end = len(text)
		}
		w := word{text[:end], span{off, off + end}}
		text, off = text[end:], off+end
		if closed {
			s.mistake(w.at, "", "%q stands after the end of the list", w.text)
			continue
		}
		if w.text == "]" {
			closed = true
			continue
		}
		if bare, glued := strings.CutSuffix(w.text, "]"); glued {
			s.mistake(span{w.at.end - 1, w.at.end}, "", "a blank must stand before ]")
			w.text, closed = bare, true
			w.at.end--
		}
		p.words = append(p.words, w)
	}
}

func trimLeft(text string, off int) (string, int) {
	rest := strings.TrimLeftFunc(text, unicode.IsSpace)
	return rest, off + len(text) - len(rest)
}
