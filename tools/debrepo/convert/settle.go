// SPDX-License-Identifier: GPL-3.0-or-later

package convert

import (
	"slices"

	"github.com/rastos/rastos/alpm/desc"
)

// Settle makes sure that the packages can be installed together as pacman
// sees it: where vercmp does not agree with dpkg that a dependency is met, its
// version is dropped, and it is named in the result.
func Settle(packages []*desc.Package) (weakened []string) {
	for _, p := range packages {
		for i, text := range p.Depends {
			d := desc.ParseDep(text)
			if d.Op == desc.Any || met(packages, d) {
				continue
			}
			p.Depends[i] = d.Name
			weakened = append(weakened, p.Name+": "+text)
		}
	}
	return weakened
}

func met(packages []*desc.Package, d desc.Dep) bool {
	return slices.ContainsFunc(packages, func(p *desc.Package) bool { return p.Satisfies(d) })
}
