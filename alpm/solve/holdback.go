// SPDX-License-Identifier: GPL-3.0-or-later

package solve

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rastos/rastos/alpm/desc"
)

// Held is a package that a system upgrade leaves as it is, since its upgrade
// or its replacement does not go together with the rest.
type Held struct {
	Package *desc.Package `json:"-"`
	Name    string        `json:"name"`
	Version string        `json:"version"` // that it stays at
	// New is what was to come: "name-version" of a replacement, else a version.
	New  string `json:"new"`
	Repo string `json:"repo"` // that New is in
	// Why are the reasons, which only together are one.
	Why []string `json:"why"`
}

// Reason is Why as one sentence.
func (h Held) Reason() string { return strings.Join(h.Why, "; ") }

// HoldBackError is the error of an upgrade that could be made but for some
// packages, when nobody agreed to leave these as they are.
type HoldBackError struct {
	Err  error // why not all can be upgraded
	Held []Held
}

func (e *HoldBackError) Error() string { return e.Err.Error() }

// Unwrap gives the error of the whole upgrade.
func (e *HoldBackError) Unwrap() error { return e.Err }

// Hint names what would have to stay.
func (e *HoldBackError) Hint() string {
	names := make([]string, len(e.Held))
	for i, h := range e.Held {
		names[i] = h.Name
	}
	return "all else can be upgraded while these stay as they are: " + strings.Join(names, ", ")
}

// ExitCode is 4.
func (e *HoldBackError) ExitCode() int { return exitUnsatisfiable }

// holder looks for the upgrades that an upgrade can do without.
type holder struct {
	u     Universe
	r     Request
	held  map[string]bool
	order []Held
}

// solveOrHold answers the request; an upgrade of which some parts do not go together
// is put to the person without them. What is left out is as little as can be:
// with any one of it more there is no solution.
func solveOrHold(u Universe, r Request) (*Solution, error) {
	r.Answer = remembered(r.Answer)
	h := &holder{u: u, r: r, held: map[string]bool{}}
	s, sol, first := h.attempt()
	h.r.Tell, h.r.Lost = nil, nil // it was told
	for err := first; err != nil; s, sol, err = h.attempt() {
		n := s.blamed(err)
		if n == nil {
			return nil, first
		}
		h.hold(s, n, err)
	}
	if first == nil {
		return sol, nil
	}
	sol = h.readmit(sol)
	if h.r.Answer(Question{Kind: QuestionHoldBack, Held: h.order, Default: No}) != Yes {
		return nil, &HoldBackError{first, h.order}
	}
	sol.Held = h.order
	return sol, nil
}

func (h *holder) attempt() (*state, *Solution, error) {
	s := newState(&h.u, &h.r)
	s.held = h.held
	sol, err := s.solve()
	return s, sol, err
}

// hold leaves out the upgrade that a node stands for.
func (h *holder) hold(s *state, n *node, err error) {
	why := s.why
	if len(why) == 0 {
		why = []string{err.Error()}
	}
	for _, p := range n.upgrades {
		to := n.pkg.Version
		if p.Name != n.pkg.Name {
			to = n.pkg.Entry()
		}
		h.held[p.Name] = true
		h.order = append(h.order, Held{Package: p, Name: p.Name, Version: p.Version, New: to, Repo: n.repo, Why: why})
	}
}

// readmit takes back what was left out before the real culprit was found. With
// one more upgraded another one may do, too, so that it begins anew then.
func (h *holder) readmit(sol *Solution) *Solution {
	for i := 0; i < len(h.order) && len(h.order) > 1; i++ {
		name := h.order[i].Name
		delete(h.held, name)
		if _, better, err := h.attempt(); err == nil {
			sol = better
			h.order = slices.Delete(h.order, i, i+1)
			i = -1
			continue
		}
		h.held[name] = true
	}
	return sol
}

// blamed is an upgrade that an error is about: one of those that the search
// has found to exclude each other, or one that the error names.
func (s *state) blamed(err error) *node {
	for _, n := range s.blame {
		if len(n.upgrades) > 0 {
			return n
		}
	}
	var names []string
	var unmet *UnsatisfiedError
	var conflict *ConflictError
	var arch *ArchError
	var hold *HoldError
	switch {
	case errors.As(err, &unmet):
		for _, m := range unmet.Missing {
			names = append(names, m.Cause)
			if len(m.Chain) > 0 {
				names = append(names, m.Chain[len(m.Chain)-1])
			}
			names = append(names, m.Package)
		}
	case errors.As(err, &conflict):
		names = []string{conflict.Package, conflict.Other}
	case errors.As(err, &arch):
		names = []string{arch.Package}
	case errors.As(err, &hold):
		names = []string{hold.Package}
	}
	for _, name := range names {
		for _, n := range s.add {
			if len(n.upgrades) > 0 && n.brings(name) {
				return n
			}
		}
		for _, n := range s.asked {
			if len(n.upgrades) > 0 && n.brings(name) {
				return n
			}
		}
	}
	return nil
}

// brings tells whether the node installs or replaces a package of that name.
func (n *node) brings(name string) bool {
	return n.pkg.Name == name || slices.ContainsFunc(n.replaces, func(p *desc.Package) bool { return p.Name == name })
}

// remembered asks nobody the same question twice.
func remembered(answer func(Question) int) func(Question) int {
	answers := map[string]int{}
	return func(q Question) int {
		if q.Kind == QuestionSkip {
			return No // it is asked of all that has to stay, at once
		}
		if answer == nil {
			return q.Default
		}
		key := questionKey(q)
		a, known := answers[key]
		if !known {
			a = answer(q)
			answers[key] = a
		}
		return a
	}
}

func questionKey(q Question) string {
	words := []string{string(q.Kind), q.Repo, q.Dep.String()}
	for _, p := range []*desc.Package{q.Package, q.Other} {
		if p != nil {
			words = append(words, p.Entry())
		}
	}
	for _, c := range q.Choices {
		words = append(words, fmt.Sprintf("%s/%s", c.Repo, c.Package.Entry()))
	}
	return strings.Join(words, " ")
}
