// SPDX-License-Identifier: GPL-3.0-or-later

package solve

import (
	"slices"

	"github.com/rastos/rastos/alpm/desc"
)

// lookup tunes find.
type lookup struct {
	exclude func(name string) bool
	prompt  bool // an ignored package may be asked about
}

func (l lookup) excluded(name string) bool { return l.exclude != nil && l.exclude(name) }

// find looks for a package that meets d: by literal name over the
// repositories in order, then among the providers of all of them, where one
// that is installed already wins. ignored reports that an ignore list kept
// something out that would have done.
func (s *state) find(d desc.Dep, repos []Repo, l lookup) (c *Candidate, ignored bool) {
	for _, r := range repos {
		p := r.DB.Package(d.Name)
		if !literal(p, d) || l.excluded(p.Name) {
			continue
		}
		if !s.allowed(p, l) {
			ignored = true
			continue
		}
		return &Candidate{p, r.Name}, false
	}
	var providers []Candidate
	for _, r := range repos {
		for _, p := range sortedByName(r.DB.Providers(d.Name)) {
			if p.Name == d.Name || !p.Satisfies(d) || l.excluded(p.Name) {
				continue
			}
			if !s.allowed(p, l) {
				ignored = true
				continue
			}
			if s.local.named(p.Name) != nil {
				return &Candidate{p, r.Name}, false
			}
			providers = append(providers, Candidate{p, r.Name})
		}
	}
	if len(providers) == 0 {
		return nil, ignored
	}
	return s.chooseProvider(d, providers), false
}

func (s *state) allowed(p *desc.Package, l lookup) bool {
	if !s.ignored(p) {
		return true
	}
	if l.prompt {
		return s.ask(Question{Kind: QuestionIgnored, Package: p, Default: Yes}) == Yes
	}
	s.passOver(p)
	return false
}

func (s *state) passOver(p *desc.Package) {
	s.note(Note{Kind: NoteIgnored, Package: p.Name, Version: p.Version}, "%s-%s is on an ignore list", p.Name, p.Version)
}

func (s *state) chooseProvider(d desc.Dep, list []Candidate) *Candidate {
	if len(list) == 1 {
		return &list[0]
	}
	i := s.ask(Question{Kind: QuestionProvider, Dep: d, Choices: list})
	if i < 0 || i >= len(list) {
		i = 0
	}
	s.picked[d.String()] = list[i].Package
	s.note(Note{Kind: NoteProvider, Package: list[i].Package.Name, Repo: list[i].Repo, Dep: d.String()},
		"%s: took %s of %d providers", d, label(list[i].Package, list[i].Repo), len(list))
	return &list[i]
}

// resolver closes the targets over their dependencies.
type resolver struct {
	*state
	repos     []Repo
	targets   *index // the targets as asked for: preferred satisfiers
	targetSet map[string]*node
	done      []*node // the closure so far, parents before what they pulled in
	doneIx    *index
	replaced  map[string]bool // installed packages that replacements remove
	missing   []Missing
	trail     []Missing // with those that another one brought down
}

// resolve pulls in what the targets need. A target whose dependencies cannot
// be met may be left out by answer; otherwise everything missing is reported
// at once.
func (s *state) resolve() error {
	if s.r.NoDeps || len(s.add) == 0 {
		return nil
	}
	s.stage(StageResolve)
	rs := &resolver{
		state: s, repos: s.reposFor(UseInstall | UseUpgrade),
		targets: emptyIndex(len(s.add)), targetSet: s.addName,
		doneIx: emptyIndex(len(s.add)), replaced: map[string]bool{},
	}
	for _, n := range s.add {
		rs.targets.add(n.pkg)
		for _, p := range n.replaces {
			rs.replaced[p.Name] = true
		}
	}
	for name := range s.remName {
		rs.replaced[name] = true
	}
	var lost []*desc.Package
	for _, n := range s.add {
		if !rs.pull(n) {
			lost = append(lost, n.pkg)
		}
	}
	if len(lost) > 0 {
		if found, _ := s.search(); found {
			return nil
		}
		if s.ask(Question{Kind: QuestionSkip, Package: lost[0], Packages: lost, Default: No}) != Yes {
			return s.unsatisfied(uniqueMissing(rs.missing), rs.trail)
		}
		for _, p := range lost {
			s.note(Note{Kind: NoteLeftOut, Package: p.Name, Version: p.Version}, "%s is left out: its dependencies cannot be met", p.Name)
		}
	}
	s.add, s.addName = nil, map[string]*node{}
	for _, n := range rs.done {
		s.addNode(n)
	}
	return nil
}

// pull adds n and, depth first, what it needs. When it fails nothing of it
// stays in the closure, and rs.missing tells why.
func (rs *resolver) pull(n *node) bool {
	if rs.doneIx.named(n.pkg.Name) != nil {
		return true
	}
	mark := len(rs.done)
	rs.done = append(rs.done, n)
	rs.doneIx.add(n.pkg)
	ok := true
	for _, d := range rs.wanted(n.pkg) {
		if !rs.satisfiedAround(n, d) && !rs.pullDep(n, d) {
			ok = false
		}
	}
	if !ok {
		rs.done = rs.done[:mark]
		rs.doneIx.truncate(mark)
	}
	return ok
}

// satisfiedAround: met by the package itself or by an installed package that
// this transaction leaves alone.
func (rs *resolver) satisfiedAround(n *node, d desc.Dep) bool {
	if n.pkg.Satisfies(d) || rs.assumed(d) {
		return true
	}
	return rs.local.satisfierExcept(d, func(name string) bool {
		return rs.targetSet[name] != nil || rs.replaced[name] || name == n.pkg.Name
	}) != nil
}

func (rs *resolver) pullDep(n *node, d desc.Dep) bool {
	if rs.doneIx.satisfier(d) != nil {
		return true
	}
	next, ignored := rs.choose(n, d)
	if next != nil && rs.archAllowed(next.pkg) == nil && rs.pull(next) {
		return true
	}
	// The targets do not bring it and no repository does, but an installed
	// package has it and stays (or is itself being upgraded: checkDeps looks
	// whether the new version still has it).
	if rs.local.satisfierExcept(d, func(name string) bool { return rs.replaced[name] || rs.ignoredName(name) }) != nil {
		return true
	}
	s := rs.state
	s.note(Note{Kind: NoteUnresolved, Package: n.pkg.Name, Version: n.pkg.Version, Dep: d.String()},
		"%s of %s cannot be resolved", d, n.pkg.Name)
	m := Missing{Package: n.pkg.Name, Version: n.pkg.Version, Dep: d, Chain: rs.chain(n), Ignored: ignored}
	rs.trail = append(rs.trail, m)
	if next == nil {
		rs.missing = append(rs.missing, m)
	}
	return false
}

func (rs *resolver) ignoredName(name string) bool {
	p := rs.local.named(name)
	if p == nil || !rs.ignored(p) {
		return false
	}
	rs.passOver(p)
	return true
}

// choose prefers a target; after that the repositories decide.
func (rs *resolver) choose(n *node, d desc.Dep) (next *node, ignored bool) {
	if p := rs.targets.satisfier(d); p != nil {
		return rs.targetSet[p.Name], false
	}
	c, ignored := rs.find(d, rs.repos, lookup{exclude: func(name string) bool { return rs.doneIx.named(name) != nil }})
	if c == nil {
		return nil, ignored
	}
	next = &node{pkg: c.Package, repo: c.Repo, by: n.pkg.Name, reason: desc.Depend, target: rs.there[c.Package.Name]}
	if t := rs.targetSet[c.Package.Name]; t != nil { // another version of a target, which it takes the place of
		next.target, next.reason = t.target, t.reason
	}
	return next, false
}

// chain leads from n to its target.
func (rs *resolver) chain(n *node) []string {
	chain := []string{n.pkg.Name}
	for n.by != "" {
		chain = append(chain, n.by)
		up := n
		for _, x := range rs.done {
			if x.pkg.Name == n.by {
				up = x
			}
		}
		if up == n {
			break
		}
		n = up
	}
	return chain
}

// unsatisfied makes the error, with a hint for the first that has one: looking
// for near names takes long in large repositories.
func (s *state) unsatisfied(missing, trail []Missing) error {
	if len(missing) == 0 { // what a repository has is for another machine
		missing = trail
	}
	for i := range missing {
		if missing[i].Cause != "" || missing[i].Ignored {
			continue
		}
		if missing[i].Near = s.nearRepos(missing[i].Dep.Name); len(missing[i].Near) > 0 {
			break
		}
	}
	return &UnsatisfiedError{Missing: missing, Trail: trail}
}

func uniqueMissing(list []Missing) []Missing {
	seen := map[string]bool{}
	var out []Missing
	for _, m := range list {
		key := m.Package + " " + m.Dep.String() + " " + m.Cause
		if !seen[key] {
			seen[key] = true
			out = append(out, m)
		}
	}
	return out
}

// checkDeps is the last word on dependencies: with the new packages in and
// the removed ones gone, everything that the transaction brings must be
// complete, and nothing installed may lose what it had. What was broken
// before stays the person's own affair.
func (s *state) checkDeps() error {
	if s.r.NoDeps {
		return nil
	}
	if missing := s.unmet(); len(missing) > 0 {
		return s.unsatisfied(missing, missing)
	}
	return nil
}

func (s *state) unmet() []Missing {
	newOnes := emptyIndex(len(s.add))
	for _, n := range s.add {
		newOnes.add(n.pkg)
	}
	changed := func(name string) bool { return s.remName[name] != nil || s.addName[name] != nil }
	met := func(d desc.Dep) bool {
		return newOnes.satisfier(d) != nil || s.local.satisfierExcept(d, changed) != nil || s.assumed(d)
	}
	var missing []Missing
	for _, n := range s.add {
		for _, d := range s.wanted(n.pkg) {
			if !met(d) {
				missing = append(missing, Missing{Package: n.pkg.Name, Version: n.pkg.Version, Dep: d})
			}
		}
		for _, r := range s.ranges(n.pkg) {
			told := slices.ContainsFunc(r, func(d desc.Dep) bool { return !met(d) })
			if !told && newOnes.satisfierOfAll(r, nil) == nil && s.local.satisfierOfAll(r, changed) == nil {
				missing = append(missing, Missing{Package: n.pkg.Name, Version: n.pkg.Version, Dep: r[len(r)-1], Range: r})
			}
		}
	}
	for _, lp := range s.u.Installed {
		if changed(lp.Name) {
			continue
		}
		for _, d := range s.wanted(lp) {
			cause := s.local.satisfierExcept(d, func(name string) bool { return !changed(name) })
			if cause != nil && !met(d) {
				m := Missing{Package: lp.Name, Version: lp.Version, Dep: d, Cause: cause.Name}
				if n := s.addName[cause.Name]; n != nil {
					m.CauseVersion = n.pkg.Version
				}
				missing = append(missing, m)
			}
		}
	}
	return uniqueMissing(missing)
}
