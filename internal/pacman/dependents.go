// SPDX-License-Identifier: GPL-3.0-or-later

package pacman

import (
	"slices"

	"github.com/rastos/rastos/alpm/desc"
)

// dependents finds the packages of a list that need another one.
type dependents map[string][]dependent

type dependent struct {
	pkg *desc.Package
	dep desc.Dep
}

// newDependents goes through the relations of every package that of selects.
func newDependents(list []*desc.Package, of func(*desc.Package) []string) dependents {
	d := dependents{}
	for _, p := range list {
		for _, text := range of(p) {
			dep := desc.ParseDep(text)
			d[dep.Name] = append(d[dep.Name], dependent{p, dep})
		}
	}
	return d
}

func depends(p *desc.Package) []string    { return p.Depends }
func optDepends(p *desc.Package) []string { return p.OptDepends }

// on returns the names of the packages that p serves, sorted.
func (d dependents) on(p *desc.Package) []string {
	var names []string
	add := func(name string) {
		for _, q := range d[name] {
			if p.Satisfies(q.dep) {
				names = append(names, q.pkg.Name)
			}
		}
	}
	add(p.Name)
	for _, text := range p.Provides {
		add(desc.ParseDep(text).Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
