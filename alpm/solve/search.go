// SPDX-License-Identifier: GPL-3.0-or-later

package solve

import (
	"slices"
	"strings"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/solve/sat"
)

// searchBudget bounds a search, in assignments of the SAT solver: about a
// second. Universes of packages need thousands at most.
const searchBudget = 2_000_000

// searcher looks for packages with which all that is asked for holds, where
// the walk has found none. What is asked for stays as the walk began with it:
// targets are installed, removals are removed, and no other installed package
// goes, though it may be upgraded along. Everything else is open: another
// provider, another repository's version, a package that takes over what a new
// version no longer provides.
//
// Each variable of the problem is one package in one version: an installed one
// that is kept, or one that is installed by the transaction. Only what the
// search comes across is ever looked up in the repositories.
type searcher struct {
	*state
	sat       *sat.Solver
	repos     []Repo
	vars      []candidate            // by variable
	byPackage map[*desc.Package]int  // the variable of a package
	byName    map[string][]int       // variables of which one at most is true
	provided  map[string][]int       // by name of a provide
	refused   map[string][]refusal   // by name in a conflict: who wants nothing of it
	causes    []cause                // by group of clauses
	targets   []int                  // variables
	users     users                  // of installed packages
	guarded   map[*desc.Package]bool // installed packages whose dependencies are in
	gone      map[string]bool        // installed packages that go
}

// candidate is the package that a variable stands for.
type candidate struct {
	pkg  *desc.Package
	repo string
	kept bool  // installed, and left alone
	node *node // of a target
}

// refusal is a conflict of the package that variable who stands for.
type refusal struct {
	who int
	dep desc.Dep
}

// search looks for another way to what was asked for. It puts it in the place
// of what the walk has come to and returns true, or says why there is none.
func (s *state) search() (bool, []string) {
	if s.searched || s.r.NoDeps || len(s.asked) == 0 || s.r.Cascade || s.r.Unneeded || s.r.Recursive || s.r.RecursiveAll {
		return false, s.why
	}
	s.searched = true
	f := s.newSearcher()
	f.begin()
	switch f.sat.Solve() {
	case sat.Satisfiable:
		f.adopt()
		return true, nil
	case sat.Exhausted:
		s.why = []string{"a search for another choice of packages was given up: it took too long"}
	case sat.Unsatisfiable:
		s.why = f.explain()
	}
	return false, s.why
}

func (s *state) newSearcher() *searcher {
	f := &searcher{
		state: s, sat: &sat.Solver{Budget: searchBudget}, repos: s.reposFor(UseInstall | UseUpgrade),
		byPackage: map[*desc.Package]int{}, byName: map[string][]int{}, provided: map[string][]int{},
		refused: map[string][]refusal{}, guarded: map[*desc.Package]bool{}, gone: map[string]bool{},
		users: usersOf(s.u.Installed),
	}
	f.sat.Expand = f.expand
	return f
}

// begin states what is given: the targets, and what is installed.
func (f *searcher) begin() {
	for _, rm := range f.removed {
		f.gone[rm.Package.Name] = true
	}
	changed := map[string]bool{}
	for _, n := range f.asked {
		changed[n.pkg.Name] = true
		for _, p := range n.replaces {
			f.gone[p.Name] = true
		}
	}
	for _, p := range sortedByName(f.u.Installed) {
		if f.gone[p.Name] || changed[p.Name] {
			continue
		}
		f.sat.Last(sat.Pos(f.variable(candidate{pkg: p, kept: true})))
	}
	for _, n := range f.asked {
		v := f.variable(candidate{pkg: n.pkg, repo: n.repo, node: n})
		f.targets = append(f.targets, v)
		f.sat.Want(f.cause(cause{kind: isAsked, who: v}), sat.Pos(v))
	}
	for _, p := range f.u.Installed {
		if f.gone[p.Name] || changed[p.Name] {
			f.guardUsers(p)
		}
	}
}

// variable is that of a package; a new one knows what excludes it.
func (f *searcher) variable(c candidate) int {
	if v, ok := f.byPackage[c.pkg]; ok {
		return v
	}
	v := f.sat.Var()
	f.byPackage[c.pkg] = v
	f.vars = append(f.vars, c)
	if names := f.byName[c.pkg.Name]; len(names) > 0 {
		group := f.cause(cause{kind: isSameName, who: v})
		for _, w := range names {
			f.sat.Add(group, sat.Neg(v), sat.Neg(w))
		}
	}
	f.byName[c.pkg.Name] = append(f.byName[c.pkg.Name], v)
	for _, name := range providedNames(c.pkg) {
		f.provided[name] = append(f.provided[name], v)
	}
	if !f.r.NoConflicts {
		f.exclude(v)
	}
	return v
}

// exclude states the conflicts between v and the packages known so far.
func (f *searcher) exclude(v int) {
	p := f.vars[v].pkg
	for _, text := range p.Conflicts {
		d := desc.ParseDep(text)
		for _, w := range f.known(d) {
			f.conflict(v, w, d)
		}
		f.refused[d.Name] = append(f.refused[d.Name], refusal{v, d})
	}
	for _, name := range append(providedNames(p), p.Name) {
		for _, r := range f.refused[name] {
			if p.Satisfies(r.dep) {
				f.conflict(r.who, v, r.dep)
			}
		}
	}
}

func (f *searcher) conflict(v, w int, d desc.Dep) {
	a, b := f.vars[v], f.vars[w]
	if a.pkg.Name == b.pkg.Name || a.kept && b.kept {
		return // what is installed together already is the person's own affair
	}
	f.sat.Add(f.cause(cause{kind: isConflict, who: v, other: w, dep: d}), sat.Neg(v), sat.Neg(w))
}

// known are the variables so far that meet d.
func (f *searcher) known(d desc.Dep) []int {
	var out []int
	for _, list := range [][]int{f.byName[d.Name], f.provided[d.Name]} {
		for _, v := range list {
			if f.vars[v].pkg.Satisfies(d) && !slices.Contains(out, v) {
				out = append(out, v)
			}
		}
	}
	return out
}

func providedNames(p *desc.Package) []string {
	var out []string
	for _, text := range p.Provides {
		if name := desc.ParseDep(text).Name; !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// expand states what follows from a literal: what a chosen package needs, and
// what becomes of an installed one that is not kept.
func (f *searcher) expand(l sat.Lit) {
	c := f.vars[l.Var()]
	switch kept := l == sat.Pos(l.Var()); {
	case kept && !c.kept:
		for _, d := range f.wanted(c.pkg) {
			if !c.pkg.Satisfies(d) && !f.assumed(d) {
				f.need(l.Var(), d)
			}
		}
		for _, r := range f.ranges(c.pkg) {
			f.need(l.Var(), r...)
		}
	case !kept && c.kept:
		f.stays(l.Var())
		f.guardUsers(c.pkg)
	}
}

// need states that v needs one of what meets all of some dependencies on one
// name, in the order of preference.
func (f *searcher) need(v int, d ...desc.Dep) {
	options := slices.DeleteFunc(f.options(d[0]), func(o int) bool { return !satisfiesAll(f.vars[o].pkg, d) })
	lits := make([]sat.Lit, len(options))
	for i, o := range options {
		lits[i] = sat.Pos(o)
	}
	f.sat.Choose(f.cause(cause{kind: isNeed, who: v, deps: d, options: options}), sat.Neg(v), lits...)
}

// stays states that an installed package is there, as it is or upgraded.
func (f *searcher) stays(v int) {
	p := f.vars[v].pkg
	if f.agreed[p.Name] {
		return
	}
	lits := []sat.Lit{sat.Pos(v)}
	if !f.ignored(p) {
		for _, r := range f.repos {
			if up := r.DB.Package(p.Name); up != nil && f.open(up) {
				lits = append(lits, sat.Pos(f.variable(candidate{pkg: up, repo: r.Name})))
			}
		}
	}
	f.sat.Want(f.cause(cause{kind: isInstalled, who: v}), lits...)
}

// guardUsers states what the installed packages need that p met.
func (f *searcher) guardUsers(p *desc.Package) {
	for _, u := range f.users.of(p) {
		v, ok := f.byPackage[u.pkg]
		if !ok || !f.vars[v].kept || f.guarded[u.pkg] {
			continue
		}
		f.guarded[u.pkg] = true
		for _, d := range f.wanted(u.pkg) {
			if !u.pkg.Satisfies(d) && !f.assumed(d) && f.local.satisfier(d) != nil {
				f.need(v, d)
			}
		}
	}
}

// open tells whether a package of a repository may be chosen.
func (f *searcher) open(p *desc.Package) bool {
	return !f.ignored(p) && f.archAllowed(p) == nil && !f.requestedGone(p.Name)
}

func (f *searcher) requestedGone(name string) bool {
	rm := f.remName[name]
	return rm != nil && rm.Cause == CauseRequested
}

// options are what meets d, the best first: what is installed, the targets,
// then what pacman would take: literal names over the repositories, providers
// of which another version is installed, all other providers.
func (f *searcher) options(d desc.Dep) []int {
	var out []int
	add := func(v int) {
		if !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	for _, p := range f.local.satisfiers(d) {
		if v, ok := f.byPackage[p]; ok {
			add(v)
		}
	}
	for _, v := range f.targets {
		if f.vars[v].pkg.Satisfies(d) {
			add(v)
		}
	}
	for _, c := range f.offers(d) {
		add(f.variable(c))
	}
	return out
}

// offers are the packages of the repositories that meet d.
func (f *searcher) offers(d desc.Dep) []candidate {
	var literals, familiar, others []candidate
	for _, r := range f.repos {
		if p := r.DB.Package(d.Name); p != nil && p.Satisfies(d) && f.open(p) {
			literals = append(literals, candidate{pkg: p, repo: r.Name})
		}
		for _, p := range sortedByName(r.DB.Providers(d.Name)) {
			switch {
			case p.Name == d.Name || !p.Satisfies(d) || !f.open(p):
			case f.picked[d.String()] == p:
				literals = append(literals, candidate{pkg: p, repo: r.Name})
			case f.local.named(p.Name) != nil:
				familiar = append(familiar, candidate{pkg: p, repo: r.Name})
			default:
				others = append(others, candidate{pkg: p, repo: r.Name})
			}
		}
	}
	return append(append(literals, familiar...), others...)
}

// adopt makes the answer the state's own.
func (f *searcher) adopt() {
	s := f.state
	s.add, s.addName = nil, map[string]*node{}
	s.remove, s.remName = nil, map[string]*Removal{}
	for _, rm := range s.removed {
		s.addRemoval(rm.Package, rm.Cause, rm.By)
	}
	for _, n := range s.asked {
		again := *n
		again.replaces = slices.Clone(n.replaces)
		s.addNode(&again)
	}
	for i := 0; i < len(s.add); i++ { // in the order in which they are needed
		for _, d := range s.wanted(s.add[i].pkg) {
			f.bring(d, s.add[i].pkg.Name)
		}
	}
	for _, p := range s.u.Installed { // for what is installed
		for _, d := range s.wanted(p) {
			f.bring(d, p.Name)
		}
	}
	var names []string
	for v, c := range f.vars {
		if c.kept || !f.sat.True(sat.Pos(v)) {
			continue
		}
		if s.addName[c.pkg.Name] == nil {
			s.addNode(&node{pkg: c.pkg, repo: c.repo, reason: desc.Depend})
		}
		if c.node == nil {
			names = append(names, c.pkg.Name)
		}
	}
	slices.Sort(names)
	s.note(Note{Kind: NoteSearched}, "the first choice of packages does not go together; another one does, with %s", strings.Join(names, ", "))
}

// bring adds what the answer has for a dependency.
func (f *searcher) bring(d desc.Dep, by string) {
	for _, v := range f.known(d) {
		c := f.vars[v]
		if !c.kept && f.sat.True(sat.Pos(v)) && f.addName[c.pkg.Name] == nil {
			f.addNode(&node{pkg: c.pkg, repo: c.repo, by: by, reason: desc.Depend})
		}
	}
}
