// SPDX-License-Identifier: GPL-3.0-or-later

package repo_test

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/pkgfile"
	"github.com/rastos/rastos/alpm/repo"
	"github.com/rastos/rastos/alpm/syncdb"
	"github.com/rastos/rastos/internal/testkit"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// makePackage writes a small package into dir and returns its path.
func makePackage(t *testing.T, dir, name, version string, more ...func(*desc.Package)) string {
	t.Helper()
	info := &desc.Package{
		Name: name, Base: name + "-base", Version: version, Description: "The  package\t" + name + " with  blanks",
		URL: "https://example.org/?q=" + name, Arch: "any", Packager: "Nobody <nobody@example.org>",
		Licenses: []string{"MIT", "GPL-3.0-or-later"}, Groups: []string{"all", name + "-group"},
		Depends: []string{"glibc>=2.3", "sh"}, OptDepends: []string{"x: to  see something"},
		MakeDepends: []string{"make"}, CheckDepends: []string{"check"},
		Conflicts: []string{name + "-git"}, Provides: []string{"virtual=1:2"}, Replaces: []string{"old-" + name},
		Backup: []desc.Backup{{Path: "etc/" + name + ".conf"}},
	}
	for _, f := range more {
		f(info)
	}
	path := filepath.Join(dir, fmt.Sprintf("%s-%s-any.pkg.tar.zst", name, version))
	f, err := os.Create(path)
	must(t, err)
	defer f.Close()
	w, err := pkgfile.NewWriter(f, info, pkgfile.WriterOptions{Epoch: time.Unix(1643730617, 0)})
	must(t, err)
	for _, file := range []string{"etc/" + name + ".conf", "usr/bin/" + name, "usr/share/" + name + "/b c", "usr/share/" + name + "-x"} {
		must(t, w.Add(&tar.Header{Typeflag: tar.TypeReg, Name: file, Mode: 0o644, Size: 3}, strings.NewReader("abc")))
	}
	must(t, w.Close())
	return path
}

func contents(t *testing.T, path string) []*desc.Package {
	t.Helper()
	db, err := syncdb.Open(path)
	must(t, err)
	return db.Packages()
}

func repoAdd(t *testing.T, args ...string) {
	t.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = []string{"LC_ALL=C", "PATH=/usr/bin:/bin"}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func TestTheSameAsRepoAdd(t *testing.T) {
	testkit.NeedTool(t, "repo-add")
	ours, theirs, packages := t.TempDir(), t.TempDir(), t.TempDir()
	var paths []string
	for i, name := range []string{"alpha", "beta", "beta-libs", "gamma++"} {
		paths = append(paths, makePackage(t, packages, name, fmt.Sprintf("%d:1.%d-1", i+1, i)))
	}
	sig := make([]byte, 119)
	_, err := rand.Read(sig)
	must(t, err)
	must(t, os.WriteFile(paths[1]+".sig", sig, 0o644))

	compare := func(step string) {
		t.Helper()
		for _, kind := range []string{"db", "files"} {
			want := contents(t, filepath.Join(theirs, "r."+kind))
			got := contents(t, filepath.Join(ours, "r."+kind))
			if len(want) == 0 {
				t.Errorf("%s: %s is empty", step, kind)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: %s (-repo-add +ours):\n%s", step, kind, diff)
			}
			if diff := cmp.Diff(raw(t, filepath.Join(theirs, "r."+kind+".tar.gz")), raw(t, filepath.Join(ours, "r."+kind+".tar.gz"))); diff != "" {
				t.Errorf("%s: bytes of %s (-repo-add +ours):\n%s", step, kind, diff)
			}
		}
	}
	db := filepath.Join(ours, "r.db.tar.gz")
	repoAdd(t, append([]string{"repo-add", filepath.Join(theirs, "r.db.tar.gz")}, paths...)...)
	_, err = repo.Add(t.Context(), db, paths, repo.Options{})
	must(t, err)
	compare("new")
	if p := contents(t, db)[1]; p.PGPSig != base64.StdEncoding.EncodeToString(sig) {
		t.Errorf("signature of %s: %q", p.Name, p.PGPSig)
	}

	newer := makePackage(t, packages, "beta", "3:1-1")
	repoAdd(t, "repo-add", filepath.Join(theirs, "r.db.tar.gz"), newer)
	res, err := repo.Add(t.Context(), db, []string{newer}, repo.Options{})
	must(t, err)
	compare("replaced")
	if diff := cmp.Diff([]string{"beta-2:1.1-1"}, res.Removed); diff != "" {
		t.Error(diff)
	}

	repoAdd(t, "repo-remove", filepath.Join(theirs, "r.db.tar.gz"), "beta-libs", "alpha")
	_, err = repo.Remove(t.Context(), db, []string{"beta-libs", "alpha"}, repo.Options{})
	must(t, err)
	compare("removed")

	// Each goes on with the other's database.
	repoAdd(t, "repo-add", db, paths[0])
	_, err = repo.Add(t.Context(), filepath.Join(theirs, "r.db.tar.gz"), paths[:1], repo.Options{})
	must(t, err)
	compare("crossed")
	for _, dir := range []string{ours, theirs} {
		if diff := cmp.Diff([]string{"r.db", "r.db.tar.gz", "r.db.tar.gz.old", "r.files", "r.files.tar.gz", "r.files.tar.gz.old"}, list(t, dir)); diff != "" {
			t.Errorf("%s holds: %s", dir, diff)
		}
	}
}

// raw returns every record of a database as it is.
func raw(t *testing.T, path string) map[string]string {
	t.Helper()
	f, err := os.Open(path)
	must(t, err)
	defer f.Close()
	r, err := pkgfile.NewReader(f, pkgfile.Limits{})
	must(t, err)
	defer r.Close()
	files := make(map[string]string)
	for {
		h, err := r.Next()
		if err != nil {
			break
		}
		var buf bytes.Buffer
		_, err = buf.ReadFrom(r)
		must(t, err)
		files[h.Name] = buf.String()
	}
	return files
}

func list(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestOptions(t *testing.T) {
	dir := t.TempDir()
	db := filepath.Join(dir, "r.db.tar.zst")
	two := makePackage(t, dir, "a", "2-1")
	must(t, os.WriteFile(two+".sig", []byte("sig"), 0o644))
	_, err := repo.Add(t.Context(), db, []string{two}, repo.Options{NoMD5: true})
	must(t, err)
	if p := contents(t, db)[0]; p.MD5 != "" || p.SHA256 == "" {
		t.Errorf("checksums: md5 %q, sha256 %q", p.MD5, p.SHA256)
	}
	res, err := repo.Add(t.Context(), db, []string{two}, repo.Options{OnlyNew: true})
	must(t, err)
	if len(res.Added) != 0 || len(res.Skipped) != 1 {
		t.Errorf("OnlyNew: %+v", res)
	}
	one := makePackage(t, dir, "a", "1-1")
	res, err = repo.Add(t.Context(), db, []string{one}, repo.Options{PreventDowngrade: true})
	must(t, err)
	if len(res.Added) != 0 || len(res.Skipped) != 1 {
		t.Errorf("PreventDowngrade: %+v", res)
	}
	_, err = repo.Add(t.Context(), db, []string{one}, repo.Options{RemoveOld: true})
	must(t, err)
	for _, path := range []string{two, two + ".sig"} {
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is still there: %v", path, err)
		}
	}
	_, err = repo.Add(t.Context(), db, []string{one}, repo.Options{RemoveOld: true})
	must(t, err)
	if _, err := os.Stat(one); err != nil {
		t.Errorf("the archive that replaced itself is gone: %v", err)
	}
}

func TestSigned(t *testing.T) {
	dir := t.TempDir()
	db := filepath.Join(dir, "r.db.tar.gz")
	a := makePackage(t, t.TempDir(), "a", "1-1")
	sign := func(_ context.Context, path string) error {
		return os.WriteFile(path+".sig", []byte("signed"), 0o644)
	}
	_, err := repo.Add(t.Context(), db, []string{a}, repo.Options{Sign: sign})
	must(t, err)
	before := list(t, dir)
	if diff := cmp.Diff([]string{"r.db", "r.db.sig", "r.db.tar.gz", "r.db.tar.gz.sig", "r.files", "r.files.sig", "r.files.tar.gz", "r.files.tar.gz.sig"}, before); diff != "" {
		t.Error(diff)
	}
	wrong := errors.New("no key")
	_, err = repo.Remove(t.Context(), db, []string{"a"}, repo.Options{Sign: func(context.Context, string) error { return wrong }})
	if !errors.Is(err, wrong) || len(contents(t, db)) != 1 {
		t.Errorf("signing failed: %v, %d packages left", err, len(contents(t, db)))
	}
	if diff := cmp.Diff(before, list(t, dir)); diff != "" {
		t.Errorf("a failed change left: %s", diff)
	}
	_, err = repo.Remove(t.Context(), db, []string{"a"}, repo.Options{})
	must(t, err)
	if _, err := os.Lstat(filepath.Join(dir, "r.db.sig")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an unsigned database has the signature of another: %v", err)
	}
	if n := len(contents(t, db)); n != 0 {
		t.Errorf("%d packages in an empty database", n)
	}
}

func TestRefusedLeavesAllAsItWas(t *testing.T) {
	dir := t.TempDir()
	db := filepath.Join(dir, "r.db.tar.gz")
	a := makePackage(t, t.TempDir(), "a", "1-1")
	_, err := repo.Add(t.Context(), db, []string{a}, repo.Options{})
	must(t, err)
	before, err := os.ReadFile(db)
	must(t, err)

	junk := filepath.Join(t.TempDir(), "junk.pkg.tar.zst")
	must(t, os.WriteFile(junk, []byte("<html>not found</html>"), 0o644))
	whole, err := os.ReadFile(a)
	must(t, err)
	cut := filepath.Join(t.TempDir(), "cut.pkg.tar.zst")
	must(t, os.WriteFile(cut, whole[:len(whole)-20], 0o644))
	armored := makePackage(t, t.TempDir(), "b", "1-1")
	must(t, os.WriteFile(armored+".sig", []byte("-----BEGIN PGP SIGNATURE-----\n"), 0o644))
	huge := makePackage(t, t.TempDir(), "c", "1-1")
	must(t, os.WriteFile(huge+".sig", make([]byte, 17000), 0o644))

	for _, c := range []struct {
		name string
		path string
		want error
		exit int
	}{
		{"no package", junk, pkgfile.ErrFormat, 5},
		{"cut off", cut, pkgfile.ErrTruncated, 5},
		{"armored signature", armored, repo.ErrSignature, 5},
		{"huge signature", huge, repo.ErrSignature, 5},
		{"missing", junk + ".x", os.ErrNotExist, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := repo.Add(t.Context(), db, []string{a, c.path}, repo.Options{})
			if !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			var coded interface{ ExitCode() int }
			if !errors.As(err, &coded) || coded.ExitCode() != c.exit {
				t.Errorf("%v: not exit code %d", err, c.exit)
			}
		})
	}
	if _, err := repo.Remove(t.Context(), db, []string{"a", "nothing"}, repo.Options{}); !errors.Is(err, repo.ErrNotFound) {
		t.Error(err)
	}
	if _, err := repo.Add(t.Context(), filepath.Join(dir, "r.tar.gz"), nil, repo.Options{}); !errors.Is(err, repo.ErrName) {
		t.Error(err)
	}
	after, err := os.ReadFile(db)
	must(t, err)
	if !bytes.Equal(before, after) {
		t.Error("a refused change changed the database")
	}
	if diff := cmp.Diff([]string{"r.db", "r.db.tar.gz", "r.files", "r.files.tar.gz"}, list(t, dir)); diff != "" {
		t.Error(diff)
	}
}

func TestLock(t *testing.T) {
	dir := t.TempDir()
	db := filepath.Join(dir, "r.db.tar.gz")
	lck := db + ".lck"
	held := func(content string) error {
		must(t, os.WriteFile(lck, []byte(content), 0o644))
		_, err := repo.Add(t.Context(), db, nil, repo.Options{})
		return err
	}
	// repo-add's: the file is the lock, whoever may be alive.
	err := held("123456\n")
	var hinted interface {
		Hint() string
		ExitCode() int
	}
	if !errors.Is(err, repo.ErrLocked) || !errors.As(err, &hinted) || hinted.ExitCode() != 10 || !strings.Contains(hinted.Hint(), lck) {
		t.Errorf("held by repo-add: %v", err)
	}
	// Ours, whose owner is gone: nobody holds it by flock.
	if err := held("123456 rastos\n"); err != nil {
		t.Errorf("an abandoned lock: %v", err)
	}
	// Ours, held: repo-add and we ourselves keep away.
	in := errors.New("inside")
	_, err = repo.Add(t.Context(), db, nil, repo.Options{Sign: func(ctx context.Context, _ string) error {
		if _, err := repo.Add(ctx, db, nil, repo.Options{}); !errors.Is(err, repo.ErrLocked) {
			t.Errorf("a second change while one runs: %v", err)
		}
		if path, err := exec.LookPath("repo-add"); err == nil {
			if err := exec.Command(path, db).Run(); err == nil {
				t.Error("repo-add went past our lock")
			}
		}
		return in
	}})
	if !errors.Is(err, in) {
		t.Error(err)
	}
	if _, err := os.Stat(lck); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the lock file stays: %v", err)
	}
}

func TestSameInputSameBytes(t *testing.T) {
	a := makePackage(t, t.TempDir(), "a", "1-1")
	b := makePackage(t, t.TempDir(), "b", "1-1")
	var first []byte
	for _, order := range [][]string{{a, b}, {b, a}} {
		db := filepath.Join(t.TempDir(), "r.db.tar.gz")
		_, err := repo.Add(t.Context(), db, order, repo.Options{})
		must(t, err)
		data, err := os.ReadFile(db)
		must(t, err)
		if first != nil && !bytes.Equal(first, data) {
			t.Error("the order of the packages shows in the database")
		}
		first = data
	}
}
