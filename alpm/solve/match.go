// SPDX-License-Identifier: GPL-3.0-or-later

package solve

import "strings"

// LastMatch goes through patterns of paths, as NoExtract has them: the last one
// that matches counts, and `!` takes back.
func LastMatch(patterns []string, path string) (matches bool) {
	for _, p := range patterns {
		p, not := strings.CutPrefix(p, "!")
		if Match(p, path) {
			matches = !not
		}
	}
	return matches
}

// Match is fnmatch(3) without flags: `*` and `?` match any character, a slash
// too; `[…]` is a class, negated by `!` or `^`; a backslash quotes. That is
// how pacman reads IgnorePkg, NoExtract and their like (path.Match keeps `*`
// off slashes, so it cannot be used here).
func Match(pattern, name string) bool {
	for pattern != "" {
		switch pattern[0] {
		case '*':
			pattern = strings.TrimLeft(pattern, "*")
			if pattern == "" {
				return true
			}
			for i := 0; i <= len(name); i++ {
				if Match(pattern, name[i:]) {
					return true
				}
			}
			return false
		case '?':
			if name == "" {
				return false
			}
			pattern, name = pattern[1:], name[1:]
		case '[':
			if name == "" {
				return false
			}
			rest, in, ok := class(pattern, name[0])
			if !ok { // no closing bracket: an ordinary character
				if name[0] != '[' {
					return false
				}
				rest = pattern[1:]
			} else if !in {
				return false
			}
			pattern, name = rest, name[1:]
		default:
			if pattern[0] == '\\' && len(pattern) > 1 {
				pattern = pattern[1:]
			}
			if name == "" || name[0] != pattern[0] {
				return false
			}
			pattern, name = pattern[1:], name[1:]
		}
	}
	return name == ""
}

// class reads a bracket expression at the start of pattern.
func class(pattern string, c byte) (rest string, in, ok bool) {
	i := 1
	negate := i < len(pattern) && (pattern[i] == '!' || pattern[i] == '^')
	if negate {
		i++
	}
	for first := true; i < len(pattern); first = false {
		if pattern[i] == ']' && !first {
			return pattern[i+1:], in != negate, true
		}
		if pattern[i] == '\\' && i+1 < len(pattern) {
			i++
		}
		lo := pattern[i]
		hi := lo
		if i+2 < len(pattern) && pattern[i+1] == '-' && pattern[i+2] != ']' {
			hi = pattern[i+2]
			i += 2
		}
		if lo <= c && c <= hi {
			in = true
		}
		i++
	}
	return "", false, false
}
