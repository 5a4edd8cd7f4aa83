// SPDX-License-Identifier: GPL-3.0-or-later

package declare

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/solve"
)

// Pin is a package in one version. Repo is empty for one that came from no
// repository.
type Pin struct{ Name, Version, Repo string }

// LackError says that nothing of what is pinned is meant by declared names.
type LackError struct{ Targets []string }

func (e *LackError) Error() string {
	return "declared, and not among the pinned packages: " + strings.Join(e.Targets, ", ")
}

// ExitCode is that of packages that do not go together.
func (e *LackError) ExitCode() int { return 4 }

// Exact compares a system with pins: afterwards it has the pinned packages, in
// those versions, and no other but what is held or comes from elsewhere. Which
// of them were asked for, the declaration says. The repositories of u have the
// pinned packages and need no other.
func Exact(u Universe, d Declaration, pins []Pin) (*Change, error) {
	w := newWorker(u, d, Options{})
	if err := w.load(); err != nil {
		return nil, err
	}
	pinned := map[string]bool{}
	for _, pin := range pins {
		pinned[pin.Name] = true
		p, target, err := w.pin(pin)
		if err != nil {
			return nil, err
		}
		w.final = append(w.final, p)
		if target != "" {
			w.targets = append(w.targets, target)
		}
	}
	elsewhere := slices.Concat(d.Foreign, d.Own)
	for _, p := range u.Installed {
		switch {
		case pinned[p.Name]:
		case w.held[p.Name] || slices.Contains(elsewhere, p.Name):
			w.final = append(w.final, p)
		default:
			w.remove = append(w.remove, p.Name)
		}
	}
	slices.SortFunc(w.final, func(a, b *desc.Package) int { return strings.Compare(a.Name, b.Name) })
	if err := w.meanFinal(); err != nil {
		return nil, err
	}
	w.change.Targets, w.change.Remove = w.targets, w.remove
	w.change.Answer = func(q solve.Question) int {
		if q.Kind == solve.QuestionConflict && (pinned[q.Other.Name] || w.held[q.Other.Name]) {
			return solve.No
		}
		return w.answer(q)
	}
	w.Installed = u.Installed
	w.finish()
	return w.change, nil
}

// pin finds a pinned package, and the target that installs it if it is not
// there.
func (w *worker) pin(pin Pin) (p *desc.Package, target string, err error) {
	if p := w.byName[pin.Name]; p != nil && p.Version == pin.Version {
		return p, "", nil
	}
	for _, r := range w.repos {
		if p := r.DB.Package(pin.Name); r.Name == pin.Repo && p != nil && p.Version == pin.Version {
			return p, pin.Repo + "/" + pin.Name + "=" + pin.Version, nil
		}
	}
	return nil, "", &LackError{[]string{pin.Name + "=" + pin.Version}}
}

// meanFinal says what the declaration means among what is there afterwards,
// all of which is needed.
func (w *worker) meanFinal() error {
	before := w.byName
	w.Installed, w.byName, w.needed = w.final, map[string]*desc.Package{}, map[string]bool{}
	w.solution = &solve.Solution{}
	for _, p := range w.final {
		w.byName[p.Name], w.needed[p.Name] = p, true
		if before[p.Name] == nil {
			w.solution.Install = append(w.solution.Install, solve.Install{Package: p, Reason: desc.Explicit})
		} else if old := before[p.Name]; old != p {
			w.solution.Install = append(w.solution.Install, solve.Install{Package: p, Reason: old.Reason})
		}
	}
	for _, mean := range []func() error{w.literal, w.others} {
		if err := mean(); err != nil {
			return err
		}
	}
	if len(w.open) > 0 {
		return fmt.Errorf("work out what is asked for: %w", &LackError{w.open})
	}
	return nil
}
