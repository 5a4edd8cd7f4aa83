// SPDX-License-Identifier: GPL-3.0-or-later

package debian

import (
	"fmt"
	"strings"
)

// Relation names a package, perhaps with a range of versions.
type Relation struct {
	Name    string
	Op      string // "<<", "<=", "=", ">=", ">>" or empty
	Version string
}

// ParseRelations reads a field such as Depends: groups joined by commas, of
// which each is a list of alternatives.
func ParseRelations(field string) ([][]Relation, error) {
	var groups [][]Relation
	for _, text := range strings.Split(field, ",") {
		if strings.TrimSpace(text) == "" {
			continue
		}
		var group []Relation
		for _, alternative := range strings.Split(text, "|") {
			r, err := parseRelation(strings.TrimSpace(alternative))
			if err != nil {
				return nil, err
			}
			group = append(group, r)
		}
		groups = append(groups, group)
	}
	return groups, nil
}

func parseRelation(s string) (Relation, error) {
	text := s
	var r Relation
	if i := strings.IndexByte(s, '('); i >= 0 {
		inner, _, ok := strings.Cut(s[i+1:], ")")
		if !ok {
			return r, fmt.Errorf("relation %q: a bracket is not closed", text)
		}
		inner = strings.TrimSpace(inner)
		n := 0
		for n < len(inner) && strings.IndexByte("<>=", inner[n]) >= 0 {
			n++
		}
		r.Op, r.Version = inner[:n], strings.TrimSpace(inner[n:])
		if r.Op == "" || strings.ContainsAny(r.Version, " \t\n") {
			return r, fmt.Errorf("relation %q: neither comparison nor version in the brackets", text)
		}
		s = s[:i]
	}
	switch r.Op {
	case "<": // old spellings, which mean this
		r.Op = "<="
	case ">":
		r.Op = ">="
	case "", "<<", "<=", "=", ">=", ">>":
	default:
		return r, fmt.Errorf("relation %q: unknown comparison %q", text, r.Op)
	}
	if r.Op != "" && r.Version == "" {
		return r, fmt.Errorf("relation %q: a comparison without a version", text)
	}
	if i := strings.IndexAny(s, "[<"); i >= 0 { // restrictions of source packages
		s = s[:i]
	}
	r.Name, _, _ = strings.Cut(strings.TrimSpace(s), ":")
	if r.Name == "" || strings.ContainsAny(r.Name, " \t\n/") {
		return r, fmt.Errorf("relation %q: no package name", text)
	}
	return r, nil
}

// Allows tells whether a version is in the range.
func (r Relation) Allows(version string) bool {
	c := Compare(version, r.Version)
	switch r.Op {
	case "<<":
		return c < 0
	case "<=":
		return c <= 0
	case "=":
		return c == 0
	case ">=":
		return c >= 0
	case ">>":
		return c > 0
	}
	return true
}
