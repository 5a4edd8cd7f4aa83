// SPDX-License-Identifier: GPL-3.0-or-later

package mistake

import (
	"bytes"
	"sort"
	"unicode/utf8"
)

// Source is a file with an index of its lines.
type Source struct {
	Name  string
	Data  []byte
	Lines []int // offset of the first byte of each line
}

// NewSource indexes a file.
func NewSource(name string, data []byte) *Source {
	s := &Source{Name: name, Data: data, Lines: []int{0}}
	for i, c := range data {
		if c == '\n' {
			s.Lines = append(s.Lines, i+1)
		}
	}
	return s
}

// Line returns the number (from 0) of the line that holds the byte at off.
func (s *Source) Line(off int) int {
	return sort.Search(len(s.Lines), func(i int) bool { return s.Lines[i] > off }) - 1
}

// Text returns a line without its end.
func (s *Source) Text(line int) []byte {
	end := len(s.Data)
	if line+1 < len(s.Lines) {
		end = s.Lines[line+1] - 1
	}
	return bytes.TrimSuffix(s.Data[s.Lines[line]:end], []byte("\r"))
}

// At makes a Mistake about the bytes from off to end.
func (s *Source) At(off, end int, message string) Mistake {
	off = max(0, min(off, len(s.Data)))
	// A parser that wants more at the end of a line points at the line break;
	// people look for it on that line.
	n := s.Line(off)
	text, start := s.Text(n), s.Lines[n]
	from := min(off-start, len(text))
	to := max(from, min(end-start, len(text)))
	return Mistake{
		File: s.Name, Line: n + 1,
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
