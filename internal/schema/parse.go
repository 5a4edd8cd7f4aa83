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

	"github.com/rastos/rastos/internal/mistake"
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
	wrong mistake.List
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
func parse(src *mistake.Source) parsed {
	if err := tooBig(src.Data); err != nil {
		return parsed{wrong: mistake.List{src.At(0, 0, err.Error())}}
	}
	var wrong mistake.List
	lost := map[lostKey]bool{}
	data := bytes.Clone(src.Data)
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
func (e *syntaxError) mistake(src *mistake.Source) mistake.Mistake {
	message, hint := e.message, ""
	atValue := strings.HasSuffix(message, "at start of value")
	switch {
	case atValue && (strings.Contains(message, "U+000A") || strings.Contains(message, "U+000D") || strings.Contains(message, "U+0023")):
		message = "there is no value after the ="
	case atValue, strings.HasPrefix(message, "expected keyword"):
		hint = "strings are written in double quotes"
	}
	m := src.At(e.at.off, e.at.end, message)
	m.Hint = hint
	return m
}

// parseOnce parses until the end or the first syntax error.
func parseOnce(src *mistake.Source, data []byte) (*table, mistake.List, *syntaxError) {
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
func blank(src *mistake.Source, data []byte, e syntaxError) string {
	first := src.Line(min(e.start, e.at.off))
	last := max(first, src.Line(e.at.off))
	if last > first && newExpression.Match(src.Text(last)) {
		last = first
	}
	end := len(data)
	if last+1 < len(src.Lines) {
		end = src.Lines[last+1]
	}
	key := ""
	if m := firstKey.FindSubmatch(src.Text(first)); m != nil {
		key = string(m[1])
	}
	for i := src.Lines[first]; i < end; i++ {
		if data[i] != '\n' {
			data[i] = ' '
		}
	}
	return key
}

// netUnder lets go-toml decode what was found clean: a rule of TOML that the
// builder does not know must not pass.
func netUnder(src *mistake.Source) mistake.List {
	var all map[string]any
	err := toml.Unmarshal(src.Data, &all)
	if err == nil {
		return nil
	}
	var de *toml.DecodeError
	if !errors.As(err, &de) {
		return mistake.List{src.At(0, 0, err.Error())}
	}
	row, col := de.Position()
	off := src.Lines[min(row, len(src.Lines))-1] + col - 1
	return mistake.List{src.At(off, off+1, strings.TrimPrefix(de.Error(), "toml: "))}
}
