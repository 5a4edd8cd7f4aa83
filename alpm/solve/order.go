// SPDX-License-Identifier: GPL-3.0-or-later

package solve

import (
	"slices"
	"sort"
	"strings"

	"github.com/rastos/rastos/alpm/desc"
)

// sortInstalls puts dependencies first. Installed packages that are no
// targets carry the order through: a → (installed b) → c means c before a.
func (s *state) sortInstalls() []*node {
	if s.r.NoDeps {
		return s.add
	}
	list := make([]*desc.Package, 0, len(s.add))
	for _, n := range s.add {
		list = append(list, n.pkg)
	}
	var through []*desc.Package
	for _, p := range s.u.Installed {
		if s.addName[p.Name] == nil && s.remName[p.Name] == nil {
			through = append(through, p)
		}
	}
	sorted := make([]*node, 0, len(s.add))
	for _, p := range s.byDependency(list, through) {
		sorted = append(sorted, s.addName[p.Name])
	}
	return sorted
}

// sortRemovals puts dependents first: the reverse of an install.
func (s *state) sortRemovals() []*Removal {
	if s.r.NoDeps {
		return s.remove
	}
	list := make([]*desc.Package, 0, len(s.remove))
	for _, rm := range s.remove {
		list = append(list, rm.Package)
	}
	var through []*desc.Package
	for _, p := range s.u.Installed {
		if s.remName[p.Name] == nil {
			through = append(through, p)
		}
	}
	sorted := make([]*Removal, 0, len(s.remove))
	for _, p := range s.byDependency(list, through) {
		sorted = append(sorted, s.remName[p.Name])
	}
	slices.Reverse(sorted)
	return sorted
}

// byDependency is a depth-first order of list in which dependencies come
// before what needs them. A circle is cut at the package reached first, so
// the order depends on the order of list only.
func (s *state) byDependency(list, through []*desc.Package) []*desc.Package {
	ix := newIndex(list)
	number := make(map[string]int, len(list)+len(through))
	for _, p := range through {
		ix.add(p)
	}
	for i, p := range ix.list {
		number[p.Name] = i
	}
	w := &walk{s: s, ix: ix, number: number, wanted: len(list), state: make([]uint8, len(ix.list))}
	for i := range list {
		w.visit(i)
	}
	return w.out
}

// walk is one depth-first traversal.
type walk struct {
	s      *state
	ix     *index
	number map[string]int
	wanted int // packages from this number on only carry the order through
	state  []uint8
	out    []*desc.Package
}

const (
	unseen = iota
	open
	closed
)

func (w *walk) visit(i int) {
	if w.state[i] != unseen {
		return
	}
	w.state[i] = open
	for _, child := range w.children(i) {
		w.visit(child)
	}
	w.state[i] = closed
	if i < w.wanted {
		w.out = append(w.out, w.ix.list[i])
	}
}

// children are the packages that i depends on, in the order of the list.
func (w *walk) children(i int) []int {
	var out []int
	for _, d := range w.s.wanted(w.ix.list[i]) {
		for _, p := range w.ix.satisfiers(d) {
			out = append(out, w.number[p.Name])
		}
	}
	sort.Ints(out)
	return out
}

// orderNotes names packages that need each other in a circle, since their
// scriptlets run before one of their dependencies is complete.
func (s *state) orderNotes() {
	if s.r.NoDeps {
		return
	}
	ix := newIndex(nil)
	for _, n := range s.add {
		ix.add(n.pkg)
	}
	for _, group := range circles(s, ix) {
		s.note(Note{Kind: NoteCycle, Package: group[0]}, "these packages need each other: %s", strings.Join(group, ", "))
	}
}

// circles returns the strongly connected sets of more than one package
// (Tarjan's algorithm).
func circles(s *state, ix *index) [][]string {
	c := &tarjan{s: s, ix: ix, number: map[string]int{}, low: map[string]int{}, on: map[string]bool{}}
	for _, p := range ix.list {
		if c.number[p.Name] == 0 {
			c.visit(p)
		}
	}
	return c.found
}

type tarjan struct {
	s           *state
	ix          *index
	count       int
	number, low map[string]int
	stack       []string
	on          map[string]bool
	found       [][]string
}

func (c *tarjan) visit(p *desc.Package) {
	c.count++
	c.number[p.Name], c.low[p.Name] = c.count, c.count
	c.stack = append(c.stack, p.Name)
	c.on[p.Name] = true
	for _, d := range c.s.wanted(p) {
		for _, q := range c.ix.satisfiers(d) {
			if c.number[q.Name] == 0 {
				c.visit(q)
				c.low[p.Name] = min(c.low[p.Name], c.low[q.Name])
			} else if c.on[q.Name] {
				c.low[p.Name] = min(c.low[p.Name], c.number[q.Name])
			}
		}
	}
	if c.low[p.Name] != c.number[p.Name] {
		return
	}
	var group []string
	for {
		top := c.stack[len(c.stack)-1]
		c.stack = c.stack[:len(c.stack)-1]
		c.on[top] = false
		group = append(group, top)
		if top == p.Name {
			break
		}
	}
	if len(group) > 1 {
		sort.Strings(group)
		c.found = append(c.found, group)
	}
}
