// SPDX-License-Identifier: GPL-3.0-or-later

package schema

import (
	"bytes"
	"sort"
	"unicode/utf8"
)

// span is a range of bytes of the source.
type span struct{ off, end int }

// source is a file with an index of its lines.
type source struct {
	name  string
	data  []byte
	lines []int // offset of the first byte of each line
}

func newSource(name string, data []byte) *source {
	s := &source{name: name, data: data, lines: []int{0}}
	for i, c := range data {
		if c == '\n' {
			s.lines = append(s.lines, i+1)
		}
	}
	return s
}

// line returns the number (from 0) of the line that holds the byte at off.
func (s *source) line(off int) int {
	return sort.Search(len(s.lines), func(i int) bool { return s.lines[i] > off }) - 1
}

// text returns a line without its end.
func (s *source) text(line int) []byte {
	end := len(s.data)
	if line+1 < len(s.lines) {
		end = s.lines[line+1] - 1
	}
	return bytes.TrimSuffix(s.data[s.lines[line]:end], []byte("\r"))
}

// mistake makes a Mistake about a range of the source.
func (s *source) mistake(at span, message string) Mistake {
	at.off = max(0, min(at.off, len(s.data)))
	// A parser that wants more at the end of a line points at the line break;
	// people look for it on that line.
	n := s.line(at.off)
	text, start := s.text(n), s.lines[n]
	from := min(at.off-start, len(text))
	to := max(from, min(at.end-start, len(text)))
	return Mistake{
		File: s.name, Line: n + 1,
		Column:  utf8.RuneCount(text[:from]) + 1,
		Length:  max(1, utf8.RuneCount(text[from:to])),
		Message: clip(message),
		excerpt: string(text),
	}
}

// clip keeps a message readable when a value in it is very long.
func clip(message string) string {
	const most = 400
	if utf8.RuneCountInString(message) <= most {
		return message
	}
	return string([]rune(message)[:most]) + "…"
}
