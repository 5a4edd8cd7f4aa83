// SPDX-License-Identifier: GPL-3.0-or-later

// Package mistake is what a reader of files that people write tells of what is
// wrong in them: file, line, column, the line itself, and what may have been
// meant. It knows no format.
package mistake

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Mistake is one thing wrong in a file.
type Mistake struct {
	File string `json:"file"`
	// Line and Column count from 1; columns are characters, not bytes.
	Line   int `json:"line"`
	Column int `json:"column"`
	// Length is how many characters of the line it is about, at least 1.
	Length int `json:"length"`
	// Key is the key as written, or "".
	Key     string `json:"key,omitempty"`
	Message string `json:"message"`
	// Nearest is the known key or value closest to an unknown one.
	Nearest string `json:"nearest,omitempty"`
	Hint    string `json:"hint,omitempty"`

	excerpt string
}

// String is the mistake in one line: file:line:column: message.
func (m Mistake) String() string {
	s := fmt.Sprintf("%s:%d:%d: %s", m.File, m.Line, m.Column, m.Message)
	if m.Hint != "" {
		s += " (" + m.Hint + ")"
	}
	return s
}

// maxExcerpt is how much of a long line is shown, in characters.
const maxExcerpt = 160

// Excerpt returns the line of the file that the mistake is about, made safe
// to print and cut to a readable length, and a line of marks to put under it.
func (m Mistake) Excerpt() (line, marks string) {
	text := []rune(m.excerpt)
	column := m.Column - 1
	if from := column - maxExcerpt/2; len(text) > maxExcerpt && from > 0 {
		text, column = text[min(from, len(text)):], column-from
	}
	text = text[:min(len(text), maxExcerpt)]
	for i, r := range text {
		switch {
		case r == '\t':
			text[i] = ' '
		case !unicode.IsPrint(r):
			text[i] = unicode.ReplacementChar
		}
	}
	length := max(1, min(m.Length, len(text)-column))
	return string(text), strings.Repeat(" ", column) + "^" + strings.Repeat("~", length-1)
}

// List is everything wrong in a file, in the order of the file. It is an
// error when it is not empty.
type List []Mistake

func (ms List) Error() string {
	if len(ms) == 1 {
		return ms[0].String()
	}
	lines := []string{fmt.Sprintf("%d mistakes", len(ms))}
	for _, m := range ms {
		lines = append(lines, "  "+m.String())
	}
	return strings.Join(lines, "\n")
}

// ExitCode is that of mistakes in what people write.
func (ms List) ExitCode() int { return 3 }

// MarshalJSON encodes the list, never as null.
func (ms List) MarshalJSON() ([]byte, error) {
	return json.Marshal(append([]Mistake{}, ms...))
}

// Err returns ms as an error, or nil when there are none.
func (ms List) Err() error {
	if len(ms) == 0 {
		return nil
	}
	return ms
}

// Sorted puts mistakes in the order of the file, each once; of several files,
// by their names.
func (ms List) Sorted() List {
	slices.SortStableFunc(ms, func(a, b Mistake) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Message, b.Message))
	})
	return slices.Compact(ms)
}

// Merge puts lists of mistakes together in the order of the file.
func Merge(lists ...List) List { return List(slices.Concat(lists...)).Sorted() }
