// SPDX-License-Identifier: GPL-3.0-or-later

package etcmerge

import (
	"bytes"
	"slices"
)

// Lines merges three texts line by line, as diff3 does: regions that only one
// side changed take that side's lines, regions that both changed alike are
// taken once, and any other region is a conflict (ok is false). Two changes
// with no unchanged line between them count as one region.
func Lines(base, live, next []byte) (merged []byte, ok bool) {
	b, l, n := split(base), split(live), split(next)
	toLive, toNext := match(b, l), match(b, n)
	var out [][]byte
	bi, li, ni := 0, 0, 0
	for {
		// Skip forward to the next base line that both sides still have.
		be := bi
		for be < len(b) && (toLive[be] < 0 || toNext[be] < 0) {
			be++
		}
		le, ne := len(l), len(n)
		if be < len(b) {
			le, ne = toLive[be], toNext[be]
		}
		region, ok := choose(b[bi:be], l[li:le], n[ni:ne])
		if !ok {
			return nil, false
		}
		out = append(out, region...)
		if be == len(b) {
			return bytes.Join(out, nil), true
		}
		out = append(out, b[be])
		bi, li, ni = be+1, le+1, ne+1
	}
}

// choose is the three-way rule for a run of lines.
func choose(b, l, n [][]byte) ([][]byte, bool) {
	switch {
	case sameLines(l, n), sameLines(n, b):
		return l, true
	case sameLines(l, b):
		return n, true
	}
	return nil, false
}

func sameLines(a, b [][]byte) bool { return slices.EqualFunc(a, b, bytes.Equal) }

// split cuts a text into lines that keep their line feed. A last line without
// one is given none: it then differs from the same line with one, as in diff.
func split(text []byte) [][]byte {
	if len(text) == 0 {
		return nil
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	if len(lines[len(lines)-1]) == 0 {
		lines = lines[:len(lines)-1]
	}
	return lines
}

// match returns, for each line of a, the index of its partner in b in a
// longest common subsequence, or -1.
func match(a, b [][]byte) []int {
	partner := make([]int, len(a))
	for i := range partner {
		partner[i] = -1
	}
	// Equal heads and tails need no table; configuration files differ in few lines.
	head := 0
	for head < len(a) && head < len(b) && bytes.Equal(a[head], b[head]) {
		partner[head] = head
		head++
	}
	endA, endB := len(a), len(b)
	for endA > head && endB > head && bytes.Equal(a[endA-1], b[endB-1]) {
		endA--
		endB--
		partner[endA] = endB
	}
	lcs(a[head:endA], b[head:endB], func(i, j int) { partner[head+i] = head + j })
	return partner
}

// maxTable bounds the table of lcs; beyond it the middle counts as wholly
// changed, which can only turn a merge into a conflict, never into a wrong merge.
const maxTable = 16 << 20

func lcs(a, b [][]byte, pair func(i, j int)) {
	if len(a) == 0 || len(b) == 0 || (len(a)+1)*(len(b)+1) > maxTable {
		return
	}
	width := len(b) + 1
	table := make([]int32, (len(a)+1)*width)
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if bytes.Equal(a[i], b[j]) {
				table[i*width+j] = table[(i+1)*width+j+1] + 1
			} else {
				table[i*width+j] = max(table[(i+1)*width+j], table[i*width+j+1])
			}
		}
	}
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case bytes.Equal(a[i], b[j]):
			pair(i, j)
			i++
			j++
		case table[(i+1)*width+j] >= table[i*width+j+1]:
			i++
		default:
			j++
		}
	}
}
