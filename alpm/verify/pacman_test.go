// SPDX-License-Identifier: GPL-3.0-or-later

package verify_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/localdb"
	"github.com/rastos/rastos/alpm/pkgfile"
	"github.com/rastos/rastos/alpm/verify"
	"github.com/rastos/rastos/internal/testkit"
)

// damages are what can happen to a file of a package, by name.
var damages = map[string]func(path string) error{
	"untouched": func(string) error { return nil },
	"removed":   os.RemoveAll,
	"longer": func(p string) error { // opening a FIFO would wait for ever
		f, err := os.OpenFile(p, os.O_WRONLY|os.O_APPEND|syscall.O_NONBLOCK, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = f.WriteString("more")
		return err
	},
	"other content, same size and time": func(p string) error {
		st, err := os.Stat(p)
		if err != nil || !st.Mode().IsRegular() {
			return err
		}
		if err := os.WriteFile(p, []byte(strings.Repeat("#", int(st.Size()))), 0); err != nil {
			return err
		}
		return os.Chtimes(p, st.ModTime(), st.ModTime())
	},
	"time":           func(p string) error { return os.Chtimes(p, time.Unix(5, 0), time.Unix(5, 0)) },
	"mode":           func(p string) error { return os.Chmod(p, 0o4711|os.ModeSetuid) },
	"owner":          func(p string) error { return os.Lchown(p, 7, -1) },
	"group":          func(p string) error { return os.Lchown(p, -1, 8) },
	"owner and mode": func(p string) error { return os.Chmod(p, must2(os.Lchown(p, 3, 4), 0o600)) },
	"a directory":    func(p string) error { return replace(p, func() error { return os.Mkdir(p, 0o755) }) },
	"a file":         func(p string) error { return replace(p, func() error { return os.WriteFile(p, []byte("x"), 0o644) }) },
	"a FIFO":         func(p string) error { return replace(p, func() error { return syscall.Mkfifo(p, 0o644) }) },
	"a link":         func(p string) error { return replace(p, func() error { return os.Symlink("elsewhere", p) }) },
	"a link to itself": func(p string) error {
		return replace(p, func() error { return os.Symlink(filepath.Base(p), p) })
	},
	"a hard link": func(p string) error { return os.Link(p, p+".hard") },
}

func must2(err error, mode os.FileMode) os.FileMode {
	if err != nil {
		panic(err)
	}
	return mode
}

func replace(path string, by func() error) error {
	if err := os.RemoveAll(path); err != nil {
		return err
	}
	return by()
}

func someEntries(name string) []entry {
	return []entry{
		{path: "etc/" + name + ".conf", value: "setting\n"}, {path: "etc/" + name + ".link", value: "-> " + name + ".conf"},
		{path: "usr/bin/" + name, value: "program", mode: 0o755}, {path: "usr/bin/" + name + "-su", value: "program", mode: 0o4755},
		{path: "usr/lib/" + name + "/", mode: 0o750}, {path: "usr/lib/" + name + "/deep/er/file", value: "deep"},
		{path: "usr/lib/" + name + "/empty", value: ""}, {path: "usr/lib/" + name + "/owned", value: "x", uid: 33, gid: 34},
		{path: "usr/share/" + name + "/a b#=*?[\"\\\tü", value: "odd name"}, {path: "usr/share/" + name + "/skipped/en", value: "no"},
		{path: "var/" + name + ".fifo", value: "fifo"},
	}
}

// Every kind of damage, done to a file, a backup file, a directory, a link.
func TestEveryDamageIsFoundAsPacmanFindsIt(t *testing.T) {
	testkit.Integration(t)
	victims := []string{"etc/a.conf", "etc/a.link", "usr/bin/a", "usr/bin/a-su", "usr/lib/a", "usr/lib/a/deep/er",
		"usr/lib/a/empty", "usr/lib/a/owned", "usr/share/a/skipped/en", "var/a.fifo", "var/lib/pacman/local/a-1:1.0-1/install"}
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			for _, victim := range victims {
				l := newLab(t)
				p := pkg("a")
				p.Backup = []desc.Backup{{Path: "etc/a.conf"}, {Path: "etc/a.link"}}
				l.install(p, pkgfile.WriterOptions{Install: []byte("# nothing\n"), Changelog: []byte("1.0\n")}, someEntries("a")...)
				// What cannot be done to such a file is left undone.
				if err := damage(l.at(victim)); err != nil {
					t.Logf("%s: %v", victim, err)
				}
				l.same()
			}
		})
	}
}

// Many packages, damaged at random.
func TestRandomDamageIsFoundAsPacmanFindsIt(t *testing.T) {
	testkit.Integration(t)
	kinds := make([]string, 0, len(damages))
	for _, name := range []string{"removed", "longer", "other content, same size and time", "time", "mode", "owner", "group", "a directory",
		"a file", "a FIFO", "a link", "a link to itself"} {
		if damages[name] == nil {
			t.Fatal(name)
		}
		kinds = append(kinds, name)
	}
	for seed := range uint64(12) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		l := newLab(t, "usr/share/*/skipped/*", "!usr/share/p3/skipped/*", "var/lib/pacman/local/p4-*/install")
		var paths []string
		for i := range 12 {
			p := pkg(fmt.Sprint("p", i))
			p.Backup = []desc.Backup{{Path: "etc/" + p.Name + ".conf"}}
			opt := pkgfile.WriterOptions{}
			if i%2 == 0 {
				opt.Install = []byte("# nothing\n")
				paths = append(paths, "var/lib/pacman/local/"+p.Entry()+"/install")
			}
			l.install(p, opt, someEntries(p.Name)...)
			for _, e := range someEntries(p.Name) {
				paths = append(paths, e.path)
			}
		}
		for range 30 {
			victim := paths[rnd.IntN(len(paths))]
			_ = damages[kinds[rnd.IntN(len(kinds))]](l.at(victim))
		}
		if seed%3 == 0 {
			must(t, os.Remove(l.at("var/lib/pacman/local/p5-1:1.0-1/mtree")))
		}
		l.same()
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// What root can read, others cannot.
func TestUnreadableFilesAreFoundAsPacmanFindsThem(t *testing.T) {
	testkit.Integration(t)
	l := newLab(t)
	p := pkg("a")
	p.Backup = []desc.Backup{{Path: "etc/a.conf"}}
	l.install(p, pkgfile.WriterOptions{}, append(someEntries("a"), entry{path: "etc/secret", value: "s", mode: 0o600})...)
	must(t, os.Chmod(l.at("etc/a.conf"), 0o600))
	for dir := filepath.Dir(l.root); dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		must(t, os.Chmod(dir, 0o755))
	}
	nobody := &syscall.Credential{Uid: 65534, Gid: 65534}
	wantOut, wantErr := l.pacman(nobody, "-Qkk")

	program := filepath.Join(l.root, "../verify.test")
	self, err := os.ReadFile("/proc/self/exe")
	must(t, err)
	must(t, os.WriteFile(program, self, 0o755))
	cmd := exec.Command(program, "-test.run=^TestAsNobody$")
	cmd.Dir, cmd.Env = "/", []string{"VERIFY_ROOT=" + l.root}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: nobody}
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	gotOut, rest, _ := strings.Cut(string(out), "\f")
	gotErr, _, _ := strings.Cut(rest, "\f")
	if diff := cmp.Diff(wantOut+wantErr, gotOut+gotErr); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(gotErr, "/etc/secret (failed to calculate SHA256 checksum)") || !strings.Contains(gotErr, "Permission denied") {
		t.Errorf("nothing was refused: %s", gotErr)
	}
}

// TestAsNobody is the other half of the test above, in a process without rights.
func TestAsNobody(t *testing.T) {
	root := os.Getenv("VERIFY_ROOT")
	if root == "" {
		return
	}
	l := &lab{t: t, root: root}
	db, err := localdb.Open(filepath.Join(l.dbpath(), "local"))
	must(t, err)
	var results []verify.Result
	must(t, verify.Check(t.Context(), db, db.Packages(), verify.Options{Root: root, Local: db.Dir(), Full: true}, func(r verify.Result) error {
		results = append(results, r)
		return r.Err
	}))
	stdout, stderr := render(results, true)
	fmt.Printf("%s\f%s\f", stdout, stderr)
}
