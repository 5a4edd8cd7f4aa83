// SPDX-License-Identifier: GPL-3.0-or-later

// Package apply_test makes systems what their manifests say, by the command
// line of the built rastos, and asks the real pacman what it thinks of them.
package apply_test

import (
	"archive/tar"
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/pkgfile"
	"github.com/rastos/rastos/alpm/repo"
	"github.com/rastos/rastos/internal/host/run"
	"github.com/rastos/rastos/internal/testkit"
)

const annasKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE6ByBxLpS1LSsCqUBr1jcGLlfmxhI0SpAWODLOxmbdl anna@home"

func TestMain(m *testing.M) {
	run.MaybeChild()
	os.Exit(m.Run())
}

// world is a repository, a manifest, and a root that is made what it says.
type world struct {
	t              *testing.T
	binary         string
	dir, srv, root string

	touched int // how often the database was made newer

	siglevel string // of the repository; "": never
	extra    string // more of [packages]
	more     string // more of the manifest
}

func newWorld(t *testing.T) *world {
	t.Helper()
	testkit.Integration(t)
	testkit.NeedRoot(t)
	testkit.NeedTool(t, "pacman")
	dir := t.TempDir()
	w := &world{t: t, binary: testkit.NeedBinary(t), dir: dir, srv: filepath.Join(dir, "srv"), root: filepath.Join(dir, "root")}
	for _, d := range []string{w.srv, w.root, filepath.Join(dir, "gnupg")} {
		w.must(os.Mkdir(d, 0o755))
	}
	w.must(os.WriteFile(filepath.Join(dir, "pacman.conf"), []byte("[options]\nArchitecture = x86_64\nSigLevel = Never\nLocalFileSigLevel = Never\n"+
		"[core]\nServer = file://"+w.srv+"\n"), 0o644))
	fs := pkg("filesystem", "1-1")
	fs.files = map[string]string{
		"etc/passwd": "root:x:0:0::/root:/bin/shell\n", "etc/group": "root:x:0:\nwheel:x:998:\n", "etc/shadow": "root:!:19000::::::\n",
		"etc/skel/.profile": "# hello\n", "etc/hosts": "127.0.0.1 localhost\n", "bin": "-> usr/bin", "root/": "",
	}
	for _, name := range []string{"passwd", "group", "shadow", "hosts"} {
		fs.Backup = append(fs.Backup, desc.Backup{Path: "etc/" + name})
	}
	app := pkg("app", "1-1", "depends=lib", "depends=shell")
	app.files = map[string]string{"usr/lib/systemd/system/app.service": "[Service]\nExecStart=/usr/bin/app\n[Install]\nWantedBy=multi-user.target\n"}
	shell := pkg("shell", "5-1", "depends=filesystem", "provides=sh")
	shell.files = map[string]string{"usr/bin/shell": "elf", "usr/bin/bash": "elf"}
	w.publish(fs, app, shell, pkg("lib", "1-1"), pkg("linux", "6-1"), pkg("tool", "1-1", "depends=lib", "depends=sh"),
		pkg("old", "1-1", "conflicts=new"), pkg("new", "1-1"))
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// made is a package to make.
type made struct {
	*desc.Package
	files map[string]string // "dir/": a folder, "-> x": a link
}

// pkg makes a package of words like "depends=x".
func pkg(name, version string, relations ...string) made {
	p := &desc.Package{Name: name, Base: name, Version: version, Arch: "any", Description: "For a test", Packager: "test"}
	for _, r := range relations {
		key, value, _ := strings.Cut(r, "=")
		switch key {
		case "depends":
			p.Depends = append(p.Depends, value)
		case "provides":
			p.Provides = append(p.Provides, value)
		case "conflicts":
			p.Conflicts = append(p.Conflicts, value)
		case "replaces":
			p.Replaces = append(p.Replaces, value)
		}
	}
	return made{Package: p}
}

// archive writes a package beside the repository and returns its path.
func (w *world) archive(m made) string { return w.archiveIn(w.dir, m) }

func (w *world) archiveIn(dir string, m made) string {
	w.t.Helper()
	path := filepath.Join(dir, m.Name+"-"+m.Version+"-any.pkg.tar.zst")
	out, err := os.Create(path)
	w.must(err)
	defer out.Close()
	pw, err := pkgfile.NewWriter(out, m.Package, pkgfile.WriterOptions{Fast: true, Epoch: time.Unix(1700000000, 0)})
	w.must(err)
	files := map[string]string{"usr/share/" + m.Name: m.Version + "\n"}
	for name, text := range m.files {
		files[name] = text
	}
	for name, text := range files {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644}
		if target, ok := strings.CutPrefix(text, "-> "); ok {
			h.Typeflag, h.Linkname, h.Mode, text = tar.TypeSymlink, target, 0o777, ""
		} else if strings.HasSuffix(name, "/") {
			h.Typeflag, h.Mode = tar.TypeDir, 0o755
		}
		h.Size = int64(len(text))
		w.must(pw.Add(h, strings.NewReader(text)))
	}
	w.must(pw.Close())
	return path
}

// publish puts packages into the repository.
func (w *world) publish(list ...made) {
	w.t.Helper()
	var paths []string
	for _, m := range list {
		paths = append(paths, w.archiveIn(w.srv, m))
	}
	_, err := repo.Add(context.Background(), w.db(), paths, repo.Options{})
	w.must(err)
	w.touch()
}

func (w *world) db() string { return filepath.Join(w.srv, "core.db.tar.gz") }

// touch makes the database newer by its time, which is all that is asked.
func (w *world) touch() {
	w.t.Helper()
	st, err := os.Stat(w.db())
	w.must(err)
	w.touched++
	later := st.ModTime().Add(time.Duration(w.touched) * time.Minute)
	w.must(os.Chtimes(w.db(), later, later))
}

func (w *world) remove(names ...string) {
	w.t.Helper()
	_, err := repo.Remove(context.Background(), w.db(), names, repo.Options{})
	w.must(err)
	w.touch()
}

func (w *world) at(name string) string { return filepath.Join(w.root, name) }

func (w *world) read(path string) string {
	w.t.Helper()
	data, err := os.ReadFile(path)
	w.must(err)
	return string(data)
}

func (w *world) file(name, want string) {
	w.t.Helper()
	if got := w.read(w.at(name)); got != want {
		w.t.Errorf("%s is %q, want %q", name, got, want)
	}
}

// manifest writes machine.toml for these packages.
func (w *world) manifest(packages string) {
	w.t.Helper()
	text := fmt.Sprintf("[system]\nhostname = \"atlas\"\n[packages]\nofficial = [%s]\n%s[[repository]]\nname = \"core\"\nservers = [\"file://%s\"]\nsiglevel = \"%s\"\n%s",
		packages, w.extra, w.srv, cmp.Or(w.siglevel, "never"), w.more)
	w.must(os.WriteFile(filepath.Join(w.dir, "machine.toml"), []byte(text), 0o644))
}

// run runs a verb on the manifest and the root.
func (w *world) run(args ...string) (string, int) {
	w.t.Helper()
	cmd := exec.Command(w.binary, slices.Concat(args[:1], []string{filepath.Join(w.dir, "machine.toml"), "--root", w.root}, args[1:])...)
	cmd.Env = append(os.Environ(), "RASTOS_CONFIG="+os.DevNull, "RASTOS_CACHE_DIR="+filepath.Join(w.dir, "cache"))
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		w.t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

func (w *world) ok(args ...string) string {
	w.t.Helper()
	out, code := w.run(args...)
	if code != 0 {
		w.t.Fatalf("rastos %v: exit code %d\n%s", args, code, out)
	}
	return out
}

// nothingToDo checks that the system is what its manifest says.
func (w *world) nothingToDo(args ...string) {
	w.t.Helper()
	if out := w.ok(append([]string{"plan"}, args...)...); !strings.Contains(out, "the system is what its manifest says") {
		w.t.Errorf("there is still something to do:\n%s", out)
	}
}

func (w *world) pacman(args ...string) (string, error) {
	cmd := exec.Command("pacman", append([]string{"--noconfirm", "--config", filepath.Join(w.dir, "pacman.conf"), "--root", w.root,
		"--dbpath", w.at("var/lib/pacman"), "--cachedir", filepath.Join(w.dir, "pacman-cache"), "--gpgdir", filepath.Join(w.dir, "gnupg"),
		"--hookdir", filepath.Join(w.dir, "hooks"), "--logfile", filepath.Join(w.dir, "log")}, args...)...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (w *world) mustPacman(args ...string) string {
	w.t.Helper()
	out, err := w.pacman(args...)
	if err != nil {
		w.t.Fatalf("pacman %v: %v\n%s", args, err, out)
	}
	return out
}

// has checks what is installed, as pacman tells.
func (w *world) has(want ...string) {
	w.t.Helper()
	if got := strings.Fields(strings.ReplaceAll(w.mustPacman("-Q"), " ", "_")); !slices.Equal(got, strings.Fields(strings.ReplaceAll(strings.Join(want, "\n"), " ", "_"))) {
		w.t.Errorf("installed: %v, want %v", got, want)
	}
}

func (w *world) explicit(want ...string) {
	w.t.Helper()
	if got := strings.Fields(w.mustPacman("-Qeq")); !slices.Equal(got, want) {
		w.t.Errorf("asked for: %v, want %v", got, want)
	}
}

// sound asks pacman whether the database and the files are whole.
func (w *world) sound() {
	w.t.Helper()
	w.mustPacman("-Dk")
	if out := w.mustPacman("-Qkk"); strings.Contains(out, "warning:") && !onlyChanged(out) {
		w.t.Errorf("pacman -Qkk:\n%s", out)
	}
	if left, _ := filepath.Glob(w.at("var/lib/pacman/*.lck*")); left != nil {
		w.t.Errorf("left: %v", left)
	}
}

// onlyChanged: what pacman warns of are the backup files that settings change.
func onlyChanged(out string) bool {
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, "warning:") && !strings.Contains(line, "/etc/") {
			return false
		}
	}
	return true
}
