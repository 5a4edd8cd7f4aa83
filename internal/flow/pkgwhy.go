// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/solve"
)

// WhyInstalled tells why a package is installed.
type WhyInstalled struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Reason  string `json:"reason"`
	Orphan  bool   `json:"orphan"` // nothing needs it any more
	// Chains lead from packages that were asked for down to this one.
	Chains      []WhyChain    `json:"chains"`
	RequiredBy  []string      `json:"required_by"`
	OptionalFor []OptionalUse `json:"optional_for"`
}

// WhyChain is a row of packages of which each needs the next.
type WhyChain struct {
	Text  string    `json:"text"`
	Links []WhyLink `json:"links"`
}

// WhyLink is one package, and the dependency by which it needs the next one.
type WhyLink struct {
	Package string `json:"package"`
	Needs   string `json:"needs,omitempty"`
}

// OptionalUse is a package that can use another, and what for.
type OptionalUse struct {
	Package string `json:"package"`
	For     string `json:"for,omitempty"`
}

// PkgWhy tells why a package is installed, by its name or one that it provides.
func (m *Machine) PkgWhy(w *World, name string) (*WhyInstalled, error) {
	v, err := w.installedView()
	if err != nil {
		return nil, err
	}
	i, err := solve.WhyInstalled(v.installed, name)
	if err != nil {
		return nil, err
	}
	why := &WhyInstalled{
		Name: i.Package.Name, Version: i.Package.Version, Reason: i.Package.Reason.String(), Orphan: i.Orphan(),
		Chains: []WhyChain{}, RequiredBy: nonNil(i.RequiredBy), OptionalFor: []OptionalUse{},
	}
	for _, c := range i.Chains {
		chain := WhyChain{Text: c.String()}
		for _, l := range c {
			link := WhyLink{Package: l.Package}
			if l.Needs != (desc.Dep{}) {
				link.Needs = l.Needs.String()
			}
			chain.Links = append(chain.Links, link)
		}
		why.Chains = append(why.Chains, chain)
	}
	for _, u := range i.OptionalFor {
		why.OptionalFor = append(why.OptionalFor, OptionalUse{u.Package, u.For})
	}
	return why, nil
}
