// SPDX-License-Identifier: GPL-3.0-or-later

// Package repo builds the databases of a package repository, as repo-add(8)
// and repo-remove(8) do: NAME.db.tar.gz with what pacman needs to install,
// NAME.files.tar.gz with the file lists besides, and the links NAME.db and
// NAME.files to them.
//
// Entries that stay keep every byte of their records. New databases appear by
// rename, the ones before are kept as ".old", and the lock file is repo-add's.
// Databases are written with gzip, zstd or not packed (.tar.gz, .tar.zst,
// .tar) and read in any form. Paths stand in file lists as they are, where
// repo-add 6 doubles backslashes and escapes letters beyond ASCII. Deltas are not implemented. Signing, and
// verifying the signatures of packages, is the caller's.
package repo

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/version"
)

// Options choose how a database is changed. The zero value is what repo-add
// does without flags.
type Options struct {
	Workers          int  // packages read at once; default 2
	OnlyNew          bool // leave a package alone whose very version is there
	PreventDowngrade bool // leave a package alone that is there in a newer version
	RemoveOld        bool // delete the archives of replaced and removed entries
	NoMD5            bool // leave %MD5SUM% out, as pacman 6.1 and later do

	// Sign, if set, is called with the path of a finished database and puts a
	// detached binary signature beside it, at path + ".sig".
	Sign func(ctx context.Context, path string) error

	// Time is the modification time of the entries; zero is 1970, so that the
	// same packages give the same bytes.
	Time time.Time
}

// Result says what was changed.
type Result struct {
	Added   []*desc.Package // new entries
	Removed []string        // entries that went: replaced ("acl-2.3.1-1") or removed ones
	Skipped []Skip          // packages that were left alone, and why
}

// Skip is a package that an option kept out.
type Skip struct{ Path, Entry, Why string }

// Why a change is refused.
var (
	ErrLocked    = errors.New("the database is locked")
	ErrName      = errors.New("not the name of a database (NAME.db.tar.gz, NAME.db.tar.zst or NAME.db.tar)")
	ErrNotFound  = errors.New("the database has no such package")
	ErrSignature = errors.New("not a detached binary signature")
)

// Error says which change of which database failed.
type Error struct {
	Op  string
	DB  string
	Err error
}

func (e *Error) Error() string { return fmt.Sprintf("%s database %s: %v", e.Op, e.DB, e.Err) }

func (e *Error) Unwrap() error { return e.Err }

// Hint says what to do about it.
func (e *Error) Hint() string {
	var inner interface{ Hint() string }
	if errors.As(e.Err, &inner) {
		return inner.Hint()
	}
	return ""
}

// ExitCode follows the class of the error.
func (e *Error) ExitCode() int {
	var inner interface{ ExitCode() int }
	switch {
	case errors.Is(e.Err, ErrLocked):
		return 10
	case errors.Is(e.Err, ErrNotFound):
		return 4
	case errors.Is(e.Err, ErrName):
		return 2
	case errors.Is(e.Err, ErrSignature):
		return 5
	case errors.As(e.Err, &inner):
		return inner.ExitCode()
	}
	return 1
}

// Add puts the package archives at the given paths into the database at
// dbPath, which is made if there is none. Entries of the same name are
// replaced. A signature beside an archive (".sig") becomes part of its entry.
// If one package cannot be read, nothing is changed.
func Add(ctx context.Context, dbPath string, packages []string, opt Options) (Result, error) {
	var res Result
	err := change(ctx, dbPath, opt, func(db *database) error {
		entries, err := readPackages(ctx, packages, opt)
		if err != nil {
			return err
		}
		for i, e := range entries {
			db.add(packages[i], e, opt, &res)
		}
		return nil
	})
	if err != nil {
		return Result{}, &Error{Op: "add to", DB: dbPath, Err: err}
	}
	return res, nil
}

// Remove takes the packages of the given names out of the database at dbPath.
// If one of them is not there, nothing is changed.
func Remove(ctx context.Context, dbPath string, names []string, opt Options) (Result, error) {
	var res Result
	err := change(ctx, dbPath, opt, func(db *database) error {
		for _, name := range names {
			if len(db.named(name)) == 0 {
				return fmt.Errorf("%s: %w", name, ErrNotFound)
			}
			db.drop(name, &res)
		}
		return nil
	})
	if err != nil {
		return Result{}, &Error{Op: "remove from", DB: dbPath, Err: err}
	}
	return res, nil
}

// change holds the lock while it reads the databases, changes them and puts
// the new ones in place.
func change(ctx context.Context, dbPath string, opt Options, do func(*database) error) error {
	at, err := locate(dbPath)
	if err != nil {
		return err
	}
	unlock, err := lock(dbPath + ".lck")
	if err != nil {
		return err
	}
	defer unlock()
	db, err := load(at)
	if err != nil {
		return err
	}
	if err := do(db); err != nil {
		return err
	}
	if err := db.store(ctx, at, opt); err != nil {
		return err
	}
	if opt.RemoveOld {
		return db.removeArchives(at.dir)
	}
	return nil
}

// location is where the files of a database are.
type location struct {
	dir, name, suffix string // "/srv/repo", "core", "tar.gz"
}

func locate(dbPath string) (location, error) {
	base := filepath.Base(dbPath)
	i := strings.LastIndex(base, ".db.")
	if i <= 0 {
		return location{}, ErrName
	}
	at := location{filepath.Dir(dbPath), base[:i], base[i+len(".db."):]}
	switch at.suffix {
	case "tar", "tar.gz", "tar.zst":
		return at, nil
	}
	return location{}, ErrName
}

// file is the path of the database of a kind, "db" or "files".
func (at location) file(kind string) string {
	return filepath.Join(at.dir, at.name+"."+kind+"."+at.suffix)
}

// record is what the database holds of one package.
type record struct {
	entry   string            // "acl-2.3.1-2"
	db      map[string][]byte // desc, and depends in old databases
	files   map[string][]byte // the same with files
	archive string            // file name of the package
}

// database is the content of both databases.
type database struct {
	records map[string]*record          // by entry
	byName  map[string]map[*record]bool // more than one only if something else spoilt it
	gone    []string                    // file names of archives that entries had
}

func newDatabase() *database {
	return &database{records: make(map[string]*record), byName: make(map[string]map[*record]bool)}
}

// keep puts a record in.
func (db *database) keep(r *record) {
	name, _, _ := desc.SplitEntry(r.entry)
	db.records[r.entry] = r
	if db.byName[name] == nil {
		db.byName[name] = make(map[*record]bool)
	}
	db.byName[name][r] = true
}

// named returns the records of a package.
func (db *database) named(name string) []*record {
	var list []*record
	for r := range db.byName[name] {
		list = append(list, r)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].entry < list[j].entry })
	return list
}

func (db *database) drop(name string, res *Result) {
	for _, r := range db.named(name) {
		delete(db.records, r.entry)
		res.Removed = append(res.Removed, r.entry)
		if r.archive != "" {
			db.gone = append(db.gone, r.archive)
		}
	}
	delete(db.byName, name)
}

func (db *database) add(path string, e *newEntry, opt Options, res *Result) {
	name := e.p.Entry()
	if opt.OnlyNew && db.records[name] != nil {
		res.Skipped = append(res.Skipped, Skip{path, name, "this version is in the database"})
		return
	}
	if opt.PreventDowngrade {
		for _, old := range db.named(e.p.Name) {
			if _, v, _ := desc.SplitEntry(old.entry); version.Compare(v, e.p.Version) > 0 {
				res.Skipped = append(res.Skipped, Skip{path, name, "the database has the newer " + old.entry})
				return
			}
		}
	}
	db.drop(e.p.Name, res)
	db.keep(&record{
		entry:   name,
		db:      map[string][]byte{"desc": e.desc},
		files:   map[string][]byte{"desc": e.desc, "files": e.files},
		archive: e.p.Filename,
	})
	res.Added = append(res.Added, e.p)
}
