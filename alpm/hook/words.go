// SPDX-License-Identifier: GPL-3.0-or-later

package hook

import (
	"errors"
	"strings"
)

// splitWords splits a command as libalpm does: at white space, with quotes of
// both kinds (also inside a word) and a backslash in front of a quote.
// Everything else, backslashes before other characters too, is as it stands.
func splitWords(s string) ([]string, error) {
	var words []string
	for i := 0; ; {
		for i < len(s) && isSpace(s[i]) {
			i++
		}
		if i == len(s) {
			return words, nil
		}
		word, next, err := oneWord(s, i)
		if err != nil {
			return nil, err
		}
		words = append(words, word)
		i = next
	}
}

func oneWord(s string, i int) (word string, next int, err error) {
	var b strings.Builder
	for i < len(s) && !isSpace(s[i]) {
		switch c := s[i]; {
		case c == '\'' || c == '"':
			for i++; i < len(s) && s[i] != c; i++ {
				if s[i] == '\\' && i+1 < len(s) && s[i+1] == c {
					i++
				}
				b.WriteByte(s[i])
			}
			if i == len(s) {
				return "", 0, errors.New("a quote is not closed")
			}
		case c == '\\' && i+1 < len(s) && (s[i+1] == '\'' || s[i+1] == '"'):
			i++
			b.WriteByte(s[i])
		default:
			b.WriteByte(c)
		}
		i++
	}
	return b.String(), i, nil
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }
