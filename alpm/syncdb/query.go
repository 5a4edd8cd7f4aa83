// SPDX-License-Identifier: GPL-3.0-or-later

package syncdb

import (
	"iter"
	"runtime"
	"slices"
	"sort"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/rastos/rastos/alpm/desc"
)

// Err is what kept the database from giving all answers: an index that proved
// damaged after it was opened, and a database that then could not be read.
// What was answered before is right; what is asked later may lack packages.
func (db *DB) Err() error {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.err
}

// Len is the number of packages.
func (db *DB) Len() int {
	db.mu.Lock()
	defer db.mu.Unlock()
	return len(db.packages)
}

// Packages returns all packages, sorted by name. The list must not be changed.
func (db *DB) Packages() []*desc.Package {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.readAll()
	return db.packages
}

// Package returns the package of that name, or nil.
func (db *DB) Package(name string) *desc.Package {
	db.mu.Lock()
	defer db.mu.Unlock()
	nameAt := func(i int) string { return db.packages[i].Name }
	if db.index != nil {
		nameAt = db.index.names.at
	}
	place, ok := sort.Find(len(db.packages), func(i int) int { return strings.Compare(name, nameAt(i)) })
	if !ok {
		return nil
	}
	if list := db.at([]int{place}); len(list) > 0 {
		return list[0]
	}
	return nil
}

// Group returns the packages that belong to the group, sorted by name.
func (db *DB) Group(name string) []*desc.Package {
	return db.related(func(t *tables) table { return t.groups }, name)
}

// Providers returns the packages whose provides name it, whatever the
// version, sorted by name. The package called so is not among them unless it
// also provides itself.
func (db *DB) Providers(name string) []*desc.Package {
	return db.related(func(t *tables) table { return t.provides }, name)
}

// Replacers returns the packages whose replaces name it, whatever the version,
// sorted by name.
func (db *DB) Replacers(name string) []*desc.Package {
	return db.related(func(t *tables) table { return t.replaces }, name)
}

func (db *DB) related(of func(*tables) table, name string) []*desc.Package {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.at(of(db.relations()).find(name))
}

// Groups returns the names of all groups, sorted.
func (db *DB) Groups() []string {
	db.mu.Lock()
	defer db.mu.Unlock()
	keys := db.relations().groups.keys
	names := make([]string, keys.len())
	for i := range names {
		names[i] = keys.at(i)
	}
	return names
}

// Names lists all that a package may be asked for by: the names of packages
// and groups, and what is provided. Some may come more than once.
func (db *DB) Names() iter.Seq[string] {
	db.mu.Lock()
	t := db.relations()
	lists := []words{t.groups.keys, t.provides.keys}
	packages := db.packages
	if db.index != nil {
		lists, packages = append(lists, db.index.names), nil
	}
	db.mu.Unlock()
	return func(yield func(string) bool) {
		for _, list := range lists {
			for i := range list.len() {
				if !yield(list.at(i)) {
					return
				}
			}
		}
		for _, p := range packages {
			if !yield(p.Name) {
				return
			}
		}
	}
}

// Containing returns packages, sorted by name, among which are all that have
// each of the words in their name, in their description, in the name of
// something that they provide or in a group, where letters of either case are
// alike. Others may be among them: the caller looks closer.
func (db *DB) Containing(list ...string) []*desc.Package {
	list = foldAll(list)
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.index != nil && len(list) > 0 && db.search == nil {
		s, err := db.index.searchable()
		if err != nil {
			db.giveUp()
		} else {
			db.search = s
		}
	}
	if db.search == nil || len(list) == 0 {
		db.readAll()
		return db.packages
	}
	return db.at(db.search.containing(list))
}

// at returns packages by their places.
func (db *DB) at(places []int) []*desc.Package {
	if len(places) == 0 {
		return nil
	}
	if len(places) > len(db.packages)/8 {
		db.readAll()
	}
	list := make([]*desc.Package, 0, len(places))
	for _, place := range places {
		if db.err == nil && db.packages[place] == nil {
			if err := db.index.records(&db.reader, place, place+1, db.keep); err != nil {
				db.giveUp()
			}
		}
		if db.err != nil {
			return list // places mean nothing any more
		}
		list = append(list, db.packages[place])
	}
	return list
}

func (db *DB) keep(place int, p *desc.Package) {
	if db.packages[place] == nil {
		db.packages[place] = p
	}
}

// atOnce is how many records are read in one piece.
const atOnce = 1024

// readAll reads the packages that nobody asked for yet, on all cores.
func (db *DB) readAll() {
	if db.index == nil || db.complete {
		return
	}
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for from := 0; from < len(db.packages); from += atOnce {
		g.Go(func() error {
			return db.index.records(new(reader), from, min(from+atOnce, len(db.packages)), db.keep)
		})
	}
	if g.Wait() != nil {
		db.giveUp()
	}
	db.complete = true
}

// giveUp does without the index, which proved damaged: it reads the database
// itself. What was given out before stays what it is.
func (db *DB) giveUp() {
	names := db.index.names
	known := make(map[string]*desc.Package)
	for _, p := range db.packages {
		if p != nil {
			known[p.Name] = p
		}
	}
	db.index, db.tables, db.search = nil, nil, nil
	fresh, err := db.again()
	for i := 0; err == nil && i < max(names.len(), len(fresh.packages)); i++ {
		if names.len() != len(fresh.packages) || names.at(i) != fresh.packages[i].Name {
			err = errIndex
		}
	}
	if err != nil {
		db.err = &Error{DB: db.Name, Err: err}
		db.packages = slices.DeleteFunc(db.packages, func(p *desc.Package) bool { return p == nil })
		return
	}
	for i, p := range fresh.packages {
		if old := known[p.Name]; old != nil {
			fresh.packages[i] = old
		}
	}
	db.packages = fresh.packages
}

// relations returns the tables, which are read or made at first.
func (db *DB) relations() *tables {
	if db.tables != nil {
		return db.tables
	}
	if db.index != nil {
		t, err := db.index.tables()
		if err == nil {
			db.tables = t
			return t
		}
		db.giveUp()
	}
	groups, provides, replaces := relations(db.packages)
	n := len(db.packages)
	db.tables = &tables{mustTable(groups, n), mustTable(provides, n), mustTable(replaces, n)}
	return db.tables
}

// mustTable is for pairs that lead to packages that there are.
func mustTable(pairs []pair, packages int) table {
	t, err := decodeTable(encodeTable(pairs), packages)
	if err != nil {
		panic(err)
	}
	return t
}
