// SPDX-License-Identifier: GPL-3.0-or-later

package solve

import (
	"sort"
	"strings"

	"github.com/rastos/rastos/alpm/desc"
)

// Installed tells why a package is installed.
type Installed struct {
	Package *desc.Package
	// Chains lead from packages that were asked for down to this one, the
	// shortest from each, the shortest of all first. A chain does not go
	// through another package that was asked for: that one has its own. None
	// where nobody asked for anything that needs the package.
	Chains []Chain
	// RequiredBy names the installed packages that depend on it.
	RequiredBy []string
	// OptionalFor lists the installed packages that can use it.
	OptionalFor []OptionalUse
}

// Chain is a row of packages of which each needs the next.
type Chain []ChainLink

// ChainLink is one package of a chain, and the dependency by which it needs
// the next one; that is empty in the last link.
type ChainLink struct {
	Package string
	Needs   desc.Dep
}

// OptionalUse is an optional dependency: who has it, and what for.
type OptionalUse struct{ Package, For string }

// Orphan tells whether the package came as a dependency and nothing needs it
// any more, optional uses aside.
func (i *Installed) Orphan() bool {
	return i.Package.Reason == desc.Depend && len(i.RequiredBy) == 0
}

// String is the chain in one line: "app → lib (libfoo.so=1) → base".
func (c Chain) String() string {
	var b strings.Builder
	for i, link := range c {
		b.WriteString(link.Package)
		if i+1 == len(c) {
			break
		}
		if next := c[i+1].Package; link.Needs.String() != next {
			b.WriteString(" (" + link.Needs.String() + ")")
		}
		b.WriteString(" → ")
	}
	return b.String()
}

// WhyInstalled tells why the package called name is installed, or the first by
// name that provides it. It reads the list of installed packages and nothing
// else. The error is a NotFoundError.
func WhyInstalled(installed []*desc.Package, name string) (*Installed, error) {
	list := sortedByName(installed)
	p := newIndex(list).satisfier(desc.Dep{Name: name})
	if p == nil {
		return nil, notInstalled(installed, name)
	}
	why := &Installed{Package: p}
	w := &upward{users: usersOf(list), from: map[string]ChainLink{p.Name: {}}}
	direct := w.step(p)
	for _, u := range direct {
		why.RequiredBy = append(why.RequiredBy, u.Name)
	}
	for queue := direct; len(queue) > 0; queue = queue[1:] {
		q := queue[0]
		if q.Reason == desc.Explicit {
			why.Chains = append(why.Chains, w.chain(q.Name))
			continue
		}
		queue = append(queue, w.step(q)...)
	}
	sort.SliceStable(why.Chains, func(i, j int) bool { return len(why.Chains[i]) < len(why.Chains[j]) })
	for _, q := range list {
		for _, text := range q.OptDepends {
			if d := desc.ParseDep(text); q != p && p.Satisfies(d) {
				why.OptionalFor = append(why.OptionalFor, OptionalUse{q.Name, d.Description})
				break
			}
		}
	}
	return why, nil
}

// upward goes from a package to those that need it.
type upward struct {
	users users
	from  map[string]ChainLink // who was reached, by which dependency on whom
}

// step returns the packages that depend on p and were not reached before.
func (w *upward) step(p *desc.Package) []*desc.Package {
	var out []*desc.Package
	for _, u := range w.users.of(p) {
		if _, seen := w.from[u.pkg.Name]; seen {
			continue
		}
		w.from[u.pkg.Name] = ChainLink{p.Name, u.dep}
		out = append(out, u.pkg)
	}
	return sortedByName(out)
}

func (w *upward) chain(name string) Chain {
	var c Chain
	for name != "" {
		link := w.from[name]
		c = append(c, ChainLink{name, link.Needs})
		name = link.Package
	}
	return c
}

// notInstalled is the error for a name that no installed package has.
func notInstalled(installed []*desc.Package, name string) *NotFoundError {
	known := make(map[string]bool, len(installed))
	for _, p := range installed {
		known[p.Name] = true
	}
	return &NotFoundError{Target: name, Installed: true, Near: nearest(name, known)}
}
