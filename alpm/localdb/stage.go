// SPDX-License-Identifier: GPL-3.0-or-later

package localdb

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/rastos/rastos/alpm/desc"
)

// stageSuffix names the directory beside the database that holds the entries
// of a transaction that is to be carried out.
const stageSuffix = ".stage"

// entryFiles are the files of an entry besides desc, in the order in which they
// are put in.
func entryFiles() []string { return []string{"files", "mtree", "install", "changelog"} }

func (db *DB) staged(entry string) string { return filepath.Join(db.dir+stageSuffix, entry) }

func (db *DB) step(what string) error {
	if db.opt.Step == nil {
		return nil
	}
	return db.opt.Step("database " + what)
}

// Stage writes the entry of a package beside the database, for a later Commit.
// It is not flushed. extra is that of Add. Entries of different packages may be
// staged at once.
func (db *DB) Stage(p *desc.Package, extra map[string][]byte) error {
	files, err := encode(p, extra)
	if err == nil {
		err = db.step("stage")
	}
	if err == nil {
		err = os.MkdirAll(db.staged(p.Entry()), 0o755)
	}
	for _, name := range sortedNames(files) {
		if err == nil {
			err = db.writeFile(filepath.Join(db.staged(p.Entry()), name), files[name])
		}
	}
	if err != nil {
		return &Error{Op: "stage " + p.Name, Path: db.dir, Err: err}
	}
	return nil
}

// Staged reads the entry of a package with its files: the staged one, or where
// that was committed already, the database's own. With neither the error is
// ErrNotFound.
func (db *DB) Staged(entry string) (*desc.Package, error) {
	p := new(desc.Package)
	var decoder desc.Decoder
	for _, dir := range []string{db.staged(entry), filepath.Join(db.dir, entry)} {
		data, err := readFile(filepath.Join(dir, "desc"), maxDesc)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = placed(entry, decoder.Local(p, string(data)))
		}
		if err == nil {
			// Of the same version, single files may be in the database already.
			data, err = readFile(filepath.Join(dir, "files"), maxFiles)
			if errors.Is(err, fs.ErrNotExist) {
				data, err = readFile(filepath.Join(db.dir, entry, "files"), maxFiles)
			}
		}
		if err == nil {
			err = placed(entry, desc.DecodeFiles(data, p))
		}
		if err != nil {
			return nil, &Error{Op: "read the staged entry " + entry, Path: db.dir, Err: err}
		}
		return p, nil
	}
	return nil, &Error{Op: "read the staged entry " + entry, Path: db.dir, Err: ErrNotFound}
}

// Commit puts the staged entry of p into the database, with the extra files of
// these names, and removes that of an older version. Done a second time, also
// after a cut in the middle, it comes to the same end; at no time is the
// package missing. The caller flushes.
func (db *DB) Commit(p *desc.Package, old string, extra []string) error {
	return db.change("commit "+p.Name, func() error {
		if err := db.commit(p.Entry(), extra); err != nil {
			return err
		}
		if old != "" && old != p.Version {
			prior := desc.Package{Name: p.Name, Version: old}
			if err := db.vanish(prior.Entry()); err != nil {
				return err
			}
		}
		db.keep(p)
		return nil
	})
}

func (db *DB) commit(entry string, extra []string) error {
	from, to := db.staged(entry), filepath.Join(db.dir, entry)
	if _, err := os.Lstat(from); errors.Is(err, fs.ErrNotExist) {
		_, err = os.Lstat(to)
		return err // committed before
	} else if err != nil {
		return err
	}
	if err := db.step("commit"); err != nil {
		return err
	}
	err := os.Rename(from, to)
	if err == nil || !errors.Is(err, fs.ErrExist) {
		return err
	}
	for _, name := range append(entryFiles(), "desc") {
		if err := db.step("commit " + name); err != nil {
			return err
		}
		err := os.Rename(filepath.Join(from, name), filepath.Join(to, name))
		if errors.Is(err, fs.ErrNotExist) && !slices.Contains(append(extra, "files", "desc"), name) {
			err = os.Remove(filepath.Join(to, name)) // the new one has none
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return os.RemoveAll(from)
}

// Drop removes the entry of a package of exactly this version, if it is there.
// The caller flushes.
func (db *DB) Drop(name, version string) error {
	return db.change("remove "+name, func() error {
		gone := desc.Package{Name: name, Version: version}
		if err := db.vanish(gone.Entry()); err != nil {
			return err
		}
		if p := db.packages[name]; p != nil && p.Version == version {
			delete(db.packages, name)
			db.sorted = nil
		}
		return nil
	})
}

// vanish removes an entry in one moment, without flushing.
func (db *DB) vanish(entry string) error {
	if _, err := os.Lstat(filepath.Join(db.dir, entry)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := db.step("remove"); err != nil {
		return err
	}
	work, err := db.workDir()
	if err != nil {
		return err
	}
	defer db.dropWork(work)
	return os.Rename(filepath.Join(db.dir, entry), filepath.Join(work, entry))
}

// Unstage removes what is staged and was not committed.
func (db *DB) Unstage() error { return os.RemoveAll(db.dir + stageSuffix) }

// Reconcile removes the entry of the old version where that of the new one is
// committed already: a cut may come between the two. It is for a database that
// is not open, since Open would have to guess which of them counts.
func Reconcile(dir, entry, old string) error {
	db := &DB{dir: dir}
	if err := db.resolve(); err != nil || entry == old {
		return err
	}
	if _, err := os.Lstat(db.staged(entry)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, err := os.Lstat(filepath.Join(db.dir, entry, "desc")); err != nil {
		return nil
	}
	return db.vanish(old)
}

// StagedInstall returns the scriptlets of a package that is staged, or nil if
// it has none.
func (db *DB) StagedInstall(p *desc.Package) ([]byte, error) {
	data, err := readFile(filepath.Join(db.staged(p.Entry()), "install"), maxDesc)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, &Error{Op: "read the staged scriptlets of " + p.Name, Path: db.dir, Err: err}
	}
	return data, nil
}
