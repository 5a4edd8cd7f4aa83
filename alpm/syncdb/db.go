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
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/pkgfile"
)

// DB is a database in memory. It is not changed after it was read, and several
// goroutines may ask it at once.
type DB struct {
	Name     string
	Packages []*desc.Package // sorted by name

	once      sync.Once // builds the two indexes below, which few need
	groups    map[string][]*desc.Package
	providers map[string][]*desc.Package
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

// Limits guard against decompression bombs and hostile records. Zero means
// the default.
type Limits struct {
	MaxSize    int64 // bytes after decompression; default 4 GiB
	MaxRecord  int64 // bytes of one file in it; default 64 MiB
	MaxEntries int   // entries of the archive; default 4 million
}

func (l Limits) withDefaults() Limits {
	if l.MaxSize <= 0 {
		l.MaxSize = 4 << 30
	}
	if l.MaxRecord <= 0 {
		l.MaxRecord = 64 << 20
	}
	if l.MaxEntries <= 0 {
		l.MaxEntries = 4 << 20
	}
	return l
}

// Open reads the database at path, whose name is the file's name up to ".db"
// or ".files".
func Open(path string) (*DB, error) {
	name := NameOf(path)
	f, err := os.Open(path)
	if err != nil {
		return nil, &Error{DB: name, Err: err}
	}
	defer f.Close()
	db, err := Parse(f, name)
	var e *Error
	if errors.As(err, &e) {
		e.Path = path
	}
	return db, err
}

// NameOf is the name of the repository whose database is at path.
func NameOf(path string) string {
	name := filepath.Base(path)
	for _, ext := range []string{".db", ".files"} {
		if i := strings.LastIndex(name, ext); i > 0 {
			if rest := name[i+len(ext):]; rest == "" || rest[0] == '.' {
				return name[:i]
			}
		}
	}
	return name
}

// Parse reads a database from r with the default limits.
func Parse(r io.Reader, name string) (*DB, error) { return ParseLimited(r, name, Limits{}) }

// ParseLimited reads a database from r.
func ParseLimited(r io.Reader, name string, lim Limits) (*DB, error) {
	db, err := parse(r, name, lim.withDefaults())
	if err != nil {
		return nil, &Error{DB: name, Err: err}
	}
	return db, nil
}

func parse(r io.Reader, name string, lim Limits) (*DB, error) {
	plain, err := pkgfile.Decompress(r)
	if err != nil {
		return nil, err
	}
	ahead := newReadAhead(plain)
	b := newBuilder(name)
	err = b.read(newScanner(ahead, lim))
	ahead.stop()
	if cerr := plain.Close(); err == nil && cerr != nil {
		err = cerr
	}
	if err != nil {
		return nil, err
	}
	return b.finish()
}

// Package returns the package of that name, or nil.
func (db *DB) Package(name string) *desc.Package {
	i := sort.Search(len(db.Packages), func(i int) bool { return db.Packages[i].Name >= name })
	if i < len(db.Packages) && db.Packages[i].Name == name {
		return db.Packages[i]
	}
	return nil
}

// Group returns the packages that belong to the group, sorted by name.
func (db *DB) Group(name string) []*desc.Package {
	db.once.Do(db.index)
	return db.groups[name]
}

// Groups returns the names of all groups, sorted.
func (db *DB) Groups() []string {
	db.once.Do(db.index)
	names := make([]string, 0, len(db.groups))
	for name := range db.groups {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// Providers returns the packages whose provides name it, whatever the
// version, sorted by name. The package called so is not among them unless it
// also provides itself.
func (db *DB) Providers(name string) []*desc.Package {
	db.once.Do(db.index)
	return db.providers[name]
}

func (db *DB) index() {
	db.groups = make(map[string][]*desc.Package)
	db.providers = make(map[string][]*desc.Package)
	for _, p := range db.Packages {
		for _, g := range p.Groups {
			db.groups[g] = appendNew(db.groups[g], p)
		}
		for _, text := range p.Provides {
			name := desc.ParseDep(text).Name
			db.providers[name] = appendNew(db.providers[name], p)
		}
	}
}

// appendNew keeps a package out that says the same thing twice.
func appendNew(list []*desc.Package, p *desc.Package) []*desc.Package {
	if n := len(list); n > 0 && list[n-1] == p {
		return list
	}
	return append(list, p)
}
