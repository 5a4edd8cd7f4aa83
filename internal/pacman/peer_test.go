// SPDX-License-Identifier: GPL-3.0-or-later

package pacman_test

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/pkgfile"
	"github.com/rastos/rastos/alpm/repo"
	"github.com/rastos/rastos/internal/flow"
	"github.com/rastos/rastos/internal/host/run"
	"github.com/rastos/rastos/internal/pacman"
	"github.com/rastos/rastos/internal/testkit"
)

// world is a root that pacman made, and what both programs are asked about it.
type world struct {
	t    *testing.T
	dir  string
	root string
	conf string
	env  []string
}

// recipe is a package to be made: the lines of its .PKGINFO that differ from
// the ordinary, and its files.
type recipe struct {
	desc.Package
	install, changelog string
	files              map[string]string // "dir/": a directory; "-> x": a link
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var epoch = time.Date(2024, 2, 9, 8, 7, 6, 0, time.UTC)

// build writes the package and returns its path.
func (r recipe) build(t testing.TB, dir string) string {
	t.Helper()
	p := r.Package
	if p.Arch == "" {
		p.Arch = "any"
	}
	p.Packager, p.BuildDate, p.URL = "A Packager <a@example.org>", epoch.Unix(), "https://example.org/"+p.Name
	path := filepath.Join(dir, p.Entry()+"-"+p.Arch+".pkg.tar.zst")
	f, err := os.Create(path)
	must(t, err)
	defer f.Close()
	opt := pkgfile.WriterOptions{Epoch: epoch, Fast: true}
	if r.install != "" {
		opt.Install = []byte(r.install)
	}
	if r.changelog != "" {
		opt.Changelog = []byte(r.changelog)
	}
	w, err := pkgfile.NewWriter(f, &p, opt)
	must(t, err)
	for name, text := range r.files {
		h := &tar.Header{Name: name, Mode: 0o644, Size: int64(len(text)), Typeflag: tar.TypeReg}
		switch {
		case strings.HasSuffix(name, "/"):
			h.Mode, h.Typeflag = 0o755, tar.TypeDir
		case strings.HasPrefix(text, "-> "):
			h.Mode, h.Typeflag, h.Linkname, h.Size = 0o777, tar.TypeSymlink, text[3:], 0
		}
		must(t, w.Add(h, strings.NewReader(text)))
	}
	must(t, w.Close())
	return path
}

// recipes are what is installed in the world.
func recipes() []recipe {
	return []recipe{
		{Package: desc.Package{Name: "alpha", Version: "1.0-1", Description: "The first package, whose description is long enough to be folded on a terminal",
			Licenses: []string{"GPL-3.0-or-later", "MIT"}, Groups: []string{"letters", "greek"}, Provides: []string{"first=1", "letter"},
			Depends: []string{"beta>=1", "libgamma.so=3-64"}, OptDepends: []string{"delta: for the fourth", "none: nothing", "epsilon"},
			Conflicts: []string{"omega<2"}, Replaces: []string{"old-alpha"}, Backup: []desc.Backup{{Path: "etc/alpha.conf"}, {Path: "etc/gone.conf"}, {Path: "etc/same.conf"}}},
			install: "post_install() { :; }\n", changelog: "1.0\n\n* all new\n",
			files: map[string]string{"etc/alpha.conf": "a\n", "etc/gone.conf": "g\n", "etc/same.conf": "s\n", "usr/bin/alpha": "#!/bin/sh\n", "usr/share/alpha/": "", "usr/bin/a": "-> alpha"}},
		{Package: desc.Package{Name: "beta", Version: "2:1.5-2", Description: "Second g++ (letter)", Groups: []string{"greek"}, OptDepends: []string{"alpha"}, Depends: []string{"gamma"}},
			files: map[string]string{"usr/bin/beta": "beta", "usr/lib/libbeta.so": "-> libbeta.so.1", "usr/lib/libbeta.so.1": strings.Repeat("b", 5000)}},
		{Package: desc.Package{Name: "delta", Version: "0.9-1", Description: "Fourth", Arch: "x86_64"},
			files: map[string]string{"usr/share/delta/data": strings.Repeat("d", 3<<20), "usr/bin/delta": "d"}},
		{Package: desc.Package{Name: "gamma", Version: "3-1", Provides: []string{"libgamma.so=3-64"}},
			files: map[string]string{"usr/lib/libgamma.so": "g"}},
		{Package: desc.Package{Name: "meta", Version: "1-1", Description: "Nothing in it", Depends: []string{"alpha", "delta"}}},
	}
}

// newerRecipes are what the repositories have.
func newerRecipes() map[string][]recipe {
	return map[string][]recipe{
		"core": {
			{Package: desc.Package{Name: "alpha", Version: "1.1-1", Description: "The first package, newer", Groups: []string{"letters"}}, files: map[string]string{"usr/bin/alpha": "2", "usr/share/alpha/new": "n"}},
			{Package: desc.Package{Name: "beta", Version: "2:1.5-2", Description: "Second g++ (letter)", Groups: []string{"greek"}, Depends: []string{"missing-thing"}}, files: map[string]string{"usr/bin/beta": "beta"}},
		},
		"extra": {
			{Package: desc.Package{Name: "alpha", Version: "9-1"}, files: map[string]string{"usr/bin/alpha": "9"}},
			{Package: desc.Package{Name: "gamma", Version: "2-1"}, files: map[string]string{"usr/lib/libgamma.so": "g", "usr/lib/Weird+Name": "w"}},
		},
	}
}

func newWorld(t *testing.T) *world {
	t.Helper()
	testkit.Integration(t)
	testkit.NeedRoot(t)
	testkit.NeedTool(t, "pacman")
	w := &world{t: t, dir: t.TempDir()}
	t.Chdir(w.dir)
	w.root, w.conf = filepath.Join(w.dir, "root"), filepath.Join(w.dir, "pacman.conf")
	w.env = []string{"LC_ALL=C", "PATH=" + filepath.Join(w.root, "usr/bin") + ":/usr/bin:/bin", "TZ=UTC"}
	must(t, os.MkdirAll(filepath.Join(w.root, "var/lib/pacman/sync"), 0o755))
	must(t, os.MkdirAll(filepath.Join(w.root, "var/log"), 0o755))
	text := "[options]\nArchitecture = x86_64\nSigLevel = Optional\nIgnorePkg = igno*\nNoExtract = usr/share/skipped/*\nDBPath = " +
		w.root + "/var/lib/pacman\n"
	for _, name := range []string{"core", "extra"} {
		dir := filepath.Join(w.dir, name)
		must(t, os.Mkdir(dir, 0o755))
		var paths []string
		for _, r := range newerRecipes()[name] {
			paths = append(paths, r.build(t, dir))
		}
		_, err := repo.Add(context.Background(), filepath.Join(dir, name+".db.tar.gz"), paths, repo.Options{})
		must(t, err)
		for _, ext := range []string{".db", ".files"} {
			data, err := os.ReadFile(filepath.Join(dir, name+ext))
			must(t, err)
			must(t, os.WriteFile(filepath.Join(w.root, "var/lib/pacman/sync", name+ext), data, 0o644))
		}
		text += fmt.Sprintf("[%s]\nServer = file://%s\n", name, dir)
	}
	must(t, os.WriteFile(w.conf, []byte(text), 0o644))
	dir := filepath.Join(w.dir, "packages")
	must(t, os.Mkdir(dir, 0o755))
	install := []string{"-U", "--noconfirm"}
	for _, r := range recipes() {
		install = append(install, r.build(t, dir))
	}
	if got := w.theirs("", install...); got.code != 0 {
		t.Fatalf("pacman -U: %+v", got)
	}
	for _, p := range []string{"beta", "gamma"} {
		if got := w.theirs("", "-D", "--asdeps", p); got.code != 0 {
			t.Fatalf("pacman -D: %+v", got)
		}
	}
	must(t, os.WriteFile(filepath.Join(w.root, "etc/alpha.conf"), []byte("changed\n"), 0o644))
	must(t, os.Remove(filepath.Join(w.root, "etc/gone.conf")))
	return w
}

// outcome is all that a program shows.
type outcome struct {
	out, err string
	code     int
}

func (w *world) args(args []string) []string {
	return append([]string{"pacman", "--root", w.root, "--config", w.conf}, args...)
}

// theirs runs pacman.
func (w *world) theirs(stdin string, args ...string) outcome {
	w.t.Helper()
	return w.program(stdin, w.args(args)...)
}

func (w *world) program(stdin string, argv ...string) outcome {
	w.t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Args[0] = argv[0]
	cmd.Env, cmd.Dir, cmd.Stdin = w.env, w.dir, strings.NewReader(stdin)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		w.t.Fatal(err)
	}
	return outcome{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

// ours runs the same in this process.
func (w *world) ours(stdin string, args ...string) outcome {
	return w.run(stdin, w.args(args)...)
}

func (w *world) run(stdin string, argv ...string) outcome {
	var out, errs strings.Builder
	code := pacman.Main(context.Background(), w.app(strings.NewReader(stdin), &out, &errs), argv)
	return outcome{out.String(), strings.ReplaceAll(errs.String(), saysMore, ""), code & 0xff}
}

// saysMore is what is said beyond pacman's words of a lock that nobody holds.
const saysMore = "  no program here has it open: the one that made it was interrupted\n"

func (w *world) app(in io.Reader, out, errs io.Writer) *pacman.App {
	return &pacman.App{
		Stdin: in, Stdout: out, Stderr: errs,
		Columns: func() int { return 0 }, Terminal: func() (io.Reader, error) { return nil, syscall.ENXIO },
		Getenv: func(name string) string {
			for _, e := range w.env {
				if v, ok := strings.CutPrefix(e, name+"="); ok {
					return v
				}
			}
			return ""
		},
		Getwd: func() (string, error) { return w.dir, nil }, Now: time.Now, Processor: "x86_64",
		EnterRoot: func(string) error { return errors.ErrUnsupported },
		RunProgram: func(ctx context.Context, dir string, argv []string) (int, error) {
			res, err := run.Runner{}.Run(ctx, run.Command{Argv: argv, Dir: dir, Stdout: out, Stderr: errs})
			var exit *run.ExitError
			if errors.As(err, &exit) {
				return exit.Code, nil
			}
			return res.Code, err
		},
		Machine: &flow.Machine{Geteuid: os.Geteuid, Chroot: run.InRoot{}, Now: time.Now},
	}
}

// same asks both.
func (w *world) same(args ...string) {
	w.t.Helper()
	theirs, ours := w.theirs("", args...), w.ours("", args...)
	if diff := cmp.Diff(theirs, ours, cmp.AllowUnexported(outcome{})); diff != "" {
		w.t.Errorf("pacman %s (-theirs +ours):\n%s", strings.Join(args, " "), diff)
	}
}
