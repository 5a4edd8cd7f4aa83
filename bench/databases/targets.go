// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/syncdb"
)

// installable are the names of the packages whose dependencies these databases
// can meet, and those of the dependencies too. Databases of a folder may lack
// others that theirs need.
func installable(dbs []*syncdb.DB) (names []string) {
	lost := map[*desc.Package]bool{}
	met := func(d desc.Dep) bool {
		for _, db := range dbs {
			if p := db.Package(d.Name); p != nil && !lost[p] && p.Satisfies(d) {
				return true
			}
			for _, p := range db.Providers(d.Name) {
				if !lost[p] && p.Satisfies(d) {
					return true
				}
			}
		}
		return false
	}
	for again := true; again; {
		again = false
		for _, db := range dbs {
			for _, p := range db.Packages() {
				for _, text := range p.Depends {
					if !lost[p] && !met(desc.ParseDep(text)) {
						lost[p], again = true, true
					}
				}
			}
		}
	}
	for _, db := range dbs {
		for _, p := range db.Packages() {
			if !lost[p] {
				names = append(names, p.Name)
			}
		}
	}
	return names
}
