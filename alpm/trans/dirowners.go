// SPDX-License-Identifier: GPL-3.0-or-later

package trans

import (
	"strings"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/localdb"
)

// dirOwners counts how many installed packages have a directory. It is made
// when it is first asked, since most transactions never do.
type dirOwners struct {
	local *localdb.DB
	gone  map[string]bool // removed, though perhaps still in the database
	count map[string]int
}

// byOther tells whether a package other than p has the directory.
func (d *dirOwners) byOther(p *desc.Package, dir string) (bool, error) {
	if d.count == nil {
		count := map[string]int{}
		for _, q := range d.local.Packages() {
			if d.gone[q.Name] {
				continue
			}
			if err := loadFileList(d.local, q); err != nil {
				return false, err
			}
			tally(count, q, 1)
		}
		d.count = count
	}
	n := d.count[dir]
	if listHas(p.Files, dir) {
		n--
	}
	return n > 0, nil
}

// forget takes out a package whose files were removed.
func (d *dirOwners) forget(p *desc.Package) {
	d.gone[p.Name] = true
	if d.count != nil {
		tally(d.count, p, -1)
	}
}

// replace puts a package in, in the place of its old version if there is one.
func (d *dirOwners) replace(old, new *desc.Package) {
	delete(d.gone, new.Name)
	if d.count == nil {
		return
	}
	if old != nil {
		tally(d.count, old, -1)
	}
	tally(d.count, new, 1)
}

func tally(count map[string]int, p *desc.Package, by int) {
	for _, f := range p.Files {
		if strings.HasSuffix(f, "/") {
			count[f] += by
		}
	}
}
