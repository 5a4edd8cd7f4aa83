// SPDX-License-Identifier: GPL-3.0-or-later

package trans_test

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/keyring"
	"github.com/rastos/rastos/alpm/pkgfile"
	"github.com/rastos/rastos/alpm/repo"
	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/internal/host/run"
	"github.com/rastos/rastos/internal/testkit"
)

func TestMain(m *testing.M) {
	run.MaybeChild()
	if order := os.Getenv(childVariable); order != "" {
		os.Exit(child(order))
	}
	os.Exit(m.Run())
}

// spec is a package to make: "name version key=value…", and its files:
// "path/" is a directory, "-> x" a link, else the content. A value may begin
// with "0700 " for a mode.
type spec struct {
	info    string
	files   map[string]string
	install string
}

func must(t testing.TB, err error) {
	if err == nil {
		return // also in a child, which has no test
	}
	t.Helper()
	t.Fatal(err)
}

var epoch = time.Unix(1700000000, 0)

// info reads the first line of a spec.
func (s spec) pkg(t testing.TB) *desc.Package {
	t.Helper()
	f := strings.Fields(s.info)
	p := &desc.Package{Name: f[0], Base: f[0], Version: f[1], Arch: "any", Description: "the " + f[0],
		URL: "https://example.org", Packager: "Nobody", Licenses: []string{"MIT"}, BuildDate: epoch.Unix()}
	for _, kv := range f[2:] {
		key, value, _ := strings.Cut(kv, "=")
		list := strings.Split(value, ",")
		switch key {
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

// build writes the archive of a spec into dir.
func (s spec) build(t testing.TB, dir string) string {
	t.Helper()
	p := s.pkg(t)
	path := filepath.Join(dir, fmt.Sprintf("%s-%s-any.pkg.tar.zst", p.Name, p.Version))
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
		must(t, w.Add(header(name, value)))
	}
	must(t, w.Close())
	return path
}

func header(name, value string) (*tar.Header, *strings.Reader) {
	h := &tar.Header{Name: name, Mode: 0o644, Typeflag: tar.TypeReg}
	if mode, rest, ok := strings.Cut(value, " "); ok && (len(mode) == 4 || len(mode) == 5) && mode[0] == '0' {
		fmt.Sscanf(mode, "%o", &h.Mode)
		value = rest
	} else if strings.HasSuffix(name, "/") {
		h.Mode = 0o755
	}
	switch {
	case strings.HasSuffix(name, "/"):
		h.Typeflag = tar.TypeDir
		return h, strings.NewReader("")
	case strings.HasPrefix(value, "-> "):
		h.Typeflag, h.Linkname, h.Mode = tar.TypeSymlink, value[3:], 0o777
		return h, strings.NewReader("")
	}
	h.Size = int64(len(value))
	return h, strings.NewReader(value)
}

// lab holds one repository and a root for each of the two programs.
type lab struct {
	t           testing.TB
	dir         string
	repoDir     string
	ours, peers string // roots
	// direct is ours too, where the same is done without the journal.
	direct    string
	durable   bool
	conf      []string
	env       func(*trans.Env)
	events    []trans.Event
	published int
}

func newLab(t testing.TB) *lab {
	t.Helper()
	dir, err := os.MkdirTemp(tmpfs(), "rastos-trans-")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	l := &lab{t: t, dir: dir, repoDir: filepath.Join(dir, "repo"), ours: filepath.Join(dir, "ours"), peers: filepath.Join(dir, "peers"),
		direct: filepath.Join(dir, "direct")}
	for _, d := range []string{l.repoDir, l.ours, l.peers, l.direct, filepath.Join(dir, "hooks"), filepath.Join(dir, "gpg")} {
		must(t, os.Mkdir(d, 0o755))
	}
	for _, d := range []string{l.ours, l.peers, l.direct} {
		must(t, os.MkdirAll(filepath.Join(d, "var/lib/pacman"), 0o755))
		must(t, os.MkdirAll(filepath.Join(d, "var/log"), 0o755))
	}
	return l
}

// tmpfs is where test roots are quick to make and to remove.
func tmpfs() string {
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		return "/dev/shm"
	}
	return ""
}

// publish makes the repository hold exactly these packages.
func (l *lab) publish(specs ...spec) {
	l.t.Helper()
	must(l.t, os.RemoveAll(l.repoDir))
	must(l.t, os.Mkdir(l.repoDir, 0o755))
	var paths []string
	for _, s := range specs {
		paths = append(paths, s.build(l.t, l.repoDir))
	}
	_, err := repo.Add(context.Background(), filepath.Join(l.repoDir, "core.db.tar.gz"), paths, repo.Options{})
	must(l.t, err)
	// A new database must be newer by its time, which is all that pacman asks.
	l.published++
	when := epoch.Add(time.Duration(l.published) * time.Hour)
	must(l.t, os.Chtimes(filepath.Join(l.repoDir, "core.db.tar.gz"), when, when))
}

func (l *lab) environment() trans.Env {
	unsigned, err := keyring.ParseSigLevel(keyring.SigLevel{}, "Never")
	must(l.t, err)
	env := trans.Env{
		Root: l.ours, DBPath: filepath.Join(l.ours, "var/lib/pacman"), CacheDir: filepath.Join(l.dir, "cache-ours"),
		Repos:        []trans.Repo{{Name: "core", Servers: []string{"file://" + l.repoDir}, SigLevel: unsigned}},
		FileSigLevel: unsigned, Arch: "x86_64",
		HookDirs: []string{filepath.Join(l.ours, "usr/share/libalpm/hooks")},
		Clock:    func() time.Time { return epoch },
		Durable:  l.durable,
	}
	if l.env != nil {
		l.env(&env)
	}
	return env
}

func (l *lab) sync() {
	l.t.Helper()
	_, err := trans.Sync(context.Background(), l.environment(), nil)
	must(l.t, err)
}

// try runs a request with ours.
func (l *lab) try(req trans.Request) (*trans.Plan, error) {
	l.t.Helper()
	ctx := context.Background()
	env := l.environment()
	l.events = nil
	plan, err := trans.Prepare(ctx, env, req)
	if err != nil {
		return nil, err
	}
	return plan, trans.Run(ctx, env, plan, func(e trans.Event) { l.events = append(l.events, e) })
}

func (l *lab) run(req trans.Request) *trans.Plan {
	l.t.Helper()
	l.sync()
	plan, err := l.try(req)
	if err != nil {
		l.t.Fatalf("ours: %v", err)
	}
	return plan
}

// pacman runs the real one on a root.
func (l *lab) pacman(root string, args ...string) (string, error) {
	l.t.Helper()
	testkit.NeedTool(l.t, "pacman")
	conf := filepath.Join(l.dir, "pacman.conf")
	text := "[options]\nArchitecture = x86_64\nSigLevel = Never\nLocalFileSigLevel = Never\n" + strings.Join(l.conf, "\n") +
		"\n[core]\nServer = file://" + l.repoDir + "\n"
	must(l.t, os.WriteFile(conf, []byte(text), 0o644))
	must(l.t, os.MkdirAll(filepath.Join(l.dir, "cache-pacman"), 0o755))
	cmd := exec.Command("pacman", append([]string{
		"--noconfirm", "--root", root, "--dbpath", filepath.Join(root, "var/lib/pacman"), "--config", conf,
		"--cachedir", filepath.Join(l.dir, "cache-pacman"), "--gpgdir", filepath.Join(l.dir, "gpg"),
		"--logfile", filepath.Join(l.dir, "pacman.log"), "--hookdir", filepath.Join(root, "usr/share/libalpm/hooks"),
	}, args...)...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (l *lab) mustPacman(root string, args ...string) string {
	l.t.Helper()
	out, err := l.pacman(root, args...)
	if err != nil {
		l.t.Fatalf("pacman %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// both runs the same with the two programs, ours with the journal and without,
// and compares the roots.
func (l *lab) both(req trans.Request, args ...string) {
	l.t.Helper()
	l.mustPacman(l.peers, "-Sy")
	l.mustPacman(l.peers, args...)
	l.ours, l.direct, l.durable = l.direct, l.ours, false
	l.run(req)
	l.compare()
	l.ours, l.direct, l.durable = l.direct, l.ours, true
	l.run(req)
	l.compare()
	l.clean(l.ours)
}

// touch does the same to all roots.
func (l *lab) touch(do func(root string)) {
	do(l.ours)
	do(l.direct)
	do(l.peers)
}

func (l *lab) write(path, content string) {
	l.t.Helper()
	l.touch(func(root string) {
		must(l.t, os.MkdirAll(filepath.Dir(filepath.Join(root, path)), 0o755))
		must(l.t, os.WriteFile(filepath.Join(root, path), []byte(content), 0o644))
	})
}

func (l *lab) compare() {
	l.t.Helper()
	theirs, ours := snapshot(l.t, l.peers), snapshot(l.t, l.ours)
	var diff []string
	for _, line := range theirs {
		if !slices.Contains(ours, line) {
			diff = append(diff, "pacman: "+line)
		}
	}
	for _, line := range ours {
		if !slices.Contains(theirs, line) {
			diff = append(diff, "ours:   "+line)
		}
	}
	if len(diff) > 0 {
		l.t.Fatalf("the roots differ:\n%s", strings.Join(diff, "\n"))
	}
}

// clean asks pacman whether the database and the files are whole.
func (l *lab) clean(root string) {
	l.t.Helper()
	l.mustPacman(root, "-Dk")
	if entries, _ := filepath.Glob(filepath.Join(root, "var/lib/pacman/local/*/desc")); len(entries) > 0 {
		l.mustPacman(root, "-Qi")
	}
}

// snapshot describes a tree: type, mode, owner, content or target of
// everything, and the local database with its dates left out.
func snapshot(t testing.TB, root string) []string {
	t.Helper()
	var lines []string
	must(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		switch {
		case rel == "var/lib/pacman/sync", rel == "var/log":
			return fs.SkipDir
		case rel == ".", rel == "dev/null": // pacman's chroot has no device there and makes a file
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		st := info.Sys().(*syscall.Stat_t)
		line := fmt.Sprintf("%s %v %d:%d", rel, info.Mode(), st.Uid, st.Gid)
		switch {
		case info.Mode()&fs.ModeSymlink != 0:
			to, _ := os.Readlink(path)
			line += " -> " + to
		case info.Mode().IsRegular():
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			if strings.HasPrefix(rel, "var/lib/pacman/local/") {
				data = undated(data)
			} else {
				if info.ModTime().Before(epoch.Add(time.Hour)) { // else it was written by the test
					line += fmt.Sprintf(" %d", info.ModTime().Unix())
				}
				if strings.HasSuffix(rel, ".log") {
					data = nil
				}
			}
			line += fmt.Sprintf(" %q", data)
		}
		lines = append(lines, line)
		return nil
	}))
	sort.Strings(lines)
	return lines
}

// undated blanks the install date of a desc file.
func undated(data []byte) []byte {
	lines := bytes.Split(data, []byte("\n"))
	for i, l := range lines {
		if bytes.Equal(l, []byte("%INSTALLDATE%")) && i+1 < len(lines) {
			lines[i+1] = []byte("0")
		}
	}
	data = bytes.Join(lines, []byte("\n"))
	// pacman writes %XDATA% since 6.1; an older peer leaves it out.
	if before, rest, ok := bytes.Cut(data, []byte("%XDATA%\n")); ok {
		_, after, _ := bytes.Cut(rest, []byte("\n\n"))
		data = append(bytes.Clone(before), after...)
	}
	return data
}

// has tells whether an event of that kind names the path or package.
func (l *lab) has(kind trans.EventKind, what string) bool {
	return slices.ContainsFunc(l.events, func(e trans.Event) bool {
		return e.Kind == kind && (e.Path == what || e.Name == what)
	})
}
