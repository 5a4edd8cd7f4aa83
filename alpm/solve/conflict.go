// SPDX-License-Identifier: GPL-3.0-or-later

package solve

import (
	"slices"

	"github.com/rastos/rastos/alpm/desc"
)

// innerConflicts settles conflicts between two targets: where one provides
// the other, the other is dropped.
func (s *state) innerConflicts() error {
	if s.r.NoConflicts || !s.began {
		return nil
	}
	s.stage(StageConflicts)
	all := slices.Clone(s.add)
	for _, n := range all {
		for _, text := range n.pkg.Conflicts {
			d := desc.ParseDep(text)
			for _, other := range all { // in their order, which decides on what is told first
				if !other.pkg.Satisfies(d) {
					continue
				}
				if err := s.settle(n.pkg, other.pkg, d); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (s *state) settle(a, b *desc.Package, d desc.Dep) error {
	if a.Name == b.Name || s.addName[a.Name] == nil || s.addName[b.Name] == nil {
		return nil
	}
	var drop, keep *desc.Package
	switch {
	case a.Satisfies(desc.Dep{Name: b.Name}):
		keep, drop = a, b
	case b.Satisfies(desc.Dep{Name: a.Name}):
		keep, drop = b, a
	default:
		return &ConflictError{Package: a.Name, Other: b.Name, Dep: d}
	}
	s.note(Note{Kind: NoteDropped, Package: drop.Name, Other: keep.Name},
		"%s is left out: it conflicts with %s, which provides it", drop.Name, keep.Name)
	s.dropNode(drop.Name)
	return nil
}

// outerConflicts settles conflicts between a target and an installed package
// that stays, in either direction: the installed one goes if the answer
// allows it, or if the target replaces it anyway.
func (s *state) outerConflicts() error {
	for _, n := range s.add {
		for _, p := range n.replaces {
			s.addRemoval(p, CauseReplaced, n.pkg.Name)
		}
	}
	if s.r.NoConflicts {
		return nil
	}
	for _, n := range s.add {
		for _, text := range n.pkg.Conflicts {
			d := desc.ParseDep(text)
			for _, lp := range sortedByName(s.local.satisfiers(d)) {
				if err := s.evict(n, lp, d); err != nil {
					return err
				}
			}
		}
	}
	for _, lp := range sortedByName(s.u.Installed) {
		for _, text := range lp.Conflicts {
			d := desc.ParseDep(text)
			for _, n := range s.add {
				if !n.pkg.Satisfies(d) {
					continue
				}
				if err := s.evict(n, lp, d); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (s *state) evict(n *node, lp *desc.Package, d desc.Dep) error {
	if n.pkg.Name == lp.Name || s.addName[lp.Name] != nil || s.remName[lp.Name] != nil {
		return nil
	}
	if !s.agreed[lp.Name] && s.ask(Question{Kind: QuestionConflict, Package: n.pkg, Other: lp, Dep: d, Default: No}) != Yes {
		return &ConflictError{Package: n.pkg.Name, Other: lp.Name, Dep: d, Installed: true}
	}
	s.agreed[lp.Name] = true
	n.replaces = append(n.replaces, lp)
	s.addRemoval(lp, CauseConflict, n.pkg.Name)
	return nil
}
