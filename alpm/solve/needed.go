// SPDX-License-Identifier: GPL-3.0-or-later

package solve

import (
	"cmp"
	"slices"

	"github.com/rastos/rastos/alpm/desc"
)

// Needed returns the names of the packages that those that root accepts need,
// directly or not, and of those themselves. Where several packages meet one
// dependency, one is needed: one that is so anyway, else the one that is called
// so, else the first by name. Optional dependencies do not count, and what is
// missing from the list is passed over.
//
// The answer is stable: asked of the needed packages alone, it is all of them.
func Needed(installed []*desc.Package, root func(*desc.Package) bool) map[string]bool {
	list := sortedByName(installed)
	for {
		n := &needs{ix: newIndex(list), got: make(map[string]bool, len(list))}
		n.all(root)
		if len(n.got) == len(list) {
			return n.got
		}
		// With others gone, a choice may fall out another way.
		kept := list[:0:0]
		for _, p := range list {
			if n.got[p.Name] {
				kept = append(kept, p)
			}
		}
		list = kept
	}
}

// needs walks down from the roots.
type needs struct {
	ix      *index
	got     map[string]bool
	queue   []*desc.Package
	choices [][]*desc.Package // packages of which one is needed
}

func (n *needs) all(root func(*desc.Package) bool) {
	for _, p := range n.ix.list {
		if root(p) {
			n.add(p)
		}
	}
	n.walk()
	for i := 0; i < len(n.choices); i++ {
		if !n.any(n.choices[i]) {
			n.add(n.choices[i][0])
			n.walk()
		}
	}
}

func (n *needs) add(p *desc.Package) {
	if !n.got[p.Name] {
		n.got[p.Name] = true
		n.queue = append(n.queue, p)
	}
}

func (n *needs) any(list []*desc.Package) bool {
	for _, p := range list {
		if n.got[p.Name] {
			return true
		}
	}
	return false
}

// walk follows the dependencies that leave no choice, and notes the others.
func (n *needs) walk() {
	for len(n.queue) > 0 {
		p := n.queue[0]
		n.queue = n.queue[1:]
		for _, text := range p.Depends {
			switch found := n.ix.satisfiers(desc.ParseDep(text)); len(found) {
			case 0:
			case 1:
				n.add(found[0])
			default:
				slices.SortStableFunc(found, func(x, y *desc.Package) int { return cmp.Compare(named(y, text), named(x, text)) })
				n.choices = append(n.choices, found)
			}
		}
	}
}

// named is 1 for the package that a dependency calls by its name.
func named(p *desc.Package, dep string) int {
	if p.Name == desc.ParseDep(dep).Name {
		return 1
	}
	return 0
}
