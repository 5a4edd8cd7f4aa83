// SPDX-License-Identifier: GPL-3.0-or-later

package declare

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/solve"
)

// maxRounds bounds how often a request is worked out anew for what the last
// answer showed.
const maxRounds = 12

// errUnsettled is a request for which the engine's answers go round in a circle.
var errUnsettled = errors.New("what is declared and what it needs cannot be brought to rest: name the packages that shall provide what several do")

// settle works out the request. Where it has no answer, what nothing declared
// needs may be in the way, or a choice that was made for something that is
// declared no more: then it is asked what there would be without any of it.
func (w *worker) settle() error {
	err := w.rounds(nil, nil)
	if err == nil || errors.Is(err, errUnsettled) {
		return err
	}
	if remove, hints, ok := w.afresh(); ok && w.rounds(remove, hints) == nil {
		return nil
	}
	if w.opt.HoldBack != nil && w.opt.Upgrade {
		return w.holdBack(err)
	}
	return err
}

// holdBack tries once more, without the upgrades that do not go with the rest.
func (w *worker) holdBack(first error) error {
	w.change.HoldBack = true
	err := w.rounds(nil, nil)
	var declined *solve.HoldBackError
	if err == nil || errors.As(err, &declined) {
		return err
	}
	return first
}

// afresh asks for a system made of what is declared alone. It returns the
// installed packages that are not part of it, and those that are and have to
// be installed.
func (w *worker) afresh() (remove, hints []string, ok bool) {
	if w.load() != nil {
		return nil, nil, false
	}
	fresh := *w
	fresh.Installed, fresh.byName, fresh.open = nil, map[string]*desc.Package{}, slices.Clone(w.open)
	unknown := solve.Needed(w.Installed, func(p *desc.Package) bool {
		return w.root(p) && literalIn(w.repos, desc.Dep{Name: p.Name}) == nil
	})
	for _, p := range w.Installed {
		switch {
		case unknown[p.Name]:
			fresh.Installed, fresh.byName[p.Name] = append(fresh.Installed, p), p
		case w.root(p):
			fresh.open = append(fresh.open, p.Name)
		}
	}
	if fresh.rounds(nil, nil) != nil {
		return nil, nil, false
	}
	there := map[string]bool{}
	for _, p := range fresh.final {
		there[p.Name] = true
	}
	for _, p := range w.Installed {
		if !there[p.Name] {
			remove = append(remove, p.Name)
		}
	}
	if fresh.solution == nil {
		return remove, nil, true
	}
	for _, in := range fresh.solution.Install {
		if w.byName[in.Package.Name] == nil {
			hints = append(hints, in.Repo+"/"+in.Package.Name)
		}
	}
	slices.Sort(remove)
	slices.Sort(hints)
	return remove, hints, true
}

// rounds asks the solver until its answer holds nothing needless and misses
// nothing.
func (w *worker) rounds(remove, hints []string) error {
	w.settled = settled{stays: map[string]bool{}}
	targets := slices.Clone(w.open)
	for range maxRounds {
		if err := w.solve(slices.Concat(targets, hints), targets, remove); err != nil {
			return err
		}
		w.needed = w.neededBy(w.root)
		again, err := w.missing(&targets)
		if err != nil {
			return err
		}
		if w.surplus(&targets, &hints, remove) {
			again = true
		}
		needless := w.needless(remove)
		if !again && slices.Equal(needless, remove) {
			w.targets, w.remove = slices.Concat(targets, hints), remove
			return nil
		}
		remove = needless
	}
	return errUnsettled
}

func (w *worker) root(p *desc.Package) bool { return w.declared[p.Name] || w.held[p.Name] }

// neededBy tells what is needed afterwards. What is only provided is needed as
// if a package depended on it.
func (w *worker) neededBy(root func(*desc.Package) bool) map[string]bool {
	manifest := &desc.Package{}
	for _, name := range w.virtual {
		d := dependency(name)
		d.Description = ""
		manifest.Depends = append(manifest.Depends, d.String())
	}
	needed := solve.Needed(append(slices.Clone(w.final), manifest), func(p *desc.Package) bool { return p == manifest || root(p) })
	delete(needed, manifest.Name)
	return needed
}

// unmetError is a provided name that stays without a provider.
type unmetError struct{ name string }

func (e *unmetError) Error() string {
	return fmt.Sprintf("%s is declared, and what provides it excludes what else is declared", e.name)
}
func (e *unmetError) Hint() string  { return "name the package that shall provide it" }
func (e *unmetError) ExitCode() int { return 4 }

// missing adds the provided names that nothing provides any more.
func (w *worker) missing(targets *[]string) (more bool, err error) {
	for _, name := range w.virtual {
		switch {
		case slices.ContainsFunc(w.final, func(p *desc.Package) bool { return p.Satisfies(dependency(name)) }):
		case slices.Contains(*targets, name):
			return false, &unmetError{name}
		default:
			*targets = append(*targets, name)
			more = true
		}
	}
	return more, nil
}

// surplus deals with new packages that nobody needs, since something else that
// comes does as well. A provided name is then no target any more; what a
// dependency pulled in stays away when what does instead is a target.
func (w *worker) surplus(targets, hints *[]string, removed []string) (found bool) {
	if w.solution == nil {
		return false
	}
	var instead []string
	dropped := false
	for _, in := range w.solution.Install {
		switch {
		case w.byName[in.Package.Name] != nil && !slices.Contains(removed, in.Package.Name):
		case w.needed[in.Package.Name]:
			if !slices.Contains(*targets, in.Target) {
				instead = append(instead, in.Repo+"/"+in.Package.Name)
			}
		case slices.Contains(*targets, in.Target) && slices.Contains(w.virtual, in.Target):
			*targets = slices.DeleteFunc(*targets, func(t string) bool { return t == in.Target })
			dropped = true
		default:
			found = true
		}
	}
	slices.Sort(instead)
	if !dropped && (!found || slices.Equal(*hints, instead)) {
		return false
	}
	*hints = instead
	return true
}

// solve works out what is there when the request was run, and which of it is
// declared by targets.
func (w *worker) solve(request, targets, remove []string) error {
	w.solution = nil
	if len(request) == 0 && !w.opt.Upgrade {
		w.final = without(w.Installed, remove)
		return nil
	}
	sol, err := solve.Solve(solve.Universe{
		Repos: w.repos, Installed: w.Installed, IgnorePkg: w.IgnorePkg, Arch: w.Arch,
	}, solve.Request{
		Targets: request, Remove: remove, SysUpgrade: w.opt.Upgrade, HoldBack: w.change.HoldBack, Needed: true, Answer: w.answer,
	})
	if err != nil {
		return err
	}
	w.solution = sol
	after := maps.Clone(w.byName)
	for _, rm := range sol.Remove {
		delete(after, rm.Package.Name)
	}
	for _, in := range sol.Install {
		after[in.Package.Name] = in.Package
		w.claim(in, targets)
	}
	w.final = make([]*desc.Package, 0, len(after))
	for _, name := range slices.Sorted(maps.Keys(after)) {
		w.final = append(w.final, after[name])
	}
	return nil
}

// needless lists the installed packages that nobody needs afterwards: those
// that were removed already, and what has become so by that.
func (w *worker) needless(removed []string) []string {
	there := map[string]bool{}
	for _, p := range w.final {
		there[p.Name] = true
	}
	var out []string
	for _, name := range removed {
		if there[name] && w.needed[name] {
			w.stays[name] = true // something new needs it after all
		} else {
			out = append(out, name)
		}
	}
	for _, p := range w.final {
		if !w.needed[p.Name] && w.byName[p.Name] != nil && !w.stays[p.Name] && !slices.Contains(removed, p.Name) {
			out = append(out, p.Name)
		}
	}
	slices.Sort(out)
	return out
}

// claim marks a new package as declared if a target asked for it, or if it
// takes the place of one that is.
func (w *worker) claim(in solve.Install, targets []string) {
	if slices.ContainsFunc(targets, func(t string) bool { return dependency(t).Name == in.Package.Name }) {
		w.declared[in.Package.Name] = true
	}
	for _, old := range in.Replaces {
		if w.declared[old] && old != in.Package.Name {
			w.declared[in.Package.Name] = true
			w.note(NoteReplaced, old, fmt.Sprintf("%s is replaced by %s", old, in.Package.Name))
		}
	}
}

// answer decides what a solver would ask a person. What is declared or held is
// not removed for another package; anything else is.
func (w *worker) answer(q solve.Question) int {
	switch q.Kind {
	case solve.QuestionConflict:
		if w.protects(q.Other) {
			return solve.No
		}
		return solve.Yes
	case solve.QuestionReplace:
		// A name that the repositories still have means that very package: it
		// would be missing again right after.
		if w.held[q.Other.Name] || w.named(q.Other.Name) && literalIn(w.repos, desc.Dep{Name: q.Other.Name}) != nil {
			return solve.No
		}
		return solve.Yes
	case solve.QuestionIgnored:
		return solve.Yes // it was asked for by name
	case solve.QuestionHoldBack:
		if w.opt.HoldBack(q.Held) {
			return solve.Yes
		}
		return solve.No
	}
	return q.Default
}

func (w *worker) protects(p *desc.Package) bool { return w.declared[p.Name] || w.held[p.Name] }

// named tells whether the declaration has the name itself.
func (w *worker) named(name string) bool {
	return slices.ContainsFunc(w.decl.Targets, func(t string) bool { return dependency(t).Name == name }) ||
		slices.Contains(w.decl.Foreign, name) || slices.Contains(w.decl.Own, name)
}

func without(list []*desc.Package, names []string) []*desc.Package {
	if len(names) == 0 {
		return list
	}
	out := make([]*desc.Package, 0, len(list))
	for _, p := range list {
		if _, gone := slices.BinarySearch(names, p.Name); !gone {
			out = append(out, p)
		}
	}
	return out
}
