// SPDX-License-Identifier: GPL-3.0-or-later

package localdb_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/localdb"
)

func pkg(name, version string) *desc.Package {
	return &desc.Package{
		Name: name, Version: version, Description: "the " + name, Arch: "any", InstallDate: 1700000000,
		Licenses: []string{"MIT"}, Validation: []string{"sha256"}, Reason: desc.Depend,
		Files:  []string{"etc/", "etc/" + name + ".conf"},
		Backup: []desc.Backup{{Path: "etc/" + name + ".conf", MD5: "60b725f10c9c85c70d97880dfe8191b3"}},
	}
}

// both runs a test for durable and for fast writing.
func both(t *testing.T, test func(t *testing.T, opt localdb.Options)) {
	t.Run("durable", func(t *testing.T) { test(t, localdb.Options{}) })
	t.Run("fast", func(t *testing.T) { test(t, localdb.Options{Fast: true}) })
}

func open(t *testing.T, dir string, opt localdb.Options) *localdb.DB {
	t.Helper()
	db, err := localdb.OpenWith(dir, opt)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsAddedIsRead(t *testing.T) {
	both(t, func(t *testing.T, opt localdb.Options) {
		dir := filepath.Join(t.TempDir(), "var/lib/pacman/local")
		db := open(t, dir, opt)
		want := pkg("b-c", "1:1.0-1")
		must(t, db.Add(want, map[string][]byte{"mtree": []byte("m"), "install": []byte("i")}))
		must(t, db.Add(pkg("a", "1-1"), nil))
		if err := db.Add(pkg("a", "2-1"), nil); !errors.Is(err, localdb.ErrExists) {
			t.Errorf("a second a: %v", err)
		}

		db = open(t, dir, opt)
		var names []string
		for _, p := range db.Packages() {
			names = append(names, p.Name)
		}
		if diff := cmp.Diff([]string{"a", "b-c"}, names); diff != "" {
			t.Error(diff)
		}
		got := db.Package("b-c")
		must(t, db.LoadFiles(got))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("read back: %s", diff)
		}
		if data, err := db.Install(got); err != nil || string(data) != "i" {
			t.Errorf("install: %q, %v", data, err)
		}
		if data, err := db.Changelog(got); err != nil || data != nil {
			t.Errorf("changelog: %q, %v", data, err)
		}
	})
}

func TestUpdateRemoveReason(t *testing.T) {
	both(t, func(t *testing.T, opt localdb.Options) {
		dir := filepath.Join(t.TempDir(), "local")
		db := open(t, dir, opt)
		must(t, db.Add(pkg("a", "1-1"), map[string][]byte{"install": []byte("i")}))
		before := db.Package("a")
		must(t, db.SetReason("a", desc.Explicit))
		if before.Reason != desc.Depend {
			t.Error("SetReason changed a package that was given out")
		}
		must(t, db.Update(pkg("a", "1-1"), map[string][]byte{"mtree": []byte("m")}))
		entries(t, filepath.Join(dir, "a-1-1"), "desc", "files", "mtree")
		must(t, db.SetReason("a", desc.Explicit))
		must(t, db.Update(pkg("a", "2-1"), nil))
		entries(t, dir, "ALPM_DB_VERSION", "a-2-1")
		if p := open(t, dir, opt).Package("a"); p.Reason != desc.Depend || p.Version != "2-1" {
			t.Errorf("read back: %+v", p)
		}
		must(t, db.Remove("a"))
		entries(t, dir, "ALPM_DB_VERSION")
		entries(t, filepath.Dir(dir), "local")
		for _, err := range []error{db.Remove("a"), db.Update(pkg("a", "1-1"), nil), db.SetReason("a", 1)} {
			if !errors.Is(err, localdb.ErrNotFound) {
				t.Errorf("on a missing package: %v", err)
			}
		}
	})
}

func entries(t *testing.T, dir string, want ...string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	must(t, err)
	var got []string
	for _, e := range list {
		got = append(got, e.Name())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s holds: %s", dir, diff)
	}
}

func TestInterruptedUpdateIsFinished(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "local")
	db := open(t, dir, localdb.Options{})
	must(t, db.Add(pkg("a", "1-1"), nil))
	must(t, os.Rename(filepath.Join(dir, "a-1-1"), filepath.Join(dir, "kept")))
	must(t, os.MkdirAll(filepath.Join(dir+".new", "entry-1"), 0o700)) // of a crash, too
	db = open(t, t.TempDir(), localdb.Options{})
	later := pkg("a", "2-1")
	later.InstallDate++
	must(t, db.Add(later, nil))
	must(t, os.Rename(filepath.Join(db.Dir(), "a-2-1"), filepath.Join(dir, "a-2-1")))
	must(t, os.Rename(filepath.Join(dir, "kept"), filepath.Join(dir, "a-1-1")))

	db = open(t, dir, localdb.Options{})
	if v := db.Package("a").Version; v != "2-1" {
		t.Errorf("version %s counts, not the later install", v)
	}
	if diff := cmp.Diff([]string{"a-1-1"}, db.Stale()); diff != "" {
		t.Error(diff)
	}
	must(t, db.Add(pkg("b", "1-1"), nil))
	entries(t, dir, "ALPM_DB_VERSION", "a-2-1", "b-1-1")
	entries(t, filepath.Dir(dir), "local")
}

func TestThroughARelativeLink(t *testing.T) {
	top := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(top, "usr/pacman/local"), 0o755))
	must(t, os.MkdirAll(filepath.Join(top, "var"), 0o755))
	must(t, os.Symlink("../usr/pacman/local", filepath.Join(top, "var/local")))
	db := open(t, filepath.Join(top, "var/local"), localdb.Options{})
	must(t, db.Add(pkg("a", "1-1"), nil))
	entries(t, filepath.Join(top, "var"), "local")
	entries(t, filepath.Join(top, "usr/pacman"), "local")
	entries(t, filepath.Join(top, "usr/pacman/local"), "ALPM_DB_VERSION", "a-1-1")

	must(t, os.RemoveAll(filepath.Join(top, "usr"))) // the link leads nowhere now
	must(t, open(t, filepath.Join(top, "var/local"), localdb.Options{}).Add(pkg("b", "1-1"), nil))
	entries(t, filepath.Join(top, "usr/pacman/local"), "ALPM_DB_VERSION", "b-1-1")
}

func TestRefused(t *testing.T) {
	write := func(dir, name, text string) {
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	for _, c := range []struct {
		name, file, text string
		want             error
	}{
		{"an old version", "ALPM_DB_VERSION", "8\n", localdb.ErrVersion},
		{"an entry without desc", "a-1-1/files", "", desc.ErrMissing},
		{"another package inside", "a-1-1/desc", "%NAME%\nb\n\n%VERSION%\n1-1\n", desc.ErrMismatch},
		{"a size that is no number", "a-1-1/desc", "%NAME%\na\n\n%VERSION%\n1-1\n\n%SIZE%\nbig\n", desc.ErrNumber},
		{"a directory of no package", "nothing/desc", "", desc.ErrName},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			write(dir, "ALPM_DB_VERSION", "9\n")
			write(dir, c.file, c.text)
			if _, err := localdb.Open(dir); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
	t.Run("entries without a version", func(t *testing.T) {
		dir := t.TempDir()
		write(dir, "a-1-1/desc", "%NAME%\na\n\n%VERSION%\n1-1\n")
		if _, err := localdb.Open(dir); !errors.Is(err, localdb.ErrVersion) {
			t.Error(err)
		}
	})
	t.Run("hostile names to write", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "local")
		db := open(t, dir, localdb.Options{})
		for _, name := range []string{"../a", "a/b", ".a", "", "a\x00"} {
			if err := db.Add(pkg(name, "1-1"), nil); !errors.Is(err, desc.ErrName) {
				t.Errorf("%q: %v", name, err)
			}
		}
		if err := db.Add(pkg("a", "1-1"), map[string][]byte{"../x": nil}); !errors.Is(err, localdb.ErrExtra) {
			t.Error(err)
		}
		entries(t, dir, "ALPM_DB_VERSION")
	})
}
