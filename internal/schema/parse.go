// SPDX-License-Identifier: GPL-3.0-or-later

package schema

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// MaxSize is the largest file that is read, in bytes. These files are written
// by people; more is a wrong file, or an attack on the parser.
const MaxSize = 1 << 20

// maxDepth bounds brackets, hence the recursion of the parser.
const maxDepth = 256

// maxSyntax is how many broken expressions are reported before giving up.
const maxSyntax = 20

// newExpression matches a line that looks like the start of an expression.
var newExpression = regexp.MustCompile(`^\s*(\[|[A-Za-z0-9_."'-]+[A-Za-z0-9_."' \t-]*=)`)

// firstKey finds the key or table name that a broken expression begins with.
var firstKey = regexp.MustCompile(`^[ \t\["']*([A-Za-z0-9_.-]+)`)

// parsed is a file as far as it could be read.
type parsed struct {
	root  *table
	wrong Mistakes
	// lost holds the keys and tables whose expressions are broken: they are in
	// the file, so they are not missing.
	lost map[lostKey]bool
}

// lostKey is a key in the table whose header stands at an offset (0: the file).
type lostKey struct {
	table int
	key   string
}

// parse reads the source into a tree. After a syntax error it goes on with
// the next expression, so that one comma does not hide all other mistakes.
func parse(src *source) parsed {
	if err := tooBig(src.data); err != nil {
		return parsed{wrong: Mistakes{src.mistake(span{}, err.Error())}}
	}
	var wrong Mistakes
	lost := map[lostKey]bool{}
	data := bytes.Clone(src.data)
	for {
		root, more, broken := parseOnce(src, data)
		if broken == nil {
			return parsed{root, append(wrong, more...), lost}
		}
		wrong = append(wrong, broken.mistake(src))
		if len(wrong) >= maxSyntax {
			return parsed{wrong: wrong}
		}
		lost[lostKey{broken.table, blank(src, data, *broken)}] = true
	}
}

// tooBig refuses what could exhaust the parser.
func tooBig(data []byte) error {
	if len(data) > MaxSize {
		return fmt.Errorf("the file is larger than %d bytes", MaxSize)
	}
	depth := 0
	for _, c := range data {
		switch c {
		case '[', '{':
			depth++
		case ']', '}':
			depth--
		}
		if depth > maxDepth {
			return fmt.Errorf("brackets are nested more than %d deep", maxDepth)
		}
	}
	return nil
}

// syntaxError is where the parser stopped: the mistake, and the start of the
// expression that holds it.
type syntaxError struct {
	at      span
	message string
	start   int
	// table is the offset of the table that the expression is in.
	table int
}

// mistake words the error for people who do not think in parsers.
func (e *syntaxError) mistake(src *source) Mistake {
	message, hint := e.message, ""
	atValue := strings.HasSuffix(message, "at start of value")
	switch {
	case atValue && (strings.Contains(message, "U+000A") || strings.Contains(message, "U+000D") || strings.Contains(message, "U+0023")):
		message = "there is no value after the ="
	case atValue, strings.HasPrefix(message, "expected keyword"):
		hint = "strings are written in double quotes"
	}
	m := src.mistake(e.at, message)
	m.Hint = hint
	return m
}

// parseOnce parses until the end or the first syntax error.
func parseOnce(src *source, data []byte) (*table, Mistakes, *syntaxError) {
	b := &builder{src: src, root: newTable(span{})}
	b.current = b.root
	var p unstable.Parser
	p.Reset(data)
	end := 0
	for p.NextExpression() {
		end = b.add(p.Expression())
	}
	if p.Error() == nil {
		return b.root, b.wrong, nil
	}
	e := &syntaxError{at: span{end, end + 1}, message: p.Error().Error(), start: firstWord(data, end)}
	var pe *unstable.ParserError
	if errors.As(p.Error(), &pe) {
		e.message = pe.Message
		if len(pe.Highlight) > 0 {
			r := p.Range(pe.Highlight)
			e.at = span{int(r.Offset), int(r.Offset + r.Length)}
		} else {
			e.at = span{len(data), len(data)}
		}
	}
	if data[min(e.start, len(data)-1)] != '[' {
		e.table = b.current.at.off
	}
	return b.root, b.wrong, e
}

// firstWord returns the offset of the first byte at or after off that is
// neither blank nor comment.
func firstWord(data []byte, off int) int {
	for off < len(data) {
		switch data[off] {
		case ' ', '\t', '\r', '\n':
			off++
		case '#':
			for off < len(data) && data[off] != '\n' {
				off++
			}
		default:
			return off
		}
	}
	return off
}

// blank overwrites the broken expression with spaces: its first line, and the
// lines up to the error unless that one starts something new. It returns the
// key or table name that the expression began with.
func blank(src *source, data []byte, e syntaxError) string {
	first := src.line(min(e.start, e.at.off))
	last := max(first, src.line(e.at.off))
	if last > first && newExpression.Match(src.text(last)) {
		last = first
	}
	end := len(data)
	if last+1 < len(src.lines) {
		end = src.lines[last+1]
	}
	key := ""
	if m := firstKey.FindSubmatch(src.text(first)); m != nil {
		key = string(m[1])
	}
	for i := src.lines[first]; i < end; i++ {
		if data[i] != '\n' {
			data[i] = ' '
		}
	}
	return key
}

// netUnder lets go-toml decode what was found clean: a rule of TOML that the
// builder does not know must not pass.
func netUnder(src *source) Mistakes {
	var all map[string]any
	err := toml.Unmarshal(src.data, &all)
	if err == nil {
		return nil
	}
	var de *toml.DecodeError
	if !errors.As(err, &de) {
		return Mistakes{src.mistake(span{}, err.Error())}
	}
	row, col := de.Position()
	off := src.lines[min(row, len(src.lines))-1] + col - 1
	return Mistakes{src.mistake(span{off, off + 1}, strings.TrimPrefix(de.Error(), "toml: "))}
}
