// SPDX-License-Identifier: GPL-3.0-or-later

package differential_test

import "slices"

// shrink makes a story shorter for as long as it is still interesting: first
// whole statements go, then the lines below them, then their words. try is
// asked at most budget times.
func shrink(s story, budget int, try func(story) bool) story {
	interesting := func(c story) bool {
		if budget <= 0 {
			return false
		}
		budget--
		return try(c)
	}
	for size := len(s) / 2; size > 0 && budget > 0; {
		before := len(s)
		s = without(s, size, interesting)
		if size > 1 || len(s) == before {
			size /= 2
		}
	}
	for again := true; again && budget > 0; {
		again = false
		for i := len(s) - 1; i >= 0; i-- {
			for _, c := range shorter(s[i]) {
				candidate := slices.Clone(s)
				candidate[i] = c
				if interesting(candidate) {
					s, again = candidate, true
					break
				}
			}
		}
		next := without(s, 1, interesting)
		again = again || len(next) < len(s)
		s = next
	}
	return s
}

// without takes out runs of statements of that size, from the end.
func without(s story, size int, interesting func(story) bool) story {
	for at := len(s) - size; at > -size; at -= size {
		from, to := max(at, 0), min(at+size, len(s))
		if from >= to {
			continue
		}
		candidate := slices.Delete(slices.Clone(s), from, to)
		if interesting(candidate) {
			s = candidate
		}
	}
	return s
}

// shorter are the statements that are less by one line, word or list item.
func shorter(st statement) (out []statement) {
	for i := range st.under {
		out = append(out, statement{st.words, slices.Delete(slices.Clone(st.under), i, i+1)})
	}
	for i := len(st.words) - 1; i >= required(st.verb()); i-- {
		out = append(out, statement{slices.Delete(slices.Clone(st.words), i, i+1), st.under})
	}
	return out
}

// required counts the words that a statement is nothing without.
func required(verb string) int {
	switch verb {
	case "pkg":
		return 3
	case "write":
		return 4
	case "conf", "repo", "run", "remove":
		return 2
	}
	return 10
}
