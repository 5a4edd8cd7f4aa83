// SPDX-License-Identifier: GPL-3.0-or-later

package convert

import (
	"cmp"
	"slices"
	"strings"
)

// Dispute is a path that a package has and another is more entitled to.
type Dispute struct{ Path, Owner string }

// Disputes finds paths that several packages have, other than directories in
// all of them, and says by index of the result who must give up which. More
// entitled is a directory, then a file of ours, then one of Debian's,
// then the first by name.
func Disputes(results []*Result) map[int][]Dispute {
	holders := make(map[string][]int)
	for i, r := range results {
		for name := range r.Paths {
			holders[name] = append(holders[name], i)
		}
	}
	lost := make(map[int][]Dispute)
	for name, list := range holders {
		if len(list) < 2 {
			continue
		}
		slices.SortFunc(list, func(i, j int) int {
			return cmp.Or(
				cmp.Compare(results[j].Paths[name], results[i].Paths[name]),
				strings.Compare(results[i].Info.Name, results[j].Info.Name),
			)
		})
		for _, i := range list[1:] {
			if results[i].Paths[name] != ByDirectory {
				lost[i] = append(lost[i], Dispute{name, results[list[0]].Info.Name})
			}
		}
	}
	for _, list := range lost {
		slices.SortFunc(list, func(a, b Dispute) int { return strings.Compare(a.Path, b.Path) })
	}
	return lost
}
