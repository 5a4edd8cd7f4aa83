// SPDX-License-Identifier: GPL-3.0-or-later

package solve

import (
	"fmt"
	"strings"

	"github.com/rastos/rastos/alpm/desc"
)

// causeKind says what a clause of the search stands for.
type causeKind int

const (
	isAsked     causeKind = iota // who is a target
	isNeed                       // who needs deps, which options meet
	isConflict                   // who conflicts with other
	isSameName                   // who is one of several versions
	isInstalled                  // who is installed and not to be removed
)

type cause struct {
	kind       causeKind
	who, other int
	dep        desc.Dep // of a conflict
	deps       []desc.Dep
	options    []int
}

// cause notes why clauses are there, and returns their group.
func (f *searcher) cause(c cause) int {
	f.causes = append(f.causes, c)
	return len(f.causes) - 1
}

// minimizeBudget bounds how long the reasons are made fewer.
const minimizeBudget = 200_000

// explain says in plain words why nothing goes: reasons of which none can be
// left out.
func (f *searcher) explain() []string {
	var out []string
	for _, group := range f.sat.Minimize(f.sat.Core(), minimizeBudget) {
		c := f.causes[group]
		if c.kind == isAsked {
			f.blame = append(f.blame, f.vars[c.who].node)
		}
		out = append(out, f.sentence(c))
	}
	return out
}

func (f *searcher) sentence(c cause) string {
	who := f.named(c.who)
	switch c.kind {
	case isAsked:
		return f.wish(f.vars[c.who])
	case isConflict:
		if name := f.vars[c.other].pkg.Name; c.dep.Name != name {
			return fmt.Sprintf("%s conflicts with %s, which %s provides", who, c.dep, f.named(c.other))
		}
		return fmt.Sprintf("%s conflicts with %s", who, f.named(c.other))
	case isSameName:
		return fmt.Sprintf("there can be only one version of %s", f.vars[c.who].pkg.Name)
	case isInstalled:
		return f.presence(f.vars[c.who].pkg)
	}
	words := make([]string, len(c.deps))
	for i, d := range c.deps {
		words[i] = d.String()
	}
	needs := strings.Join(words, " and ")
	switch {
	case len(c.options) > 0:
		return fmt.Sprintf("%s needs %s, which only %s can give", who, needs, f.listed(c.options))
	case len(c.deps) > 1:
		return fmt.Sprintf("%s needs %s in one package, and there is none", who, needs)
	}
	return fmt.Sprintf("%s needs %s, %s", who, needs, f.lack(c.deps[0]))
}

// named is a package as a sentence names it.
func (f *searcher) named(v int) string {
	c := f.vars[v]
	text := c.pkg.Name + " " + c.pkg.Version
	if c.kept {
		text += " (installed)"
	}
	return text
}

func (f *searcher) listed(vars []int) string {
	const most = 4
	var names []string
	for i, v := range vars {
		if i == most {
			names = append(names, fmt.Sprintf("%d more", len(vars)-most))
			break
		}
		names = append(names, f.named(v))
	}
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " or " + names[n-1]
	}
	return names[0]
}

func (f *searcher) wish(c candidate) string {
	switch old := f.local.named(c.pkg.Name); {
	case len(c.node.replaces) > 0:
		return fmt.Sprintf("%s %s replaces %s", c.pkg.Name, c.pkg.Version, c.node.replaces[0].Name)
	case old != nil && old.Version != c.pkg.Version:
		return fmt.Sprintf("%s is to go from %s to %s", c.pkg.Name, old.Version, c.pkg.Version)
	}
	return fmt.Sprintf("%s %s is to be installed", c.pkg.Name, c.pkg.Version)
}

// presence says why an installed package is in the way.
func (f *searcher) presence(p *desc.Package) string {
	text := fmt.Sprintf("%s %s is installed and not to be removed", p.Name, p.Version)
	if f.ignored(p) {
		return text + ", and an ignore list keeps it at this version"
	}
	for _, r := range f.repos {
		if up := r.DB.Package(p.Name); up != nil && up.Version != p.Version {
			if f.ignored(up) {
				return text + ", and an ignore list keeps it from " + up.Version
			}
			return text // its other version is spoken of on its own
		}
	}
	return text + ", and no repository has another version"
}

// lack says what there is instead of something that meets d.
func (f *searcher) lack(d desc.Dep) string {
	if text := f.loss(d); text != "" {
		return text
	}
	var have []string
	for _, r := range f.repos {
		p := r.DB.Package(d.Name)
		if p == nil {
			continue
		}
		switch {
		case p.Satisfies(d) && f.requestedGone(p.Name):
			return fmt.Sprintf("and %s is to be removed", p.Name)
		case p.Satisfies(d) && f.ignored(p):
			return fmt.Sprintf("and an ignore list keeps %s %s out", p.Name, p.Version)
		case p.Satisfies(d):
			return fmt.Sprintf("and %s %s is for another machine (%s)", p.Name, p.Version, p.Arch)
		}
		have = append(have, fmt.Sprintf("%s has %s", r.Name, p.Version))
	}
	for _, r := range f.repos {
		for _, p := range r.DB.Providers(d.Name) {
			if p.Satisfies(d) && f.ignored(p) {
				return fmt.Sprintf("and an ignore list keeps %s %s out, which provides it", p.Name, p.Version)
			}
		}
	}
	if old := f.local.named(d.Name); old != nil && !old.Satisfies(d) {
		have = append(have, old.Version+" is installed")
	}
	if len(have) > 0 {
		return "and " + strings.Join(have, ", ")
	}
	return "which no repository has"
}

// loss names what meets d now and will not.
func (f *searcher) loss(d desc.Dep) string {
	for _, p := range f.local.satisfiers(d) {
		for _, n := range f.asked {
			if n.pkg.Name == p.Name {
				return fmt.Sprintf("which %s %s gives, and %s is to go to %s", p.Name, p.Version, p.Name, n.pkg.Version)
			}
		}
		if f.gone[p.Name] {
			return fmt.Sprintf("which %s %s gives, and that is to go", p.Name, p.Version)
		}
	}
	return ""
}
