// SPDX-License-Identifier: GPL-3.0-or-later

package localdb

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"syscall"
	"time"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/mtree"
)

const errNotDir = syscall.ENOTDIR

// workSuffix names the directory beside the database where entries are made.
// It is not inside, where pacman would take it for a broken entry.
const workSuffix = ".new"

// Add writes the entry of a newly installed package: desc and files from p,
// and extra files by name: "mtree" (gzip), "install", "changelog". The last two
// get the times that the mtree has for them, since pacman -Qkk compares.
func (db *DB) Add(p *desc.Package, extra map[string][]byte) error {
	return db.change("add "+p.Name, func() error {
		if db.packages[p.Name] != nil {
			return ErrExists
		}
		files, err := encode(p, extra)
		if err != nil {
			return err
		}
		if err := db.create(p.Entry(), files); err != nil {
			return err
		}
		db.keep(p)
		return nil
	})
}

// Update puts p in the place of the installed package of that name. With
// another version, the new entry is there before the old one goes; with the
// same, file after file is replaced. At no time is the package missing.
func (db *DB) Update(p *desc.Package, extra map[string][]byte) error {
	return db.change("update "+p.Name, func() error {
		old := db.packages[p.Name]
		if old == nil {
			return ErrNotFound
		}
		files, err := encode(p, extra)
		if err != nil {
			return err
		}
		if old.Version == p.Version {
			err = db.overwrite(p.Entry(), files, true)
		} else if err = db.create(p.Entry(), files); err == nil {
			err = db.delete(old.Entry())
		}
		if err != nil {
			return err
		}
		db.keep(p)
		return nil
	})
}

// Remove deletes the entry of a package.
func (db *DB) Remove(name string) error {
	return db.change("remove "+name, func() error {
		p := db.packages[name]
		if p == nil {
			return ErrNotFound
		}
		if err := db.delete(p.Entry()); err != nil {
			return err
		}
		delete(db.packages, name)
		db.sorted = nil
		return nil
	})
}

// SetReason changes why a package counts as installed.
func (db *DB) SetReason(name string, reason desc.Reason) error {
	return db.change("set the reason of "+name, func() error {
		old := db.packages[name]
		if old == nil {
			return ErrNotFound
		}
		if old.Reason == reason {
			return nil
		}
		p := *old // others may be looking at the old one
		p.Reason = reason
		data, err := desc.EncodeLocal(&p)
		if err != nil {
			return err
		}
		if err := db.overwrite(p.Entry(), map[string]content{"desc": {data: data}}, false); err != nil {
			return err
		}
		db.keep(&p)
		return nil
	})
}

func (db *DB) keep(p *desc.Package) {
	db.packages[p.Name] = p
	db.sorted = nil
}

// change runs one change under the lock, after making the database ready.
func (db *DB) change(op string, do func() error) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	err := db.prepare()
	if err == nil {
		err = do()
	}
	if err != nil {
		return &Error{Op: op, Path: db.dir, Err: err}
	}
	return nil
}

// prepare creates the database if there is none, and clears away what an
// interrupted change left.
func (db *DB) prepare() error {
	if db.prepared {
		return nil
	}
	if err := os.MkdirAll(db.dir, 0o755); err != nil {
		return err
	}
	version := filepath.Join(db.dir, VersionFile)
	if _, err := os.Lstat(version); errors.Is(err, fs.ErrNotExist) {
		if err := db.replaceFile(version, content{data: []byte(Version + "\n")}); err != nil {
			return err
		}
		if db.flushes() {
			if err := errors.Join(syncDir(db.dir), syncDir(filepath.Dir(db.dir))); err != nil {
				return err
			}
		}
	} else if err != nil {
		return err
	}
	if err := os.RemoveAll(db.dir + workSuffix); err != nil {
		return err
	}
	for _, entry := range db.stale {
		if err := db.delete(entry); err != nil {
			return err
		}
	}
	db.stale = nil
	db.prepared = true
	return nil
}

// content is one file of an entry.
type content struct {
	data []byte
	time time.Time // zero for now
}

func encode(p *desc.Package, extra map[string][]byte) (map[string]content, error) {
	files := make(map[string]content, len(extra)+2)
	for name, data := range extra {
		switch name {
		case "mtree", "install", "changelog":
			files[name] = content{data: data}
		default:
			return nil, fmt.Errorf("%q: %w", name, ErrExtra)
		}
	}
	setTimes(files)
	data, err := desc.EncodeLocal(p)
	if err != nil {
		return nil, placed(p.Entry(), err)
	}
	files["desc"] = content{data: data}
	if data, err = desc.EncodeFiles(p); err != nil {
		return nil, placed(p.Entry(), err)
	}
	files["files"] = content{data: data}
	return files, nil
}

// setTimes gives install and changelog the times of .INSTALL and .CHANGELOG.
func setTimes(files map[string]content) {
	wanted := make(map[string]string, 2)
	for name, file := range map[string]string{"install": ".INSTALL", "changelog": ".CHANGELOG"} {
		if _, ok := files[name]; ok {
			wanted[file] = name
		}
	}
	if len(wanted) == 0 {
		return
	}
	// They stand near its start. An mtree that cannot be read is kept as it
	// is; whoever verifies the package will say so.
	_ = mtree.Walk(bytes.NewReader(files["mtree"].data), func(e mtree.Entry) bool {
		if name, ok := wanted[e.Path]; ok {
			f := files[name]
			f.time = time.Unix(e.Sec, e.Nsec)
			files[name] = f
			delete(wanted, e.Path)
		}
		return len(wanted) > 0
	})
}

// create makes a new entry, which appears at once and whole unless Fast.
func (db *DB) create(entry string, files map[string]content) error {
	final := filepath.Join(db.dir, entry)
	if db.opt.Fast {
		if err := os.Mkdir(final, 0o755); err != nil {
			return err
		}
		return db.writeAll(final, files)
	}
	work, err := db.workDir()
	if err != nil {
		return err
	}
	defer db.dropWork(work)
	made := filepath.Join(work, entry)
	if err := os.Mkdir(made, 0o755); err != nil {
		return err
	}
	if err := db.writeAll(made, files); err != nil {
		return err
	}
	if err := syncDir(made); err != nil {
		return err
	}
	if err := os.Rename(made, final); err != nil {
		return err
	}
	return syncDir(db.dir)
}

func (db *DB) writeAll(dir string, files map[string]content) error {
	for _, name := range sortedNames(files) {
		if err := db.writeFile(filepath.Join(dir, name), files[name]); err != nil {
			return err
		}
	}
	return nil
}

func sortedNames(files map[string]content) []string {
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// overwrite replaces files of an existing entry one by one; with all, those
// that are not given go. desc comes last: it is what makes the change count.
func (db *DB) overwrite(entry string, files map[string]content, all bool) error {
	dir := filepath.Join(db.dir, entry)
	for _, name := range sortedNames(files) {
		if name == "desc" {
			continue
		}
		if err := db.replaceFile(filepath.Join(dir, name), files[name]); err != nil {
			return err
		}
	}
	if err := db.replaceFile(filepath.Join(dir, "desc"), files["desc"]); err != nil {
		return err
	}
	if all {
		for _, name := range []string{"mtree", "install", "changelog"} {
			if _, given := files[name]; given {
				continue
			}
			if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	if db.opt.Fast {
		return nil
	}
	return syncDir(dir)
}

// delete removes an entry, which disappears at once unless Fast.
func (db *DB) delete(entry string) error {
	final := filepath.Join(db.dir, entry)
	if db.opt.Fast {
		return os.RemoveAll(final)
	}
	work, err := db.workDir()
	if err != nil {
		return err
	}
	defer db.dropWork(work)
	if err := os.Rename(final, filepath.Join(work, entry)); err != nil {
		return err
	}
	return syncDir(db.dir)
}

func (db *DB) workDir() (string, error) {
	if err := os.Mkdir(db.dir+workSuffix, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	return os.MkdirTemp(db.dir+workSuffix, "entry-")
}

// dropWork leaves nothing behind; what it cannot remove, prepare removes
// another time.
func (db *DB) dropWork(work string) {
	_ = os.RemoveAll(work)
	_ = os.Remove(db.dir + workSuffix)
}

func (db *DB) writeFile(path string, c content) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(c.data)
	if err == nil && !c.time.IsZero() {
		err = os.Chtimes(path, c.time, c.time)
	}
	if err == nil && db.flushes() {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// replaceFile puts a whole new file in the place of another. The caller syncs
// the directory.
func (db *DB) replaceFile(path string, c content) error {
	temp := path + workSuffix
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := db.writeFile(temp, c); err != nil {
		return err
	}
	return os.Rename(temp, path)
}

// flushes tells whether every change is to last at once.
func (db *DB) flushes() bool { return !db.opt.Fast && !db.opt.Late }

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	return nil
}
