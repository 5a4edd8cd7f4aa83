// SPDX-License-Identifier: GPL-3.0-or-later

package solve

import (
	"sort"
	"strings"
)

// maxNear is how many names a hint offers.
const maxNear = 3

// nearRepos returns the names of the repositories that are closest to name.
func (s *state) nearRepos(name string) []string {
	seen := map[string]bool{}
	for _, r := range s.u.Repos {
		for known := range r.DB.Names() {
			if !strings.Contains(known, ".so") || r.DB.Package(known) != nil {
				seen[known] = true
			}
		}
	}
	return nearest(name, seen)
}

func nearest(name string, known map[string]bool) []string {
	limit := 1 + len(name)/4
	type scored struct {
		name string
		d    int
	}
	var found []scored
	for k := range known {
		if k == name {
			continue
		}
		if diff := len(k) - len(name); diff > limit || -diff > limit {
			continue
		}
		if d := distance(name, k); d <= limit {
			found = append(found, scored{k, d})
		}
	}
	sort.Slice(found, func(i, j int) bool {
		if found[i].d != found[j].d {
			return found[i].d < found[j].d
		}
		return found[i].name < found[j].name
	})
	var out []string
	for _, f := range found[:min(len(found), maxNear)] {
		out = append(out, f.name)
	}
	return out
}

// distance is the edit distance with transpositions of neighbours counted as
// one, since those are the most common slip.
func distance(a, b string) int {
	before, prev, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(prev[j]+1, row[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, prev, row = prev, row, before
	}
	return prev[len(b)]
}
