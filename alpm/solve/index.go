// SPDX-License-Identifier: GPL-3.0-or-later

package solve

import (
	"sort"

	"github.com/rastos/rastos/alpm/desc"
)

// index answers "which of these packages meets that dependency" without
// walking the list.
type index struct {
	list    []*desc.Package
	place   map[string]int // in the list, by name; the last one of that name
	provide map[string][]*desc.Package
}

func newIndex(list []*desc.Package) *index {
	ix := emptyIndex(len(list))
	for _, p := range list {
		ix.add(p)
	}
	return ix
}

// emptyIndex has room for n packages, and takes more.
func emptyIndex(n int) *index {
	return &index{
		list:    make([]*desc.Package, 0, n),
		place:   make(map[string]int, n),
		provide: map[string][]*desc.Package{},
	}
}

func (ix *index) add(p *desc.Package) {
	ix.place[p.Name] = len(ix.list)
	ix.list = append(ix.list, p)
	for _, text := range p.Provides {
		name := desc.ParseDep(text).Name
		ix.provide[name] = append(ix.provide[name], p)
	}
}

// named returns the package of that name, or nil.
func (ix *index) named(name string) *desc.Package {
	if i, ok := ix.place[name]; ok {
		return ix.list[i]
	}
	return nil
}

// truncate forgets what was added after the first n packages.
func (ix *index) truncate(n int) {
	for _, p := range ix.list[n:] {
		delete(ix.place, p.Name)
		for _, text := range p.Provides {
			name := desc.ParseDep(text).Name
			ix.provide[name] = without(ix.provide[name], p)
		}
	}
	ix.list = ix.list[:n]
}

func without(list []*desc.Package, p *desc.Package) []*desc.Package {
	var kept []*desc.Package
	for _, x := range list {
		if x != p {
			kept = append(kept, x)
		}
	}
	return kept
}

// satisfierExcept returns the first package of the list that meets d and is not
// skipped, or nil.
func (ix *index) satisfierExcept(d desc.Dep, skip func(name string) bool) *desc.Package {
	fits := func(p *desc.Package) bool { return p.Satisfies(d) && (skip == nil || !skip(p.Name)) }
	literal := ix.named(d.Name)
	if literal != nil && !fits(literal) {
		literal = nil
	}
	for _, p := range ix.provide[d.Name] {
		if literal != nil && ix.place[literal.Name] <= ix.place[p.Name] {
			break
		}
		if fits(p) {
			return p
		}
	}
	return literal
}

// satisfierOfAll is one package that meets several dependencies on one name.
func (ix *index) satisfierOfAll(list []desc.Dep, skip func(name string) bool) *desc.Package {
	return ix.satisfierExcept(list[0], func(name string) bool {
		return skip != nil && skip(name) || !satisfiesAll(ix.named(name), list)
	})
}

func satisfiesAll(p *desc.Package, list []desc.Dep) bool {
	for _, d := range list {
		if !p.Satisfies(d) {
			return false
		}
	}
	return true
}

func (ix *index) satisfier(d desc.Dep) *desc.Package { return ix.satisfierExcept(d, nil) }

// satisfiers returns every package that meets d, in the order of the list.
func (ix *index) satisfiers(d desc.Dep) []*desc.Package {
	var out []*desc.Package
	literal := ix.named(d.Name)
	add := func(p *desc.Package) {
		if p.Satisfies(d) && (len(out) == 0 || out[len(out)-1] != p) {
			out = append(out, p)
		}
	}
	for _, p := range ix.provide[d.Name] {
		if literal != nil && ix.place[literal.Name] <= ix.place[p.Name] {
			add(literal)
			literal = nil
		}
		if p.Name != d.Name {
			add(p)
		}
	}
	if literal != nil {
		add(literal)
	}
	return out
}

// user is a package with one of its dependencies.
type user struct {
	pkg *desc.Package
	dep desc.Dep
}

// users are packages by the names in their dependencies.
type users map[string][]user

func usersOf(list []*desc.Package) users {
	u := make(users, len(list))
	for _, p := range list {
		for _, text := range p.Depends {
			d := desc.ParseDep(text)
			u[d.Name] = append(u[d.Name], user{p, d})
		}
	}
	return u
}

// of returns the dependencies that p meets.
func (u users) of(p *desc.Package) []user {
	var out []user
	add := func(name string) {
		for _, x := range u[name] {
			if p.Satisfies(x.dep) {
				out = append(out, x)
			}
		}
	}
	add(p.Name)
	for i, text := range p.Provides {
		name := desc.ParseDep(text).Name
		again := name == p.Name
		for _, earlier := range p.Provides[:i] {
			again = again || desc.ParseDep(earlier).Name == name
		}
		if !again {
			add(name)
		}
	}
	return out
}

// literal tells whether p is called d.Name and has a fitting version: what
// counts for `replaces` and for the first look at a dependency.
func literal(p *desc.Package, d desc.Dep) bool {
	return p != nil && p.Name == d.Name && d.AllowsVersion(p.Version)
}

func (s *state) ignored(p *desc.Package) bool {
	if matchAny(s.u.IgnorePkg, p.Name) {
		return true
	}
	for _, g := range p.Groups {
		if matchAny(s.u.IgnoreGroup, g) {
			return true
		}
	}
	return false
}

func matchAny(patterns []string, name string) bool {
	for _, pat := range patterns {
		if Match(pat, name) {
			return true
		}
	}
	return false
}

func sortedByName(list []*desc.Package) []*desc.Package {
	out := append([]*desc.Package(nil), list...)
	sort.SliceStable(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}
