// SPDX-License-Identifier: GPL-3.0-or-later

// Package localdb reads and writes the database of installed packages: a
// directory with ALPM_DB_VERSION and one directory for each package,
// "name-version-release/", that holds desc, files, mtree (gzip) and perhaps
// install and changelog.
//
// Version 9 is implemented, which libalpm has written since 4.2; older
// databases are refused. Locking (db.lck) is not done here: it belongs to the
// transaction. Fields of desc that alpm/desc does not know are lost when a
// package is written again.
//
// The format is alpm-db(7) and what libalpm does, which the tests compare with.
package localdb

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"

	"github.com/rastos/rastos/alpm/desc"
)

// Version is the database version that is read and written, VersionFile the
// file in it that tells it.
const (
	Version     = "9"
	VersionFile = "ALPM_DB_VERSION"
)

// Limits of what is read into memory from one file.
const (
	maxDesc  = 16 << 20
	maxFiles = 512 << 20
)

// Why a database or a change of it is refused.
var (
	ErrVersion  = errors.New("not version " + Version)
	ErrExists   = errors.New("the package is installed already")
	ErrNotFound = errors.New("the package is not installed")
	ErrExtra    = errors.New("not a file of a database entry")
)

// Error says what of which database failed.
type Error struct {
	Op   string // "read", "add foo", …
	Path string
	Err  error
}

func (e *Error) Error() string {
	return fmt.Sprintf("local database %s: %s: %v", e.Path, e.Op, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// Hint says what to do about it.
func (e *Error) Hint() string {
	if errors.Is(e.Err, ErrVersion) {
		return "run pacman-db-upgrade on it"
	}
	return ""
}

// ExitCode follows the class of the error.
func (e *Error) ExitCode() int {
	var record *desc.Error
	switch {
	case errors.Is(e.Err, ErrNotFound):
		return 4
	case errors.As(e.Err, &record):
		return 5
	case errors.Is(e.Err, fs.ErrPermission):
		return 8
	}
	return 1
}

// Options choose how changes are written.
type Options struct {
	// Fast leaves out what keeps a change whole through a crash: the
	// temporary directory, its rename and every fsync. It is for roots that
	// are thrown away if anything fails.
	Fast bool
	// Late leaves the flushing to the caller, who has a journal; changes are
	// whole all the same.
	Late bool
	// Step, where it is set, is called before changes that Stage, Commit and
	// Drop make on the disk and may fail them; tests stop there.
	Step func(what string) error
}

// DB is the database of one root. Its methods may be called from several
// goroutines. The packages that it gives out must not be changed, but for
// LoadFiles.
type DB struct {
	dir string
	opt Options

	mu       sync.RWMutex
	packages map[string]*desc.Package
	sorted   []*desc.Package // nil when it must be made again
	stale    []string        // entries that an interrupted update left behind
	prepared bool            // for writing
}

// Open reads the database in dir ("…/local"), for writing that survives a
// crash. A directory that does not exist is an empty database; the first
// change creates it.
func Open(dir string) (*DB, error) { return OpenWith(dir, Options{}) }

// OpenWith is Open with options.
func OpenWith(dir string, opt Options) (*DB, error) {
	db := &DB{dir: dir, opt: opt, packages: make(map[string]*desc.Package)}
	if err := db.load(); err != nil {
		return nil, &Error{Op: "read", Path: dir, Err: err}
	}
	return db, nil
}

// Dir is the directory of the database.
func (db *DB) Dir() string { return db.dir }

func (db *DB) load() error {
	if err := db.resolve(); err != nil {
		return err
	}
	names, err := readDirNames(db.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return db.loadAll(names)
}

// resolve finds where the database really is.
func (db *DB) resolve() error {
	// Written through a link, the temporary directory must be beside the
	// target: beside the link may be another file system.
	if target, err := os.Readlink(db.dir); err == nil { // may not exist yet
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(db.dir), target)
		}
		db.dir = target
	}
	real, err := filepath.EvalSymlinks(db.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		db.dir = real
	}
	return err
}

func (db *DB) loadAll(names []string) error {
	entries := names[:0]
	for _, name := range names {
		if name != VersionFile {
			entries = append(entries, name)
		}
	}
	if err := db.checkVersion(len(entries) == 0); err != nil {
		return err
	}
	var decoder desc.Decoder
	for _, entry := range entries {
		if err := db.loadEntry(&decoder, entry); err != nil {
			return err
		}
	}
	return nil
}

func (db *DB) checkVersion(empty bool) error {
	data, err := readFile(filepath.Join(db.dir, VersionFile), 64)
	if errors.Is(err, fs.ErrNotExist) {
		if empty {
			return nil
		}
		return fmt.Errorf("%w: it has no %s", ErrVersion, VersionFile)
	}
	if err != nil {
		return err
	}
	if v := strings.TrimSpace(string(data)); v != Version {
		return fmt.Errorf("%w but %q", ErrVersion, v)
	}
	return nil
}

func (db *DB) loadEntry(decoder *desc.Decoder, entry string) error {
	name, version, ok := desc.SplitEntry(entry)
	if !ok {
		// pacman passes over plain files and complains of directories.
		if st, err := os.Stat(filepath.Join(db.dir, entry)); err == nil && st.IsDir() {
			return &desc.Error{DB: "local", Entry: entry, Err: desc.ErrName}
		}
		return nil
	}
	data, err := readFile(filepath.Join(db.dir, entry, "desc"), maxDesc)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errNotDir) {
		if st, serr := os.Stat(filepath.Join(db.dir, entry)); serr == nil && !st.IsDir() {
			return nil
		}
		return &desc.Error{DB: "local", Entry: entry, File: "desc", Err: desc.ErrMissing}
	}
	if err != nil {
		return err
	}
	p := new(desc.Package)
	if err := placed(entry, decoder.Local(p, string(data))); err != nil {
		return err
	}
	if p.Name != name || p.Version != version {
		return &desc.Error{DB: "local", Entry: entry, File: "desc", Value: p.Entry(), Err: desc.ErrMismatch}
	}
	if other := db.packages[name]; other != nil {
		// An update was cut off between its two renames: the later install counts.
		if other.InstallDate > p.InstallDate {
			p, other = other, p
		}
		db.stale = append(db.stale, other.Entry())
	}
	db.packages[name] = p
	return nil
}

func placed(entry string, err error) error {
	var e *desc.Error
	if errors.As(err, &e) {
		e.DB, e.Entry = "local", entry
	}
	return err
}

// Packages returns the installed packages, sorted by name.
func (db *DB) Packages() []*desc.Package {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.sorted == nil {
		db.sorted = make([]*desc.Package, 0, len(db.packages))
		for _, p := range db.packages {
			db.sorted = append(db.sorted, p)
		}
		sort.Slice(db.sorted, func(i, j int) bool { return db.sorted[i].Name < db.sorted[j].Name })
	}
	return append([]*desc.Package(nil), db.sorted...)
}

// Package returns the installed package of that name, or nil.
func (db *DB) Package(name string) *desc.Package {
	db.mu.RLock()
	defer db.mu.RUnlock()
	return db.packages[name]
}

// Stale names the entries that an interrupted update left behind; the next
// change removes them.
func (db *DB) Stale() []string {
	db.mu.RLock()
	defer db.mu.RUnlock()
	return append([]string(nil), db.stale...)
}

// LoadFiles fills in p.Files and p.Backup, which Open leaves unread. Calls for
// one package must not overlap.
func (db *DB) LoadFiles(p *desc.Package) error {
	if p.Files != nil || p.Backup != nil {
		return nil
	}
	data, err := readFile(filepath.Join(db.dir, p.Entry(), "files"), maxFiles)
	if errors.Is(err, fs.ErrNotExist) { // a package without files need not have one
		return nil
	}
	if err == nil {
		err = placed(p.Entry(), desc.DecodeFiles(data, p))
	}
	if err != nil {
		return &Error{Op: "read the file list of " + p.Name, Path: db.dir, Err: err}
	}
	return nil
}

// Install returns the scriptlets of p, or nil if it has none.
func (db *DB) Install(p *desc.Package) ([]byte, error) { return db.extra(p, "install", maxDesc) }

// Mtree returns the packed mtree of p, or nil if it has none. alpm/mtree
// reads it.
func (db *DB) Mtree(p *desc.Package) ([]byte, error) { return db.extra(p, "mtree", maxFiles) }

// Changelog returns the changelog of p, or nil if it has none.
func (db *DB) Changelog(p *desc.Package) ([]byte, error) { return db.extra(p, "changelog", maxFiles) }

func (db *DB) extra(p *desc.Package, name string, limit int64) ([]byte, error) {
	data, err := readFile(filepath.Join(db.dir, p.Entry(), name), limit)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, &Error{Op: "read " + name + " of " + p.Name, Path: db.dir, Err: err}
	}
	return data, nil
}

func readDirNames(dir string) ([]string, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	sort.Strings(names)
	return names, err
}

func readFile(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var size int64
	if st, err := f.Stat(); err == nil {
		size = st.Size()
	}
	if size > limit {
		return nil, fmt.Errorf("read %s: larger than %d bytes", path, limit)
	}
	data := make([]byte, 0, size+1)
	for {
		n, err := f.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		if err == io.EOF {
			return data, nil
		}
		if err != nil {
			return nil, err
		}
		if int64(len(data)) > limit {
			return nil, fmt.Errorf("read %s: larger than %d bytes", path, limit)
		}
		if len(data) == cap(data) {
			data = append(data, 0)[:len(data)]
		}
	}
}
