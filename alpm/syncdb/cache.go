// SPDX-License-Identifier: GPL-3.0-or-later

package syncdb

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/rastos/rastos/alpm/desc"
)

// IndexSuffix is what the name of an index adds to that of its database.
const IndexSuffix = ".index"

// minIndexed is the size in bytes of the smallest database that gets an index:
// to parse a smaller one takes about a millisecond.
const minIndexed = 64 << 10

// Options say how a database is opened.
type Options struct {
	// Name is that of the repository; empty: what NameOf says.
	Name string
	// Vouch is asked at every opening whether the bytes of the database may be
	// used: it holds them against a signature. nil: they may.
	Vouch func(io.Reader) error
	// Index uses the index beside the database, and writes it where it can.
	Index bool
}

// errChanged is a database that was written to while it was read.
var errChanged = errors.New("it changed while it was read")

// OpenWith reads the database at path, by its index if that may be trusted.
// An error of Vouch comes back as it is.
func OpenWith(path string, opt Options) (*DB, error) {
	if opt.Name == "" {
		opt.Name = NameOf(path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, &Error{DB: opt.Name, Path: path, Err: err}
	}
	o := &opening{Options: opt, path: path, file: f}
	db, kept, err := o.open()
	if !kept {
		_ = f.Close()
	}
	var own *Error
	if errors.As(err, &own) {
		own.Path = path
	}
	return db, err
}

// opening is one database file that is being opened.
type opening struct {
	Options
	path   string
	file   *os.File
	info   fs.FileInfo
	digest [digestSize]byte
	hashed bool
}

// open reads the database; kept tells that it still needs the file.
func (o *opening) open() (db *DB, kept bool, err error) {
	if o.info, err = o.file.Stat(); err != nil {
		return nil, false, o.wrap(err)
	}
	var ix *index
	var ixFile *os.File
	if o.Index = o.Index && o.info.Size() >= minIndexed; o.Index {
		ix, ixFile = o.findIndex()
	}
	if ix != nil || o.Vouch != nil {
		if err := o.hash(); err != nil {
			closeIf(ixFile)
			return nil, false, err
		}
	}
	if ix != nil && ix.digest == o.digest {
		return &DB{Name: o.Name, packages: make([]*desc.Package, ix.names.len()), index: ix, again: o.again}, true, nil
	}
	closeIf(ixFile)
	db, records, err := o.parse()
	if err == nil && records != nil {
		_ = o.save(records) // who cannot write it does without
	}
	return db, false, err
}

func closeIf(f *os.File) {
	if f != nil {
		_ = f.Close()
	}
}

func (o *opening) wrap(err error) error { return &Error{DB: o.Name, Err: err} }

// hash reads the whole file for its digest, and lets the caller vouch for it.
func (o *opening) hash() error {
	h := sha256.New()
	if _, err := o.file.Seek(0, io.SeekStart); err != nil {
		return o.wrap(err)
	}
	if o.Vouch != nil {
		if err := o.Vouch(io.TeeReader(o.file, h)); err != nil {
			return err
		}
	}
	if _, err := io.CopyBuffer(h, struct{ io.Reader }{o.file}, make([]byte, 256<<10)); err != nil {
		return o.wrap(err)
	}
	o.digest, o.hashed = [digestSize]byte(h.Sum(nil)), true
	return nil
}

// parse reads the database itself. If its digest is known, that must be what
// is read now, too.
func (o *opening) parse() (*DB, []record, error) {
	h := sha256.New()
	if _, err := o.file.Seek(0, io.SeekStart); err != nil {
		return nil, nil, o.wrap(err)
	}
	in := io.TeeReader(o.file, h)
	db, records, err := parse(in, o.Name, Limits{}.withDefaults(), o.Index)
	if err == nil {
		_, err = io.Copy(io.Discard, in)
	}
	if err != nil {
		return nil, nil, o.wrap(err)
	}
	digest := [digestSize]byte(h.Sum(nil))
	if o.hashed && digest != o.digest {
		return nil, nil, o.wrap(errChanged)
	}
	o.digest, o.hashed = digest, true
	return db, records, nil
}

// again parses the database whose index proved damaged, and replaces that.
func (o *opening) again() (*DB, error) {
	defer o.file.Close()
	db, records, err := o.parse()
	if err != nil {
		return nil, err
	}
	if records != nil {
		_ = o.save(records)
	}
	return db, nil
}

// findIndex opens the index if it is one that may be trusted.
func (o *opening) findIndex() (*index, *os.File) {
	// A pipe in its place must not make us wait.
	f, err := os.OpenFile(o.path+IndexSuffix, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil
	}
	info, err := f.Stat()
	if err == nil && !trusted(info, o.info) {
		err = fs.ErrPermission
	}
	if err == nil {
		var ix *index
		if ix, err = newIndex(f, info.Size()); err == nil {
			return ix, f
		}
	}
	_ = f.Close()
	return nil, nil
}

// trusted tells whether only who can write the database could have written the
// index.
func trusted(index, database fs.FileInfo) bool {
	a, ok1 := index.Sys().(*syscall.Stat_t)
	b, ok2 := database.Sys().(*syscall.Stat_t)
	return ok1 && ok2 && index.Mode().IsRegular() && index.Mode()&0o022 == 0 && (a.Uid == b.Uid || a.Uid == 0)
}

// leftover is the age at which an unfinished index is nobody's any more.
const leftover = 10 * time.Minute

// save writes the index, which appears at once and whole.
func (o *opening) save(records []record) (err error) {
	dir, base := filepath.Split(o.path + IndexSuffix)
	f, err := os.CreateTemp(dir, "."+base+".*")
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, f.Close())
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	clearLeftovers(dir, "."+base+".", info.ModTime())
	if !trusted(info, o.info) {
		return fmt.Errorf("write %s: %w", base, fs.ErrPermission)
	}
	if err := writeIndex(f, o.digest, records); err != nil {
		return err
	}
	if err := f.Chmod(o.info.Mode()&0o044 | 0o600); err != nil {
		return err
	}
	return os.Rename(f.Name(), o.path+IndexSuffix)
}

// clearLeftovers removes what writers left that were killed.
func clearLeftovers(dir, prefix string, now time.Time) {
	entries, err := os.ReadDir(filepath.Clean(dir))
	if err != nil {
		return
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), prefix) {
			continue
		}
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() && now.Sub(info.ModTime()) > leftover {
			_ = os.Remove(filepath.Join(dir, e.Name()))
		}
	}
}
