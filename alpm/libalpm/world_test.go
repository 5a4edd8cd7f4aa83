// SPDX-License-Identifier: GPL-3.0-or-later

package libalpm_test

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/keyring"
	"github.com/rastos/rastos/alpm/libalpm/libalpmtest"
	"github.com/rastos/rastos/alpm/pkgfile"
	"github.com/rastos/rastos/alpm/repo"
	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/internal/host/run"
	"github.com/rastos/rastos/internal/testkit"
)

func TestMain(m *testing.M) {
	run.MaybeChild()
	os.Exit(m.Run())
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var epoch = time.Unix(1700000000, 0)

// spec is a package: "name version key=value,value…", its files (a path that
// ends in "/" is a folder, "-> x" a link) and its scriptlets.
type spec struct {
	info    string
	files   map[string]string
	install string
}

func (s spec) describe(t testing.TB) *desc.Package {
	f := strings.Fields(s.info)
	p := &desc.Package{Name: f[0], Base: f[0], Version: f[1], Arch: "any", Description: "the " + f[0], URL: "https://example.org",
		Packager: "Nobody", Licenses: []string{"MIT"}, BuildDate: epoch.Unix()}
	for _, kv := range f[2:] {
		key, value, _ := strings.Cut(kv, "=")
		list := strings.Split(value, ",")
		switch key {
		case "arch":
			p.Arch = value
		case "depends":
			p.Depends = list
		case "provides":
			p.Provides = list
		case "conflicts":
			p.Conflicts = list
		case "replaces":
			p.Replaces = list
		case "groups":
			p.Groups = list
		case "backup":
			for _, b := range list {
				p.Backup = append(p.Backup, desc.Backup{Path: b})
			}
		default:
			t.Fatalf("unknown key %q", key)
		}
	}
	return p
}

func (s spec) build(t testing.TB, dir string) string {
	t.Helper()
	p := s.describe(t)
	path := filepath.Join(dir, fmt.Sprintf("%s-%s-%s.pkg.tar.zst", p.Name, p.Version, p.Arch))
	out, err := os.Create(path)
	must(t, err)
	defer out.Close()
	opt := pkgfile.WriterOptions{Fast: true, Epoch: epoch}
	if s.install != "" {
		opt.Install = []byte(s.install)
	}
	w, err := pkgfile.NewWriter(out, p, opt)
	must(t, err)
	for name, value := range s.files {
		h := &tar.Header{Name: name, Mode: 0o644, Typeflag: tar.TypeReg, Size: int64(len(value))}
		switch {
		case strings.HasSuffix(name, "/"):
			h.Typeflag, h.Mode, h.Size = tar.TypeDir, 0o755, 0
			if name == "tmp/" {
				h.Mode = 0o1777
			}
		case strings.HasPrefix(value, "-> "):
			h.Typeflag, h.Linkname, h.Mode, h.Size = tar.TypeSymlink, value[3:], 0o777, 0
		case strings.Contains(name, "bin/"):
			h.Mode = 0o755
		}
		must(t, w.Add(h, strings.NewReader(value[:h.Size])))
	}
	must(t, w.Close())
	return path
}

// system is a package with a shell, for scriptlets and hooks.
func system(t testing.TB) spec {
	t.Helper()
	busybox, err := os.ReadFile(testkit.NeedTool(t, "busybox"))
	must(t, err)
	return spec{"system 1-1", map[string]string{
		"usr/": "", "usr/bin/": "", "usr/bin/busybox": string(busybox), "usr/bin/sh": "-> busybox", "bin": "-> usr/bin", "etc/": "", "tmp/": "",
		"var/": "", "var/lib/": "",
	}, ""}
}

// world is two roots, one for each engine, and a repository.
type world struct {
	t         testing.TB
	dir       string
	published int
	env       func(*trans.Env)
	native    libalpmtest.PackageEngine
	library   libalpmtest.PackageEngine
	last      [2]libalpmtest.Outcome
}

func newWorld(t testing.TB) *world {
	t.Helper()
	testkit.Integration(t)
	testkit.NeedRoot(t)
	dir, err := os.MkdirTemp("", "rastos-contract-")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	w := &world{t: t, dir: dir, native: trans.Native{}, library: libalpmtest.Engine(t)}
	for _, d := range []string{"repo", "native/var/lib/pacman", "libalpm/var/lib/pacman"} {
		must(t, os.MkdirAll(filepath.Join(dir, d), 0o755))
	}
	return w
}

func (w *world) roots() [2]string {
	return [2]string{filepath.Join(w.dir, "native"), filepath.Join(w.dir, "libalpm")}
}

// publish makes the repository hold exactly these packages.
func (w *world) publish(specs ...spec) {
	w.t.Helper()
	dir := filepath.Join(w.dir, "repo")
	must(w.t, os.RemoveAll(dir))
	must(w.t, os.Mkdir(dir, 0o755))
	var paths []string
	for _, s := range specs {
		paths = append(paths, s.build(w.t, dir))
	}
	db := filepath.Join(dir, "core.db.tar.gz")
	_, err := repo.Add(context.Background(), db, paths, repo.Options{})
	must(w.t, err)
	w.published++ // a newer database is one with a newer time
	when := epoch.Add(time.Duration(w.published) * time.Hour)
	must(w.t, os.Chtimes(db, when, when))
}

func (w *world) environment(root string) trans.Env {
	never, err := keyring.ParseSigLevel(keyring.SigLevel{}, "Never")
	must(w.t, err)
	env := trans.Env{
		Root: root, DBPath: filepath.Join(root, "var/lib/pacman"), CacheDir: root + ".cache",
		Repos:        []trans.Repo{{Name: "core", Servers: []string{"file://" + filepath.Join(w.dir, "repo")}, SigLevel: never}},
		FileSigLevel: never, RemoteSigLevel: never, Arch: "x86_64", Chroot: run.InRoot{},
		HookDirs: []string{filepath.Join(root, "usr/share/libalpm/hooks")},
		Clock:    func() time.Time { return epoch },
	}
	if w.env != nil {
		w.env(&env)
	}
	return env
}

// both has the two engines do the same and compares everything.
func (w *world) both(req trans.Request) {
	w.t.Helper()
	if kind := w.compare(req); kind != "" {
		w.t.Fatalf("both fail: %v\n%v", w.last[0].Err, w.last[1].Err)
	}
}

// bothRefuse is both for what must fail, with that kind of error.
func (w *world) bothRefuse(req trans.Request, kind string) {
	w.t.Helper()
	if got := w.compare(req); got != kind {
		w.t.Fatalf("both end with %q instead of %q:\n%v\n%v", got, kind, w.last[0].Err, w.last[1].Err)
	}
}

func (w *world) compare(req trans.Request) (kind string) {
	w.t.Helper()
	roots := w.roots()
	for i, e := range []libalpmtest.PackageEngine{w.native, w.library} {
		w.last[i] = libalpmtest.Do(context.Background(), e, w.environment(roots[i]), req)
	}
	kinds := [2]string{libalpmtest.ErrorKind(w.last[0].Err), libalpmtest.ErrorKind(w.last[1].Err)}
	if kinds[0] != kinds[1] {
		w.t.Fatalf("the errors differ:\nnative:  %s: %v\nlibalpm: %s: %v", kinds[0], w.last[0].Err, kinds[1], w.last[1].Err)
	}
	if a, b := libalpmtest.Steps(w.last[0].Plan), libalpmtest.Steps(w.last[1].Plan); strings.Join(a, "\n") != strings.Join(b, "\n") {
		w.t.Fatalf("the plans differ:\nnative:\n  %s\nlibalpm:\n  %s", strings.Join(a, "\n  "), strings.Join(b, "\n  "))
	}
	w.compareTrees()
	return kinds[0]
}

func (w *world) compareTrees() {
	w.t.Helper()
	var trees [2][]string
	for i, root := range w.roots() {
		trees[i] = libalpmtest.Tree(w.t, root, epoch.Add(time.Hour), "var/lib/pacman/sync", "var/log")
	}
	if diff := libalpmtest.Differences(trees[0], trees[1]); len(diff) > 0 {
		w.t.Fatalf("the roots differ:\n%s", strings.Join(diff, "\n"))
	}
}

// write puts a file into both roots.
func (w *world) write(path, content string) {
	w.t.Helper()
	for _, root := range w.roots() {
		at := filepath.Join(root, path)
		must(w.t, os.MkdirAll(filepath.Dir(at), 0o755))
		must(w.t, os.WriteFile(at, []byte(content), 0o644))
		must(w.t, os.Chtimes(at, epoch, epoch))
	}
}

// holds makes sure of a file in both roots, so that equal does not mean
// equally wrong.
func (w *world) holds(path, content string) {
	w.t.Helper()
	for _, root := range w.roots() {
		got, err := os.ReadFile(filepath.Join(root, path))
		must(w.t, err)
		if !bytes.Equal(got, []byte(content)) {
			w.t.Fatalf("%s holds %q instead of %q", filepath.Join(root, path), got, content)
		}
	}
}
