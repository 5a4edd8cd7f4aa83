// SPDX-License-Identifier: GPL-3.0-or-later

package lockfile

import "fmt"

// Difference is one package that two locks disagree about.
type Difference struct {
	Name string `json:"name"`
	// Old and New are empty where that lock does not have the package.
	Old string `json:"old,omitempty"`
	New string `json:"new,omitempty"`
	// Archive is set where only the archive of the same version differs.
	Archive bool `json:"archive,omitempty"`
}

func (d Difference) String() string {
	switch {
	case d.Old == "":
		return fmt.Sprintf("%s %s is new", d.Name, d.New)
	case d.New == "":
		return fmt.Sprintf("%s %s is gone", d.Name, d.Old)
	case d.Archive:
		return fmt.Sprintf("%s %s has another archive", d.Name, d.New)
	}
	return fmt.Sprintf("%s: %s is %s now", d.Name, d.Old, d.New)
}

// Diff lists the packages that differ from old to now, by name.
func Diff(old, now *Lock) []Difference {
	var out []Difference
	a, b := old.Packages, now.Packages
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(b) == 0 || len(a) > 0 && a[0].Name < b[0].Name:
			out = append(out, Difference{Name: a[0].Name, Old: a[0].Version})
			a = a[1:]
		case len(a) == 0 || b[0].Name < a[0].Name:
			out = append(out, Difference{Name: b[0].Name, New: b[0].Version})
			b = b[1:]
		default:
			if a[0] != b[0] {
				out = append(out, Difference{Name: a[0].Name, Old: a[0].Version, New: b[0].Version, Archive: a[0].Version == b[0].Version})
			}
			a, b = a[1:], b[1:]
		}
	}
	return out
}
