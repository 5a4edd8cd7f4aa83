// SPDX-License-Identifier: GPL-3.0-or-later

// Package solve works out which packages a transaction installs and removes,
// and in which order. It is pure: it reads a Universe (repositories in order,
// installed packages) and a Request, and returns a Solution or a typed error.
//
// The semantics are pacman's: greedy, first literal names over the
// repositories in their order, then providers, where an installed one wins.
// A versioned dependency is never met by a provide without a version. Other
// than with pacman, two dependencies of one package on one name ("lib>=3",
// "lib<4") must be met by one package.
// Replacements are followed at a system upgrade only; a conflict between two
// targets drops the one that the other provides; a conflict with an installed
// package is an error unless Request.Answer allows the removal.
//
// Where that walk comes to no end and a solution exists, a search finds it
// (package sat): other providers, other repositories' versions, installed
// packages upgraded along. It never removes an installed package that nobody
// agreed to, and it is bounded. Where there is none, the error says why, with
// reasons of which none can be left out.
//
// The behaviour is described in pacman(8), alpm's sync.c, deps.c and
// conflict.c are the reference.
package solve

import (
	"fmt"
	"iter"
	"slices"

	"github.com/rastos/rastos/alpm/desc"
)

// Database is one repository's index.
type Database interface {
	// Package returns the package of that name, or nil.
	Package(name string) *desc.Package
	// Group returns the members of a group, sorted by name.
	Group(name string) []*desc.Package
	// Providers returns the packages with a provide of that name.
	Providers(name string) []*desc.Package
	// Replacers returns the packages that replace one of that name, sorted by name.
	Replacers(name string) []*desc.Package
	// Names lists what a package may be asked for by: names, groups and what
	// is provided, for hints.
	Names() iter.Seq[string]
}

// Usage says what a repository may be used for. Zero means everything.
type Usage int

// The uses of a repository, as in pacman.conf.
const (
	UseInstall Usage = 1 << iota
	UseUpgrade
	UseSync   // refreshing its database
	UseSearch // looking something up in it
)

// Repo is a repository with its place in the order of the slice it is in.
type Repo struct {
	Name  string
	DB    Database
	Usage Usage
}

func (r Repo) usable(u Usage) bool { return r.Usage.Allows(u) }

// Allows tells whether one of the uses in want is allowed.
func (u Usage) Allows(want Usage) bool { return u == 0 || u&want != 0 }

// Universe is what there is.
type Universe struct {
	Repos     []Repo
	Installed []*desc.Package
	// IgnorePkg, IgnoreGroup and HoldPkg are shell patterns.
	IgnorePkg, IgnoreGroup, HoldPkg []string
	// Arch lists the allowed architectures beside "any"; empty allows all.
	Arch []string
	// Assume lists dependencies to treat as met ("name" or "name=version").
	Assume []string
}

// Request is what is wanted.
type Request struct {
	// Targets are names, "repo/name", "name=1", "name>=1", provides, groups.
	Targets []string
	// Packages are targets that come from files, not from a repository.
	// One that is nil could not be read: the error in its place in Unread is the
	// answer, when all that is wrong with targets was told.
	Packages []*desc.Package
	Unread   []error
	// Remove names installed packages or groups of them.
	Remove []string

	SysUpgrade bool
	// Downgrade lets SysUpgrade install older versions too.
	Downgrade bool
	// HoldBack offers to leave packages as they are that SysUpgrade cannot
	// upgrade together with the rest (QuestionHoldBack).
	HoldBack bool
	// Needed leaves out targets that are installed in that very version.
	Needed bool
	// AsDeps and AsExplicit override the install reason of everything.
	AsDeps, AsExplicit bool

	// Recursive removes what only the removed packages needed and nobody
	// asked for; RecursiveAll includes packages that were asked for.
	Recursive, RecursiveAll bool
	// Cascade removes what depends on the removed packages too.
	Cascade bool
	// Unneeded keeps removal targets that something still needs.
	Unneeded bool

	// NoVersions ignores the versions in dependencies, NoDeps the
	// dependencies (and the order that they give), NoConflicts conflicts.
	NoVersions, NoDeps, NoConflicts bool

	// Answer decides questions; nil takes every question's default.
	Answer func(Question) int
	// Select chooses among the members of a group that is a target; nil takes
	// all. An error ends the work, once all targets have been looked at.
	Select func(group string, members []Candidate) ([]Candidate, error)
	// Lost hears of a target that names nothing (*NotFoundError), a package
	// that is one already (*DuplicateError) or could not be read when it is come
	// upon. nil is nobody.
	Lost func(error)
	// Tell hears each note when it arises, and of each stage when it begins
	// (NoteStage), in their order with the questions; nil is nobody.
	Tell func(Note)
}

// Why returns the chain from a package of the solution up to the target that
// wanted it: the name, who pulled it in, who pulled that in, …
func (s *Solution) Why(name string) []string {
	byName := make(map[string]*Install, len(s.Install))
	for i := range s.Install {
		byName[s.Install[i].Package.Name] = &s.Install[i]
	}
	var chain []string
	seen := map[string]bool{}
	for in := byName[name]; in != nil && !seen[name]; in = byName[name] {
		seen[name] = true
		chain = append(chain, name)
		if in.Target != "" || len(in.RequiredBy) == 0 {
			break
		}
		name = in.RequiredBy[0]
	}
	return chain
}

// Solve answers the request.
func Solve(u Universe, r Request) (*Solution, error) {
	if r.HoldBack && r.SysUpgrade {
		return solveOrHold(u, r)
	}
	return newState(&u, &r).solve()
}

func (s *state) solve() (*Solution, error) {
	if err := s.steps(s.addTargets, s.addPackages, s.addRemovals, s.sysUpgrade, s.checkArch); err != nil {
		return nil, err
	}
	s.remember()
	err := s.steps(s.resolve, s.complete)
	if err != nil {
		found, why := s.search()
		if found {
			err = s.complete()
		} else {
			err = explained(err, why)
		}
	}
	if err == nil {
		err = s.checkHold()
	}
	if err != nil {
		return nil, err
	}
	return s.solution(), nil
}

// complete settles and checks what is chosen.
func (s *state) complete() error {
	return s.steps(s.innerConflicts, s.outerConflicts, s.expandRemovals, s.checkDeps, s.noteOptional)
}

func (s *state) steps(list ...func() error) error {
	for _, step := range list {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// remember keeps what is asked for, for a search that begins anew.
func (s *state) remember() {
	for _, n := range s.add {
		again := *n
		again.replaces = slices.Clone(n.replaces)
		s.asked = append(s.asked, &again)
	}
	s.removed = slices.Clone(s.remove)
}

// node is a package chosen for installation while the state is worked on.
type node struct {
	pkg    *desc.Package
	repo   string
	target string
	by     string // who pulled it in
	// upgrades are the installed packages that it is the upgrade or the
	// replacement of, where a system upgrade asks for it and no target does.
	upgrades []*desc.Package
	reason   desc.Reason
	replaces []*desc.Package
}

type state struct {
	u     *Universe
	r     *Request
	local *index
	// add holds the targets, later the closure, in order of discovery.
	add     []*node
	addName map[string]*node
	remove  []*Removal
	remName map[string]*Removal
	assume  []*desc.Package
	deps    map[*desc.Package][]desc.Dep // what wanted found
	notes   []Note
	lost    bool              // a target is none
	there   map[string]string // targets, by name, that Needed leaves out
	skipped map[string]bool   // targets left out because something is missing
	began   bool              // there were packages to install, perhaps all left out since

	asked    []*node                  // what the search is to find packages for
	removed  []*Removal               // and what it must do without
	picked   map[string]*desc.Package // providers that a person chose, by dependency
	agreed   map[string]bool          // installed packages that may go, by answer
	searched bool
	why      []string        // why the search found nothing
	blame    []*node         // what was asked for and is among these reasons
	held     map[string]bool // installed packages that no system upgrade changes
}

func newState(u *Universe, r *Request) *state {
	s := &state{
		u: u, r: r,
		local:   newIndex(u.Installed),
		deps:    map[*desc.Package][]desc.Dep{},
		addName: map[string]*node{},
		remName: map[string]*Removal{},
		skipped: map[string]bool{},
		there:   map[string]string{},
		picked:  map[string]*desc.Package{},
		agreed:  map[string]bool{},
	}
	for _, a := range u.Assume {
		s.assume = append(s.assume, &desc.Package{Provides: []string{a}})
	}
	return s
}

func (s *state) ask(q Question) int {
	if s.r.Answer == nil {
		return q.Default
	}
	return s.r.Answer(q)
}

func (s *state) note(n Note, format string, args ...any) {
	n.Text = fmt.Sprintf(format, args...)
	s.notes = append(s.notes, n)
	if s.r.Tell != nil {
		s.r.Tell(n)
	}
}

func (s *state) stage(name string) {
	if s.r.Tell != nil {
		s.r.Tell(Note{Kind: NoteStage, Text: name})
	}
}

func (s *state) addNode(n *node) {
	s.add = append(s.add, n)
	s.addName[n.pkg.Name] = n
}

func (s *state) dropNode(name string) {
	delete(s.addName, name)
	kept := s.add[:0]
	for _, n := range s.add {
		if n.pkg.Name != name {
			kept = append(kept, n)
		}
	}
	s.add = kept
}

func (s *state) addRemoval(p *desc.Package, cause Cause, by string) {
	if s.remName[p.Name] != nil {
		return
	}
	rm := &Removal{Package: p, Cause: cause, By: by}
	s.remove = append(s.remove, rm)
	s.remName[p.Name] = rm
}

func (s *state) solution() *Solution {
	sol := &Solution{}
	for _, n := range s.sortInstalls() {
		in := Install{
			Package: n.pkg, Repo: n.repo, Target: n.target,
			Old: s.local.named(n.pkg.Name), Reason: n.reason,
		}
		if s.remName[n.pkg.Name] != nil {
			in.Old = nil // it is replaced, and comes back as a dependency
		}
		if in.Old != nil {
			in.Reason = in.Old.Reason
		}
		switch {
		case s.r.AsDeps:
			in.Reason = desc.Depend
		case s.r.AsExplicit:
			in.Reason = desc.Explicit
		}
		for _, p := range n.replaces {
			in.Replaces = append(in.Replaces, p.Name)
		}
		sol.Install = append(sol.Install, in)
	}
	for _, rm := range s.sortRemovals() {
		sol.Remove = append(sol.Remove, *rm)
	}
	sol.Notes = s.notes
	s.requiredBy(sol.Install)
	return sol
}

// requiredBy fills in who depends on whom inside the solution.
func (s *state) requiredBy(list []Install) {
	ix := emptyIndex(len(list))
	for i := range list {
		ix.add(list[i].Package)
		if n := s.addName[list[i].Package.Name]; n.by != "" {
			list[i].RequiredBy = []string{n.by}
		}
	}
	for i := range list {
		me := list[i].Package.Name
		for _, d := range s.wanted(list[i].Package) {
			p := ix.satisfier(d)
			if p == nil || p.Name == me {
				continue
			}
			// It is there already as the one that pulled it in, or by another
			// of its dependencies.
			users := &list[ix.place[p.Name]].RequiredBy
			if n := len(*users); n == 0 || (*users)[0] != me && (*users)[n-1] != me {
				*users = append(*users, me)
			}
		}
	}
}
