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
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/rastos/rastos/alpm/desc"
)

// DB is a database that was read. It does not change any more, and several
// goroutines may ask it at once.
type DB struct {
	Name string

	mu sync.Mutex
	// packages are sorted by name. Those that an index has and nobody asked
	// for yet are nil.
	packages []*desc.Package
	index    *index // nil: everything is in packages
	complete bool   // none of them is nil
	reader   reader
	tables   *tables // nil: nobody asked for one yet
	search   *searchable
	// again reads the whole database, for when the index proves damaged.
	again func() (*DB, error)
	err   error
}

// tables are the relations that packages are found by.
type tables struct{ groups, provides, replaces table }

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
