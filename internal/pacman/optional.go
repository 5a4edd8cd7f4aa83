// SPDX-License-Identifier: GPL-3.0-or-later

package pacman

import (
	"slices"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/trans"
)

// optional tells of optional dependencies of a package that came.
func (p *progress) optional(st *trans.Step) {
	what := ""
	var list []string
	switch doing(st) {
	case "installing":
		what, list = "Optional dependencies for ", st.Package.OptDepends
	case "upgrading", "downgrading":
		what, list = "New optional dependencies for ", newIn(st.Package.OptDepends, st.Old.OptDepends)
	}
	if len(list) == 0 {
		return
	}
	var shown []string
	for _, text := range list {
		d := desc.ParseDep(text)
		mark := ""
		switch {
		case p.satisfied(d, true):
			mark = " [installed]"
		case p.satisfied(d, false):
			mark = " [pending]"
		}
		shown = append(shown, text+mark)
	}
	p.t.print(what, st.Package.Name, "\n")
	p.t.page().Lines("   ", shown)
}

// satisfied tells whether a package that is installed by now meets d, or one
// of the plan.
func (p *progress) satisfied(d desc.Dep, now bool) bool {
	for i, st := range p.plan.Install {
		if st.Package.Satisfies(d) && (!now || i <= p.next) {
			return true
		}
	}
	if !now {
		return false
	}
	for _, q := range p.t.local.Packages() {
		if q.Satisfies(d) && !p.goes(q.Name) {
			return true
		}
	}
	return false
}

// goes tells whether an installed package is removed or replaced by the plan,
// as far as it has been carried out.
func (p *progress) goes(name string) bool {
	for _, rm := range p.plan.Remove {
		if rm.Package.Name == name {
			return true // if perhaps to come back
		}
	}
	at, ok := p.place[name]
	return ok && at <= p.next
}

// newIn is what the first list has and the second has not, sorted.
func newIn(list, old []string) []string {
	var out []string
	for _, text := range list {
		if !slices.Contains(old, text) {
			out = append(out, text)
		}
	}
	slices.Sort(out)
	return out
}
