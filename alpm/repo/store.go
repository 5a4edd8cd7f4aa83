// SPDX-License-Identifier: GPL-3.0-or-later

package repo

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/sync/errgroup"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/pkgfile"
)

const maxRecord = 64 << 20

// load reads both databases; what does not exist is empty.
func load(at location) (*database, error) {
	db := newDatabase()
	for _, kind := range []string{"db", "files"} {
		f, err := os.Open(at.file(kind))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("open %s: %w", kind, err)
		}
		err = db.read(f, kind)
		_ = f.Close() // only read from
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", at.file(kind), err)
		}
	}
	return db, db.settle()
}

// settle finds the archive of each entry, once both databases are read.
func (db *database) settle() error {
	for entry, r := range db.records {
		if len(r.db) == 0 { // a leftover of the files database
			delete(db.records, entry)
			name, _, _ := desc.SplitEntry(entry)
			delete(db.byName[name], r)
			continue
		}
		p, err := desc.DecodeSync(r.db["desc"])
		if err != nil {
			return fmt.Errorf("entry %s: %w", entry, err)
		}
		r.archive = p.Filename
	}
	return nil
}

func (db *database) read(f io.Reader, kind string) error {
	rd, err := pkgfile.NewReader(f, pkgfile.Limits{})
	if err != nil {
		return err
	}
	defer rd.Close()
	for {
		h, err := rd.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		entry, name, ok := strings.Cut(strings.TrimPrefix(h.Name, "./"), "/")
		if h.Typeflag != tar.TypeReg || !ok || strings.Contains(name, "/") {
			continue
		}
		if _, _, ok := desc.SplitEntry(entry); !ok {
			return fmt.Errorf("entry %q: %w", entry, desc.ErrName)
		}
		if h.Size > maxRecord {
			return fmt.Errorf("entry %q: %w", h.Name, pkgfile.ErrTooLarge)
		}
		data, err := io.ReadAll(rd)
		if err != nil {
			return err
		}
		r := db.records[entry]
		if r == nil {
			r = &record{entry: entry, db: make(map[string][]byte), files: make(map[string][]byte)}
			db.keep(r)
		}
		if kind == "db" {
			r.db[name] = data
		} else {
			r.files[name] = data
		}
	}
}

// store writes both databases beside the old ones, signs them, and only then
// puts them in place.
func (db *database) store(ctx context.Context, at location, opt Options) error {
	kinds := []string{"db", "files"}
	temp := func(kind string) string {
		return filepath.Join(at.dir, ".tmp."+filepath.Base(at.file(kind)))
	}
	defer func() { // what was renamed is no longer there
		for _, kind := range kinds {
			_ = os.Remove(temp(kind))
			_ = os.Remove(temp(kind) + ".sig")
		}
	}()
	group, gctx := errgroup.WithContext(ctx)
	for _, kind := range kinds {
		group.Go(func() error {
			_ = os.Remove(temp(kind) + ".sig") // of a run that was killed
			return db.writeFile(gctx, temp(kind), kind, at.suffix, opt.Time)
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if opt.Sign != nil {
		for _, kind := range kinds {
			if err := opt.Sign(ctx, temp(kind)); err != nil {
				return fmt.Errorf("sign %s: %w", filepath.Base(at.file(kind)), err)
			}
			if _, err := os.Stat(temp(kind) + ".sig"); err != nil {
				return fmt.Errorf("sign %s: the signature is not there: %w", filepath.Base(at.file(kind)), err)
			}
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, kind := range kinds {
		if err := install(temp(kind), at.file(kind)); err != nil {
			return err
		}
	}
	return syncDir(at.dir)
}

func (db *database) writeFile(ctx context.Context, path, kind, suffix string, when time.Time) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return fmt.Errorf("create database: %w", err)
	}
	buf := bufio.NewWriterSize(f, 256<<10)
	err = db.encode(ctx, buf, kind, suffix, when)
	if err == nil {
		err = buf.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("write database %s: %w", path, err)
	}
	return nil
}

func (db *database) encode(ctx context.Context, w io.Writer, kind, suffix string, when time.Time) error {
	var z io.WriteCloser
	switch suffix {
	case "tar.gz":
		z = gzip.NewWriter(w)
	case "tar.zst":
		enc, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
		if err != nil {
			return err
		}
		z = enc
	}
	out := w
	if z != nil {
		out = z
	}
	t := tar.NewWriter(out)
	entries := make([]string, 0, len(db.records))
	for entry := range db.records {
		entries = append(entries, entry)
	}
	sort.Strings(entries)
	if when.IsZero() {
		when = time.Unix(0, 0)
	}
	for _, entry := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		files := db.records[entry].db
		if kind == "files" {
			files = db.records[entry].inFiles()
		}
		if err := writeRecord(t, entry, files, when.Truncate(time.Second)); err != nil {
			return fmt.Errorf("entry %s: %w", entry, err)
		}
	}
	if err := t.Close(); err != nil {
		return err
	}
	if z != nil {
		return z.Close()
	}
	return nil
}

// inFiles is the record as the files database has it. A package added before
// there was a files database has no list there.
func (r *record) inFiles() map[string][]byte {
	if len(r.files) > 0 {
		return r.files
	}
	return r.db
}

func writeRecord(t *tar.Writer, entry string, files map[string][]byte, when time.Time) error {
	head := tar.Header{Typeflag: tar.TypeDir, Name: entry + "/", Mode: 0o755, ModTime: when, Uname: "root", Gname: "root"}
	if err := t.WriteHeader(&head); err != nil {
		return err
	}
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		head := tar.Header{
			Typeflag: tar.TypeReg, Name: entry + "/" + name, Mode: 0o644, Size: int64(len(files[name])),
			ModTime: when, Uname: "root", Gname: "root",
		}
		if err := t.WriteHeader(&head); err != nil {
			return err
		}
		if _, err := t.Write(files[name]); err != nil {
			return err
		}
	}
	return nil
}

// install puts a finished database, its signature and the short links in
// place, and keeps the one before as ".old".
func install(temp, final string) error {
	if err := backup(final, final+".old"); err != nil {
		return err
	}
	if err := backup(final+".sig", final+".old.sig"); err != nil {
		return err
	}
	if err := os.Rename(temp, final); err != nil {
		return fmt.Errorf("put the database in place: %w", err)
	}
	link := final[:strings.LastIndex(final, ".tar")]
	if err := relink(filepath.Base(final), link); err != nil {
		return err
	}
	err := os.Rename(temp+".sig", final+".sig")
	if errors.Is(err, fs.ErrNotExist) { // not signed: an older signature would be wrong
		return errors.Join(removeIfThere(final+".sig"), removeIfThere(link+".sig"))
	}
	if err != nil {
		return fmt.Errorf("put the signature in place: %w", err)
	}
	return relink(filepath.Base(final)+".sig", link+".sig")
}

// backup makes old another name of the file, or removes it if there is none.
func backup(file, old string) error {
	if err := removeIfThere(old); err != nil {
		return err
	}
	err := os.Link(file, old)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := os.Rename(file, old); err != nil { // a file system without hard links
		return fmt.Errorf("keep the database before: %w", err)
	}
	return nil
}

// relink makes path a link to target in the same directory, at once.
func relink(target, path string) error {
	if now, err := os.Readlink(path); err == nil && now == target {
		return nil
	}
	temp := filepath.Join(filepath.Dir(path), ".tmp."+filepath.Base(path))
	if err := removeIfThere(temp); err != nil {
		return err
	}
	if err := os.Symlink(target, temp); err != nil {
		return fmt.Errorf("link the database: %w", err)
	}
	if err := os.Rename(temp, path); err != nil {
		return fmt.Errorf("link the database: %w", err)
	}
	return nil
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove: %w", err)
	}
	return nil
}

// removeArchives deletes the archives, with signatures, that no entry has any
// more. The names come from the database and are checked by its decoder.
func (db *database) removeArchives(dir string) error {
	used := make(map[string]bool)
	for _, r := range db.records {
		used[r.archive] = true
	}
	for _, name := range db.gone {
		if used[name] || desc.CheckFilename(name) != nil {
			continue
		}
		for _, path := range []string{filepath.Join(dir, name), filepath.Join(dir, name+".sig")} {
			if err := removeIfThere(path); err != nil {
				return err
			}
		}
	}
	return nil
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync the repository's directory: %w", err)
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	return nil
}
