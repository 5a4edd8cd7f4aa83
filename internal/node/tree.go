// SPDX-License-Identifier: GPL-3.0-or-later

package node

import (
	"cmp"
	"slices"
)

// Tree answers questions about nodes and how they belong together. It is a
// value of the moment that it was made from.
type Tree struct {
	nodes    map[int]Node
	children map[int][]int // by parent, in order
	newer    map[int]int   // the newest of those that replace a node
}

// NewTree arranges nodes. One whose parent is gone stands as a root.
func NewTree(nodes []Node) *Tree {
	t := &Tree{nodes: map[int]Node{}, children: map[int][]int{}, newer: map[int]int{}}
	for _, n := range nodes {
		t.nodes[n.Number] = n
	}
	for _, n := range slices.SortedFunc(slices.Values(nodes), func(a, b Node) int { return cmp.Compare(a.Number, b.Number) }) {
		t.children[t.Parent(n.Number)] = append(t.children[t.Parent(n.Number)], n.Number)
		if _, ok := t.nodes[n.Replaces]; ok {
			t.newer[n.Replaces] = n.Number
		}
	}
	return t
}

// Node is one of them.
func (t *Tree) Node(number int) (Node, bool) {
	n, ok := t.nodes[number]
	return n, ok
}

// Parent is the number of a node's parent, 0 for a root.
func (t *Tree) Parent(number int) int {
	p := t.nodes[number].Parent
	if _, ok := t.nodes[p]; !ok || p >= number {
		return 0 // a parent is older: a damaged record makes no circle
	}
	return p
}

// Newest is the newest version of a node: itself where nothing replaces it.
func (t *Tree) Newest(number int) int {
	for {
		next, ok := t.newer[number]
		if !ok || next <= number {
			return number
		}
		number = next
	}
}

// Next is the version that replaces a node, 0 for none; the newest of several.
func (t *Tree) Next(number int) int { return t.newer[number] }

// Replaced tells whether there is a newer version of a node.
func (t *Tree) Replaced(number int) bool { return t.Newest(number) != number }

// Below lists a node's descendants, parents before children.
func (t *Tree) Below(number int) []Node {
	var out []Node
	for _, c := range t.children[number] {
		out = append(append(out, t.nodes[c]), t.Below(c)...)
	}
	return out
}

// versions are a node and all that replace it, directly or not.
func (t *Tree) versions(number int) map[int]bool {
	line := map[int]bool{number: true}
	for _, n := range t.inOrder() {
		if line[n.Replaces] {
			line[n.Number] = true
		}
	}
	return line
}

// line are all versions of a node, older and newer.
func (t *Tree) line(number int) map[int]bool {
	for {
		older := t.nodes[number].Replaces
		if _, ok := t.nodes[older]; !ok || older >= number {
			return t.versions(number)
		}
		number = older
	}
}

func (t *Tree) inOrder() []Node {
	out := make([]Node, 0, len(t.nodes))
	for _, n := range t.nodes {
		out = append(out, n)
	}
	slices.SortFunc(out, func(a, b Node) int { return cmp.Compare(a.Number, b.Number) })
	return out
}

// Current lists what a change of a whole subtree is about: the node itself, and
// those of its descendants that nothing replaces, parents before children. A
// newer version of the node is no descendant in this sense, and a picture of a
// running system stays what it is.
func (t *Tree) Current(root int) []Node {
	if _, ok := t.nodes[root]; !ok {
		return nil
	}
	out := []Node{t.nodes[root]}
	line := t.versions(root)
	for _, n := range t.Below(root) {
		if !line[n.Number] && !t.Replaced(n.Number) && !n.Taken {
			out = append(out, n)
		}
	}
	return out
}

// Seat is the parent that the new version of a node gets when a whole subtree
// gets new versions: the new version of its nearest ancestor that got one. made
// maps old numbers to new ones. The root's own new version is a child of the
// old, as after any other change.
func (t *Tree) Seat(root, number int, made map[int]int) int {
	if number == root {
		return root
	}
	line := t.line(root)
	for p := t.Parent(number); p != 0; p = t.Parent(p) {
		if to, ok := made[p]; ok {
			return to
		}
		if line[p] {
			return made[root]
		}
	}
	return made[root]
}

// Behind is a node that lacks a change of one of its ancestors: it came from
// the version Base, and the newest is another by now.
type Behind struct {
	Node Node
	Base int
}

// Behind lists the nodes that came from an older version of a node than its
// newest, parents before children, and that newest version.
func (t *Tree) Behind(number int) (newest int, out []Behind) {
	line := t.line(number)
	newest = number
	for v := range line {
		newest = max(newest, v)
	}
	for _, n := range t.inOrder() {
		if line[n.Number] || t.Replaced(n.Number) || n.Taken {
			continue
		}
		base := t.Parent(n.Number)
		for base != 0 && !line[base] {
			base = t.Parent(base)
		}
		if base != 0 && base != newest {
			out = append(out, Behind{n, base})
		}
	}
	return newest, out
}

// Files tells whether something else than packages made the difference between
// a node and an older version of it, or may have.
func (t *Tree) Files(older, newer int) bool {
	for newer != older {
		n, ok := t.nodes[newer]
		if !ok || n.Files || n.Replaces == 0 {
			return true
		}
		newer = n.Replaces
	}
	return false
}
