// SPDX-License-Identifier: GPL-3.0-or-later

package solve

import (
	"slices"

	"github.com/rastos/rastos/alpm/desc"
)

// expandRemovals grows or shrinks the removals as the request says: cascade
// takes along what needs them, unneeded spares those still needed, recursive
// takes what only they needed. Cascade goes before recursive.
func (s *state) expandRemovals() error {
	if len(s.r.Remove) == 0 {
		return nil
	}
	recursive := s.r.Recursive || s.r.RecursiveAll
	if recursive && !s.r.Cascade {
		s.sweep()
	}
	if !s.r.NoDeps {
		s.stage(StageDependencies)
		switch {
		case s.r.Cascade:
			s.cascade()
		case s.r.Unneeded:
			s.keepNeeded()
		}
	}
	if recursive && s.r.Cascade {
		s.sweep()
	}
	return nil
}

// cascade removes what would lose a dependency, until nothing does.
func (s *state) cascade() {
	for again := true; again; {
		again = false
		for _, m := range s.unmet() {
			if p := s.local.named(m.Package); m.Cause != "" && p != nil && s.remName[p.Name] == nil {
				s.addRemoval(p, CauseCascade, m.Cause)
				again = true
			}
		}
	}
}

// keepNeeded takes packages off the list that something still needs.
func (s *state) keepNeeded() {
	for again := true; again; {
		again = false
		for _, m := range s.unmet() {
			if m.Cause == "" || s.remName[m.Cause] == nil {
				continue
			}
			s.note(Note{Kind: NoteKept, Package: m.Cause, Other: m.Package}, "%s is kept: %s needs it", m.Cause, m.Package)
			delete(s.remName, m.Cause)
			s.remove = slices.DeleteFunc(s.remove, func(rm *Removal) bool { return rm.Package.Name == m.Cause })
			again = true
		}
	}
}

// sweep adds the dependencies of removed packages that nothing else needs:
// first all that can be reached, then back off what the rest still uses (so
// that a circle of dependencies goes as a whole).
func (s *state) sweep() {
	reached := map[string]string{} // name → who led there
	var order []*desc.Package
	var from func(p *desc.Package)
	from = func(p *desc.Package) {
		for _, q := range s.installedDeps(p) {
			_, seen := reached[q.Name]
			if seen || s.remName[q.Name] != nil || s.addName[q.Name] != nil {
				continue
			}
			if q.Reason == desc.Explicit && !s.r.RecursiveAll {
				continue
			}
			reached[q.Name] = p.Name
			order = append(order, q)
			from(q)
		}
	}
	for _, rm := range s.remove {
		from(rm.Package)
	}
	s.spare(reached)
	for _, q := range order {
		if by, ok := reached[q.Name]; ok {
			s.addRemoval(q, CauseUnneeded, by)
		}
	}
}

// installedDeps are the installed packages that meet a dependency of p, by
// name, as libalpm goes through them.
func (s *state) installedDeps(p *desc.Package) []*desc.Package {
	var out []*desc.Package
	for _, text := range p.Depends { // as written, whatever of that may be ignored otherwise
		out = append(out, s.local.satisfiers(desc.ParseDep(text))...)
	}
	return sortedByName(out)
}

// spare takes out of reached what a package that stays needs, directly or not.
func (s *state) spare(reached map[string]string) {
	var queue []*desc.Package
	for _, n := range s.add {
		queue = append(queue, n.pkg)
	}
	for _, p := range s.u.Installed {
		if _, gone := reached[p.Name]; !gone && s.remName[p.Name] == nil && s.addName[p.Name] == nil {
			queue = append(queue, p)
		}
	}
	for len(queue) > 0 {
		p := queue[0]
		queue = queue[1:]
		for _, q := range s.installedDeps(p) {
			if _, ok := reached[q.Name]; ok {
				delete(reached, q.Name)
				queue = append(queue, q)
			}
		}
	}
}

// noteOptional tells which optional dependencies of remaining packages go, once
// it is certain that they can.
func (s *state) noteOptional() error {
	if len(s.r.Remove) == 0 || s.r.NoDeps {
		return nil
	}
	gone := newIndex(nil)
	for _, rm := range s.remove {
		gone.add(rm.Package)
	}
	for _, p := range s.u.Installed {
		if s.remName[p.Name] != nil {
			continue
		}
		for _, text := range p.OptDepends {
			if q := gone.satisfier(desc.ParseDep(text)); q != nil {
				s.note(Note{Kind: NoteOptional, Package: q.Name, Other: p.Name, Dep: text}, "%s optionally needs %s", p.Name, q.Name)
			}
		}
	}
	return nil
}

// checkHold asks about removals that HoldPkg names. Packages that go because
// another replaces them are not meant by it.
func (s *state) checkHold() error {
	for _, rm := range s.remove {
		if rm.Cause == CauseReplaced || rm.Cause == CauseConflict || !matchAny(s.u.HoldPkg, rm.Package.Name) {
			continue
		}
		if s.ask(Question{Kind: QuestionHold, Package: rm.Package, Default: No}) != Yes {
			return &HoldError{Package: rm.Package.Name}
		}
	}
	return nil
}
