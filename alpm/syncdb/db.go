// SPDX-License-Identifier: GPL-3.0-or-later

// Package syncdb reads the databases of package repositories: archives with
// one directory for each package, "name-version/", that holds desc, perhaps
// depends (as repo-add wrote until 2015) and, in a .files database, files.
//
// The archive is a tar, plain or compressed with gzip, zstd, xz or bzip2,
// which its content tells and not its name. Signatures are not checked here
// and nothing is downloaded. Writing databases is alpm/repo.
//
// The format is what repo-add(8) makes.
package syncdb

import (
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/rastos/rastos/alpm/desc"
)

// DB is a database that was read. It does not change any more, and several
// goroutines may ask it at once.
type DB struct {
	Name string

	packages []*desc.Package // sorted by name

	once      sync.Once // makes the tables below, which few need
	groups    table
	provides  table
	replacers table
}

// New makes a database of packages, each name once.
func New(name string, packages []*desc.Package) *DB {
	db := &DB{Name: name, packages: slices.Clone(packages)}
	slices.SortFunc(db.packages, func(a, b *desc.Package) int { return strings.Compare(a.Name, b.Name) })
	return db
}

// Error says which database could not be read.
type Error struct {
	DB   string
	Path string
	Err  error
}

func (e *Error) Error() string {
	if e.Path != "" {
		return fmt.Sprintf("read database %s (%s): %v", e.DB, e.Path, e.Err)
	}
	return fmt.Sprintf("read database %s: %v", e.DB, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// Hint says what to do about it.
func (e *Error) Hint() string {
	if errors.Is(e.Err, os.ErrNotExist) {
		return "synchronise the databases first"
	}
	return "synchronise the databases again; if that does not help, choose another mirror"
}

// ExitCode is that of a failed verification, or of a failure where the
// database could not be read at all.
func (e *Error) ExitCode() int {
	var path *os.PathError
	if errors.As(e.Err, &path) {
		return 1
	}
	return 5
}

// Len is the number of packages.
func (db *DB) Len() int { return len(db.packages) }

// Packages returns all packages, sorted by name. The list must not be changed.
func (db *DB) Packages() []*desc.Package { return db.packages }

// Package returns the package of that name, or nil.
func (db *DB) Package(name string) *desc.Package {
	i, ok := sort.Find(len(db.packages), func(i int) int { return strings.Compare(name, db.packages[i].Name) })
	if !ok {
		return nil
	}
	return db.packages[i]
}

// Group returns the packages that belong to the group, sorted by name.
func (db *DB) Group(name string) []*desc.Package {
	db.once.Do(db.relate)
	return db.at(db.groups.find(name))
}

// Groups returns the names of all groups, sorted.
func (db *DB) Groups() []string {
	db.once.Do(db.relate)
	names := make([]string, db.groups.keys.len())
	for i := range names {
		names[i] = db.groups.keys.at(i)
	}
	return names
}

// Providers returns the packages whose provides name it, whatever the
// version, sorted by name. The package called so is not among them unless it
// also provides itself.
func (db *DB) Providers(name string) []*desc.Package {
	db.once.Do(db.relate)
	return db.at(db.provides.find(name))
}

// Replacers returns the packages whose replaces name it, whatever the version,
// sorted by name.
func (db *DB) Replacers(name string) []*desc.Package {
	db.once.Do(db.relate)
	return db.at(db.replacers.find(name))
}

// Names lists all that a package may be asked for by: the names of packages
// and groups, and what is provided. Some may come more than once.
func (db *DB) Names() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, p := range db.packages {
			if !yield(p.Name) {
				return
			}
		}
		db.once.Do(db.relate)
		for _, t := range []table{db.groups, db.provides} {
			for i := range t.keys.len() {
				if !yield(t.keys.at(i)) {
					return
				}
			}
		}
	}
}

func (db *DB) at(places []int) []*desc.Package {
	if len(places) == 0 {
		return nil
	}
	list := make([]*desc.Package, len(places))
	for i, place := range places {
		list[i] = db.packages[place]
	}
	return list
}

// relate makes the tables from the packages.
func (db *DB) relate() {
	var groups, provides, replaces []pair
	for i, p := range db.packages {
		place := uint32(i)
		for _, g := range p.Groups {
			groups = append(groups, pair{g, place})
		}
		for _, text := range p.Provides {
			provides = append(provides, pair{desc.ParseDep(text).Name, place})
		}
		for _, text := range p.Replaces {
			replaces = append(replaces, pair{desc.ParseDep(text).Name, place})
		}
	}
	db.groups = mustTable(groups, len(db.packages))
	db.provides = mustTable(provides, len(db.packages))
	db.replacers = mustTable(replaces, len(db.packages))
}

// mustTable is for pairs that lead to packages that there are.
func mustTable(pairs []pair, packages int) table {
	t, err := decodeTable(encodeTable(pairs), packages)
	if err != nil {
		panic(err)
	}
	return t
}
