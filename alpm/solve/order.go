// SPDX-License-Identifier: GPL-3.0-or-later

package solve

import (
	"slices"
	"sort"

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
	for _, p := range s.byDependency(list, through, NoteCycle) {
		sorted = append(sorted, s.addName[p.Name])
	}
	return sorted
}

// sortRemovals puts dependents first: the reverse of an install.
func (s *state) sortRemovals() []*Removal {
	if s.r.NoDeps || len(s.remove) == 0 {
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
	for _, p := range s.byDependency(list, through, NoteRemoveCycle) {
		sorted = append(sorted, s.remName[p.Name])
	}
	slices.Reverse(sorted)
	return sorted
}

// byDependency is a depth-first order of list in which dependencies come
// before what needs them. A circle is cut at the package reached first, so
// the order depends on the order of list only; a note of the given kind tells
// where.
func (s *state) byDependency(list, through []*desc.Package, cut NoteKind) []*desc.Package {
	ix := newIndex(list)
	for _, p := range through {
		ix.add(p)
	}
	w := &walk{s: s, ix: ix, wanted: len(list), state: make([]uint8, len(ix.list)), cut: cut}
	for i := range list {
		w.visit(i)
	}
	return w.out
}

// walk is one depth-first traversal.
type walk struct {
	s      *state
	ix     *index
	wanted int // packages from this number on only carry the order through
	state  []uint8
	path   []int // from the package that the walk began with to the present one
	cut    NoteKind
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
	w.path = append(w.path, i)
	for _, child := range w.children(i) {
		if w.state[child] == open {
			w.noteCut(child)
		}
		w.visit(child)
	}
	w.path = w.path[:len(w.path)-1]
	w.state[i] = closed
	if i < w.wanted {
		w.out = append(w.out, w.ix.list[i])
	}
}

// noteCut tells of a circle that ends at child, of the last package on the way
// to it that is to be sorted at all. One that ends at an installed package
// bears on no order.
func (w *walk) noteCut(child int) {
	if child >= w.wanted {
		return
	}
	for _, i := range slices.Backward(w.path) {
		if i >= w.wanted {
			continue
		}
		if i != child {
			from, to := w.ix.list[i].Name, w.ix.list[child].Name
			w.s.note(Note{Kind: w.cut, Package: from, Other: to}, "%s and %s need each other, if over others; their order is arbitrary", from, to)
		}
		return
	}
}

// children are the packages that i depends on, in the order of the list.
func (w *walk) children(i int) []int {
	var out []int
	for _, text := range w.ix.list[i].Depends { // with their versions, even where those may be ignored
		for _, p := range w.ix.satisfiers(desc.ParseDep(text)) {
			out = append(out, w.ix.place[p.Name])
		}
	}
	sort.Ints(out)
	return slices.Compact(out) // one may be needed for several reasons
}
