// SPDX-License-Identifier: GPL-3.0-or-later

package mistake

import "strings"

// Nearest returns the candidate closest to word by edits, when it is close
// enough to be what was meant, or "". Ties go to the first candidate.
func Nearest(word string, candidates []string) string {
	// No known word is near one this long, and comparing would take its time.
	if len(word) > 64 {
		return ""
	}
	best, bestDistance := "", 1+max(1, len(word)/3)
	for _, c := range candidates {
		d := distance(strings.ToLower(word), strings.ToLower(c))
		// host for hostname: a beginning counts as near.
		if len(word) >= 3 && strings.HasPrefix(c, word) {
			d = min(d, 1)
		}
		if d < min(bestDistance, max(len(word), len(c))) { // something of it must be left
			best, bestDistance = c, d
		}
	}
	return best
}

// distance is the number of inserted, deleted, changed and swapped bytes
// (optimal string alignment).
func distance(a, b string) int {
	two, one, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range one {
		one[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(one[j]+1, cur[j-1]+1, one[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], two[j-2]+1)
			}
		}
		two, one, cur = one, cur, two
	}
	return one[len(b)]
}
