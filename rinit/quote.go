// SPDX-License-Identifier: GPL-3.0-or-later

package rinit

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// escapes are the letters that may follow a backslash between double quotes.
var escapes = map[rune]rune{
	'a': '\a', 'b': '\b', 'e': 0x1b, 'E': 0x1b, 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', 'v': '\v',
	'\\': '\\', '\'': '\'', '"': '"', '$': '$', '`': '`', ' ': ' ',
}

// unquoteError is an escape that means nothing, at a byte of the value.
type unquoteError struct {
	off, end int
	message  string
}

func (e *unquoteError) Error() string { return e.message }

// unquote takes the quotes and escapes out of a value of [env]. Single quotes
// keep all, double quotes know escapes, outside of both a backslash means itself;
// open is true where a quote does not end, which rinit allows.
func unquote(s string) (value string, open bool, err error) {
	var out strings.Builder
	quote := rune(0)
	for off := 0; off < len(s); {
		r, size := utf8.DecodeRuneInString(s[off:])
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '\'' || r == '"'):
			quote = r
		case quote == '"' && r == '\\':
			c, n, err := unescape(s[off:])
			if err != nil {
				return "", false, &unquoteError{off, off + n, err.Error()}
			}
			out.WriteRune(c)
			size = n
		default:
			out.WriteRune(r)
		}
		off += size
	}
	return out.String(), quote != 0, nil
}

// unescape reads the escape that s begins with, and tells its length.
func unescape(s string) (r rune, length int, err error) {
	if len(s) == 1 {
		return 0, 1, fmt.Errorf("nothing follows the last backslash")
	}
	c, size := utf8.DecodeRuneInString(s[1:])
	if c != 'u' {
		r, known := escapes[c]
		if !known {
			return 0, 1 + size, fmt.Errorf("%s is no escape", s[:1+size])
		}
		return r, 1 + size, nil
	}
	end := strings.IndexByte(s, '}')
	if !strings.HasPrefix(s, `\u{`) || end < 0 {
		return 0, 2, fmt.Errorf(`a character is written as \u{1f41a}`)
	}
	n, err := strconv.ParseUint(s[3:end], 16, 32)
	if err != nil || n > unicode.MaxRune || n == 0 || !utf8.ValidRune(rune(n)) {
		return 0, end + 1, fmt.Errorf("%s is no character", s[:end+1])
	}
	return rune(n), end + 1, nil
}

// quote writes a value so that unquote gives it back.
func quote(s string) string {
	plain := s == strings.TrimSpace(s) && s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r == '\'' || r == '"' || !unicode.IsPrint(r)
	})
	if plain {
		return s
	}
	var out strings.Builder
	out.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			out.WriteRune('\\')
			out.WriteRune(r)
		case r == '\n':
			out.WriteString(`\n`)
		case r == '\t':
			out.WriteString(`\t`)
		case r == ' ' || unicode.IsPrint(r):
			out.WriteRune(r)
		default:
			fmt.Fprintf(&out, `\u{%x}`, r)
		}
	}
	out.WriteByte('"')
	return out.String()
}
