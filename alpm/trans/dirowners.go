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
	// now are packages that are not as the database has them, or not yet: nil
	// for one whose files are gone.
	now   map[string]*desc.Package
	has   map[string]*desc.Package // what is counted
	count map[string]int
}

func newDirOwners(local *localdb.DB) *dirOwners {
	return &dirOwners{local: local, now: map[string]*desc.Package{}}
}

// byOther tells whether a package other than p has the directory.
func (d *dirOwners) byOther(p *desc.Package, dir string) (bool, error) {
	if d.count == nil {
		if err := d.fill(); err != nil {
			return false, err
		}
	}
	n := d.count[dir]
	if q := d.has[p.Name]; q != nil && listHas(q.Files, dir) {
		n--
	}
	return n > 0, nil
}

func (d *dirOwners) fill() error {
	d.has, d.count = map[string]*desc.Package{}, map[string]int{}
	for _, p := range d.local.Packages() {
		if _, other := d.now[p.Name]; other {
			continue
		}
		if err := loadFileList(d.local, p); err != nil {
			d.count = nil
			return err
		}
		d.set(p.Name, p)
	}
	for name, p := range d.now {
		d.set(name, p)
	}
	return nil
}

// set counts a package, and its earlier version no more.
func (d *dirOwners) set(name string, p *desc.Package) {
	if old := d.has[name]; old != nil {
		tally(d.count, old, -1)
	}
	if d.has[name] = p; p != nil {
		tally(d.count, p, 1)
	}
}

// forget takes out a package whose files were removed.
func (d *dirOwners) forget(name string) { d.change(name, nil) }

// replace puts a package in, in the place of its old version if there is one.
func (d *dirOwners) replace(p *desc.Package) { d.change(p.Name, p) }

func (d *dirOwners) change(name string, p *desc.Package) {
	d.now[name] = p
	if d.count != nil {
		d.set(name, p)
	}
}

func tally(count map[string]int, p *desc.Package, by int) {
	for _, f := range p.Files {
		if strings.HasSuffix(f, "/") {
			count[f] += by
		}
	}
}
