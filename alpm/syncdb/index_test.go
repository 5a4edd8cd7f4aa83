// SPDX-License-Identifier: GPL-3.0-or-later

package syncdb_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/syncdb"
	"github.com/rastos/rastos/internal/testkit"
)

// library is a database of n packages with relations among them.
func library(t testing.TB, n int, version string) []byte {
	var files []file
	for i := range n {
		more := fmt.Sprintf("%%DESC%%\nNumber %d of the Kelvin-Shelf\n\n%%CSIZE%%\n%d\n\n%%PROVIDES%%\nthing%d=1\nodd%d\n\n", i, i, i/3, i%2)
		if i%4 == 0 {
			more += fmt.Sprintf("%%GROUPS%%\nquarter\n\n%%REPLACES%%\nold%d<2\nold%d\n\n", i/8, i/8)
		}
		dir := fmt.Sprintf("pkg%03d-%s", n-i, version) // not in order
		files = append(files, file{dir + "/", ""}, file{dir + "/desc", record(fmt.Sprintf("pkg%03d", n-i), version, more)})
		if i%5 == 0 {
			files = append(files, file{dir + "/depends", "%DEPENDS%\nodd1\n"})
		}
	}
	return archive(t, files...)
}

// shelf is a folder with a database in it.
type shelf struct {
	t    *testing.T
	path string
}

func newShelf(t *testing.T, data []byte) *shelf {
	s := &shelf{t, filepath.Join(t.TempDir(), "x.db")}
	s.put(data)
	return s
}

// put lets a database take the place of the one before.
func (s *shelf) put(data []byte) {
	s.t.Helper()
	must(s.t, os.WriteFile(s.path+".part", data, 0o644))
	must(s.t, os.Rename(s.path+".part", s.path))
}

func (s *shelf) index() []byte {
	data, err := os.ReadFile(s.path + syncdb.IndexSuffix)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		s.t.Fatal(err)
	}
	return data
}

func (s *shelf) open() *syncdb.DB {
	s.t.Helper()
	db, err := syncdb.OpenWith(s.path, syncdb.Options{Index: true})
	must(s.t, err)
	return db
}

// answers are what a database says to all questions.
func answers(db *syncdb.DB) map[string]any {
	a := map[string]any{"groups": db.Groups(), "none": db.Package("pkg")}
	var known []string
	for name := range db.Names() {
		known = append(known, name)
		a["group "+name], a["providers "+name], a["package "+name] = db.Group(name), db.Providers(name), db.Package(name)
	}
	for _, name := range []string{"old0", "old1", "old2", "older"} {
		a["replacers "+name] = db.Replacers(name)
	}
	slices.Sort(known)
	a["names"], a["length"], a["all"] = slices.Compact(known), db.Len(), db.Packages()
	return a
}

func (s *shelf) right(db *syncdb.DB, when string) {
	s.t.Helper()
	want, err := syncdb.Open(s.path)
	must(s.t, err)
	if diff := cmp.Diff(answers(want), answers(db)); diff != "" || db.Err() != nil {
		s.t.Errorf("%s: %v %s", when, db.Err(), diff)
	}
}

func TestIndexAnswersAsTheDatabase(t *testing.T) {
	s := newShelf(t, library(t, 90, "1-1"))
	s.right(s.open(), "without an index")
	first := s.index()
	if len(first) == 0 {
		t.Fatal("no index was written")
	}
	db := s.open()
	if !db.Indexed() {
		t.Fatal("the index is not used")
	}
	s.right(db, "by the index")
	db = s.open()
	if a, b := db.Package("pkg007"), db.Providers("thing27"); a == nil || !slices.Contains(b, a) {
		t.Errorf("%v is not among %v", a, names(b))
	}
	s.put(library(t, 80, "2-1"))
	if db = s.open(); db.Indexed() || db.Package("pkg001").Version != "2-1" {
		t.Error("the index of another database is used")
	}
	if db = s.open(); !db.Indexed() || bytes.Equal(first, s.index()) {
		t.Error("the index was not made again")
	}
	s.right(db, "by the second index")
}

func TestContaining(t *testing.T) {
	s := newShelf(t, library(t, 90, "1-1"))
	for _, db := range []*syncdb.DB{s.open(), s.open()} {
		for _, c := range []struct {
			words, want string
		}{
			{"PKG01", "pkg010 pkg011 pkg012 pkg013 pkg014 pkg015 pkg016 pkg017 pkg018 pkg019"},
			{"number 7", "pkg011 pkg012 pkg013 pkg014 pkg015 pkg016 pkg017 pkg018 pkg019 pkg020 pkg083"},
			{"quarter pkg00", "pkg002 pkg006"},
			{"thing29", "pkg001 pkg002 pkg003"},
			{"\u212aelvin-\u017fhelf pkg090", "pkg090"},
			{"1\nnumber", ""},
			{"nowhere", ""},
		} {
			var got []string
			list := strings.Split(c.words, " ")
			if strings.HasPrefix(c.words, "number") {
				list = []string{c.words}
			}
			for _, p := range db.Containing(list...) {
				text := p.Name + "\n" + p.Description + "\n" + strings.Join(append(p.Groups, p.Provides...), "\n")
				if !slices.ContainsFunc(list, func(w string) bool { return !strings.Contains(syncdb.Fold(text), syncdb.Fold(w)) }) {
					got = append(got, p.Name)
				} else if db.Indexed() && !strings.Contains(c.words, "\n") {
					t.Errorf("%q: %s has them not", c.words, p.Name)
				}
			}
			if strings.Join(got, " ") != c.want && !strings.Contains(c.words, "\n") {
				t.Errorf("%q: %v, want %s", c.words, got, c.want)
			}
		}
		if all := db.Containing(""); len(all) != 90 {
			t.Errorf("%d packages have nothing in them", len(all))
		}
	}
}

// TestDamagedIndex breaks an index in every part. The answers are right all
// the same, and the index is whole again.
func TestDamagedIndex(t *testing.T) {
	s := newShelf(t, library(t, 90, "1-1"))
	s.open()
	whole := s.index()
	damage := map[string][]byte{
		"empty": {}, "cut off": whole[:len(whole)-1], "only a header": whole[:syncdb.HeaderSize], "longer": append(bytes.Clone(whole), 0),
		"zeroes": make([]byte, len(whole)), "foreign": bytes.Repeat([]byte("foreign\n"), 9000),
		"another version": flip(bytes.Clone(whole), syncdb.VersionAt),
	}
	for i := range syncdb.Sections {
		at := syncdb.SectionAt(whole, i)
		damage[fmt.Sprintf("start of section %d", i)] = flip(bytes.Clone(whole), at)
		damage[fmt.Sprintf("middle of section %d", i)] = flip(bytes.Clone(whole), at+40)
	}
	for i := 0; i < len(whole); i += 997 {
		damage[fmt.Sprintf("byte %d", i)] = flip(bytes.Clone(whole), i)
	}
	for name, data := range damage {
		must(t, os.WriteFile(s.path+syncdb.IndexSuffix, data, 0o644))
		db := s.open()
		db.Containing("pkg")
		s.right(db, name)
		if !bytes.Equal(s.index(), whole) {
			t.Errorf("%s: the index is not whole again", name)
		}
	}
}

// TestLateDamage breaks an index that is in use.
func TestLateDamage(t *testing.T) {
	s := newShelf(t, library(t, 90, "1-1"))
	s.open()
	db, lost := s.open(), s.open()
	before := db.Package("pkg005")
	whole := s.index()
	at := syncdb.SectionAt(whole, syncdb.Sections-1)
	f, err := os.OpenFile(s.path+syncdb.IndexSuffix, os.O_WRONLY, 0)
	must(t, err)
	_, err = f.WriteAt(make([]byte, len(whole)-at), int64(at))
	must(t, err)
	must(t, f.Close())
	if db.Package("pkg006") == nil || db.Indexed() {
		t.Error("a damaged record was not told")
	}
	if db.Package("pkg005") != before {
		t.Error("a package that was given out became another one")
	}
	s.right(db, "after the damage")

	// The database changes in its place, too: then nothing can be answered.
	lost.Package("pkg005")
	must(t, os.WriteFile(s.path, library(t, 90, "7-1"), 0o644))
	f, err = os.OpenFile(s.path+syncdb.IndexSuffix, os.O_WRONLY, 0)
	must(t, err)
	must(t, f.Truncate(int64(at)))
	must(t, f.Close())
	if p := lost.Package("pkg006"); p != nil && p.Version != "1-1" {
		t.Errorf("%s of a database that is gone", p.Entry())
	}
}

func TestDoubleDamage(t *testing.T) {
	s := newShelf(t, library(t, 90, "1-1"))
	s.open()
	db := s.open()
	known := db.Package("pkg005")
	must(t, os.Truncate(s.path+syncdb.IndexSuffix, 300))
	must(t, os.WriteFile(s.path, library(t, 90, "7-1"), 0o644)) // in place
	if p := db.Package("pkg006"); p != nil {
		t.Errorf("%s came from nowhere", p.Entry())
	}
	var e *syncdb.Error
	if err := db.Err(); !errors.As(err, &e) || !strings.Contains(err.Error(), "changed") {
		t.Errorf("error %v", err)
	}
	if got := db.Packages(); len(got) != 1 || got[0] != known || db.Providers("odd1") == nil != (len(known.Provides) == 0 || !slices.Contains(known.Provides, "odd1")) {
		t.Errorf("packages %v", names(got))
	}
}

// TestUntrustedIndex plants indexes that others could have written.
func TestUntrustedIndex(t *testing.T) {
	s := newShelf(t, library(t, 90, "1-1"))
	s.open()
	good := s.index()
	index := s.path + syncdb.IndexSuffix
	plant := map[string]func(){
		"writable by the group": func() { must(t, os.Chmod(index, 0o664)) },
		"writable by all":       func() { must(t, os.Chmod(index, 0o646)) },
		"a link": func() {
			must(t, os.Rename(index, s.path+".elsewhere"))
			must(t, os.Symlink(s.path+".elsewhere", index))
		},
		"a pipe": func() {
			must(t, os.Remove(index))
			must(t, syscall.Mkfifo(index, 0o644))
		},
	}
	if os.Geteuid() == 0 {
		plant["somebody else's"] = func() { must(t, os.Chown(index, 12345, 0)) }
	}
	for name, do := range plant {
		do()
		db := s.open()
		if db.Indexed() {
			t.Errorf("%s: it is used", name)
		}
		s.right(db, name)
		info, err := os.Lstat(index)
		must(t, err)
		if !info.Mode().IsRegular() || info.Mode().Perm() != 0o644 || !bytes.Equal(s.index(), good) {
			t.Errorf("%s: it was not replaced", name)
		}
	}
	must(t, os.Remove(index))
	must(t, os.Mkdir(index, 0o755))
	s.right(s.open(), "a folder")
}

// TestIndexOwner: root keeps an index for a database of its own, and trusts
// one of the owner of a database.
func TestIndexOwner(t *testing.T) {
	testkit.NeedRoot(t)
	s := newShelf(t, library(t, 90, "1-1"))
	must(t, os.Chown(s.path, 12345, 12345))
	s.open()
	must(t, os.Chown(s.path+syncdb.IndexSuffix, 12345, 12345))
	if !s.open().Indexed() {
		t.Error("the index of the owner of the database is not used")
	}
	must(t, os.Chmod(s.path, 0o600))
	must(t, os.Remove(s.path+syncdb.IndexSuffix))
	s.open()
	info, err := os.Stat(s.path + syncdb.IndexSuffix)
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the index may be read by more than the database: %v", info.Mode())
	}
}

func TestVouch(t *testing.T) {
	data := library(t, 90, "1-1")
	s := newShelf(t, data)
	refused := errors.New("a bad signature")
	asked := 0
	vouch := func(want []byte, err error) func(io.Reader) error {
		return func(r io.Reader) error {
			asked++
			got, rerr := io.ReadAll(r)
			if rerr != nil || !bytes.Equal(got, want) {
				t.Errorf("asked about %d bytes, %v", len(got), rerr)
			}
			return err
		}
	}
	open := func(f func(io.Reader) error) (*syncdb.DB, error) {
		return syncdb.OpenWith(s.path, syncdb.Options{Name: "y", Index: true, Vouch: f})
	}
	for i := range 3 {
		db, err := open(vouch(data, nil))
		must(t, err)
		if db.Indexed() != (i > 0) || db.Name != "y" || asked != i+1 {
			t.Errorf("opening %d: index %v, name %s, asked %d times", i, db.Indexed(), db.Name, asked)
		}
	}
	if _, err := open(vouch(data, refused)); err != refused {
		t.Errorf("a bad signature: %v", err)
	}
	half := func(r io.Reader) error { _, err := io.ReadFull(r, make([]byte, 1000)); return err }
	if db, err := open(half); err != nil || !db.Indexed() {
		t.Errorf("who reads half of it: %v", err)
	}
	must(t, os.Remove(s.path+syncdb.IndexSuffix))
	if _, err := open(vouch(data, refused)); err != refused || s.index() != nil {
		t.Errorf("a bad signature without an index: %v", err)
	}
}

// TestNoIndex: small databases and those with files have none.
func TestNoIndex(t *testing.T) {
	s := newShelf(t, library(t, 5, "1-1"))
	s.right(s.open(), "small")
	if s.index() != nil {
		t.Error("a small database has an index")
	}
	s.put(archive(t, file{"z-1-1/desc", record("z", "1-1", "")}, file{"z-1-1/files", "%FILES%\nusr/\n" + strings.Repeat("usr/x\n", 20000)}))
	if p := s.open().Package("z"); p == nil || len(p.Files) != 20001 || s.index() != nil {
		t.Error("a database with files has an index")
	}
}

func TestLeftovers(t *testing.T) {
	s := newShelf(t, library(t, 90, "1-1"))
	dir := filepath.Dir(s.path)
	for name, age := range map[string]time.Duration{".x.db.index.old": time.Hour, ".x.db.index.new": time.Minute, ".y.db.index.old": time.Hour} {
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path, nil, 0o600))
		when := time.Now().Add(-age)
		must(t, os.Chtimes(path, when, when))
	}
	s.open()
	entries, err := os.ReadDir(dir)
	must(t, err)
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if want := ".x.db.index.new .y.db.index.old x.db x.db.index"; strings.Join(got, " ") != want {
		t.Errorf("%v, want %s", got, want)
	}
}

// TestManyAtOnce opens, asks and replaces the database at the same time.
func TestManyAtOnce(t *testing.T) {
	s := newShelf(t, library(t, 90, "1-1"))
	var all sync.WaitGroup
	for worker := range 4 {
		all.Go(func() {
			for i := range 12 {
				if worker == 0 && i%3 == 0 {
					s.put(library(t, 90, fmt.Sprintf("%d-1", i+2)))
				}
				db, err := syncdb.OpenWith(s.path, syncdb.Options{Index: true})
				if err != nil {
					t.Error(err)
					return
				}
				version := db.Package("pkg042").Version
				var ask sync.WaitGroup
				ask.Go(func() { db.Containing("number 4") })
				ask.Go(func() { db.Groups() })
				for _, p := range db.Packages() {
					if p.Version != version {
						t.Errorf("%s in a database of version %s", p.Entry(), version)
					}
				}
				ask.Wait()
				if db.Err() != nil {
					t.Error(db.Err())
				}
			}
		})
	}
	all.Wait()
	s.right(s.open(), "at last")
}

func FuzzIndex(f *testing.F) {
	dir := f.TempDir()
	path := filepath.Join(dir, "x.db")
	must(f, os.WriteFile(path, library(f, 90, "1-1"), 0o644))
	db, err := syncdb.OpenWith(path, syncdb.Options{Index: true})
	must(f, err)
	index, err := os.ReadFile(path + syncdb.IndexSuffix)
	must(f, err)
	f.Add(index)
	f.Add(index[:syncdb.HeaderSize])
	again := db.Packages()
	f.Fuzz(func(t *testing.T, data []byte) {
		db, err := syncdb.OpenIndex(syncdb.Resum(data), again)
		if err != nil {
			return
		}
		db.Containing("number")
		answers(db)
		for _, p := range db.Packages() {
			if desc.CheckName(p.Name) != nil {
				t.Fatalf("package %q", p.Name)
			}
		}
	})
}
