// SPDX-License-Identifier: GPL-3.0-or-later

package pacman_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rastos/rastos/alpm/repo"
	"github.com/rastos/rastos/internal/host/run"
	"github.com/rastos/rastos/internal/testkit"
)

func TestMain(m *testing.M) {
	run.MaybeChild()
	os.Exit(m.Run())
}

// changes is a world in which both programs change the same root, each from
// the same beginning.
type changes struct {
	*world
	template string
	server   *httptest.Server
	harm     func(root string) // what was done to a fresh root; may be nil
	ofRepo   map[string]string // lines of pacman.conf in the sections of repositories; "-" at the end: and no server
}

func newChanges(t *testing.T) *changes {
	t.Helper()
	testkit.Integration(t)
	testkit.NeedRoot(t)
	testkit.NeedTool(t, "pacman")
	shell := testkit.NeedTool(t, "busybox")
	c := &changes{world: &world{t: t, dir: t.TempDir()}}
	t.Chdir(c.dir)
	c.root, c.conf, c.template = filepath.Join(c.dir, "root"), filepath.Join(c.dir, "pacman.conf"), filepath.Join(c.dir, "template")
	c.env = []string{"LC_ALL=C", "PATH=/usr/bin:/bin", "TZ=UTC"}
	c.server = httptest.NewServer(http.FileServer(http.Dir(c.dir)))
	t.Cleanup(c.server.Close)
	for _, d := range []string{"var/lib/pacman/sync", "var/log", "var/cache/pacman/pkg", "usr/bin", "bin", "tmp", "etc"} {
		must(t, os.MkdirAll(filepath.Join(c.root, d), 0o755))
	}
	data, err := os.ReadFile(shell)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(c.root, "bin/sh"), data, 0o755))
	c.configure("")
	for name, list := range changeRepos() {
		dir := filepath.Join(c.dir, name)
		must(t, os.Mkdir(dir, 0o755))
		var paths []string
		for _, r := range list {
			paths = append(paths, r.build(t, dir))
		}
		_, err := repo.Add(context.Background(), filepath.Join(dir, name+".db.tar.gz"), paths, repo.Options{})
		must(t, err)
	}
	dir := filepath.Join(c.dir, "packages")
	must(t, os.Mkdir(dir, 0o755))
	install := []string{"-U", "--noconfirm", "--noscriptlet"}
	for _, r := range changeInstalled() {
		install = append(install, r.build(t, dir))
	}
	for _, args := range [][]string{install, {"-D", "--asdeps", "lib", "chain2", "chain3"}, {"-Sy"}} {
		if got := c.theirs("", args...); got.code != 0 {
			t.Fatalf("pacman %v: %+v", args, got)
		}
	}
	for path, text := range map[string]string{"etc/mine": "mine\n", "usr/bin/stray": "stray\n", "tmp/x": ""} {
		must(t, os.WriteFile(filepath.Join(c.root, path), []byte(text), 0o644))
	}
	must(t, os.MkdirAll(filepath.Join(c.root, "usr/odd"), 0o700))
	must(t, os.Chmod(filepath.Join(c.root, "usr/odd"), 0o700))
	must(t, os.WriteFile(filepath.Join(c.root, "var/log/pacman.log"), nil, 0o644))
	must(t, os.Rename(c.root, c.template))
	return c
}

// configure writes pacman.conf with more options.
func (c *changes) configure(more string) {
	c.t.Helper()
	text := fmt.Sprintf("[options]\nArchitecture = x86_64\nSigLevel = Never\nIgnorePkg = ign\nHoldPkg = held\nCacheDir = %[1]s/var/cache/pacman/pkg\n"+
		"DBPath = %[1]s/var/lib/pacman\nHookDir = %[1]s/etc/pacman.d/hooks\n%[2]s\n", c.root, more)
	for _, name := range []string{"core", "extra"} {
		lines, alone := strings.CutSuffix(c.ofRepo[name], "-")
		text += fmt.Sprintf("[%s]\n%s", name, lines)
		if !alone {
			text += fmt.Sprintf("Server = %s/%s\n", c.server.URL, name)
		}
	}
	must(c.t, os.WriteFile(c.conf, []byte(text), 0o644))
}

// fresh makes the root what it is in the beginning.
func (c *changes) fresh() {
	c.t.Helper()
	must(c.t, os.RemoveAll(c.root))
	if out, err := exec.Command("cp", "-a", c.template, c.root).CombinedOutput(); err != nil {
		c.t.Fatalf("cp: %v: %s", err, out)
	}
	if c.harm != nil {
		c.harm(c.root)
	}
}

// step is one command and what is typed to it.
type step struct{ stdin, line string }

// both lets each program take the steps on a fresh root, and compares what
// they show after each and what they leave.
func (c *changes) both(steps ...step) (same bool) {
	c.t.Helper()
	var outcomes [2][]outcome
	var trees [2][]string
	for who := range 2 {
		c.fresh()
		for _, s := range steps {
			args := strings.Fields(s.line)
			do := c.theirs
			if who == 1 {
				do = c.ours
			}
			outcomes[who] = append(outcomes[who], do(s.stdin, args...))
		}
		trees[who] = c.tree()
	}
	if notAsPacman(outcomes[0], trees[0]) {
		return true
	}
	var lines []string
	for _, s := range steps {
		lines = append(lines, s.line)
	}
	name := strings.Join(lines, " && ")
	same = true
	for i := range steps {
		if diff := cmp.Diff(outcomes[0][i], outcomes[1][i], cmp.AllowUnexported(outcome{})); diff != "" {
			c.t.Errorf("pacman %s, step %d (-theirs +ours):\n%s", name, i+1, diff)
			same = false
		}
	}
	if diff := cmp.Diff(trees[0], trees[1]); diff != "" {
		c.t.Errorf("pacman %s leaves (-theirs +ours):\n%s", name, diff)
		same = false
	}
	return same
}

var (
	stamp = regexp.MustCompile(`(?m)^\[[^]]*\] `)
	dates = regexp.MustCompile(`(?m)^(%INSTALLDATE%)\n\d+`)
	xdata = regexp.MustCompile(`%XDATA%\n[^\n]*\n\n`)
)

// tree describes the root: type, mode, owner, content; what tells the time is
// left out, and the log is sorted, since packages may come side by side.
func (c *changes) tree() []string {
	var lines []string
	must(c.t, filepath.WalkDir(c.root, func(path string, d fs.DirEntry, err error) error {
		must(c.t, err)
		rel, _ := filepath.Rel(c.root, path)
		info, err := d.Info()
		must(c.t, err)
		switch rel {
		case ".", "dev", "dev/null": // pacman's chroot makes a file there
			return nil
		case "var/lib/pacman/rastos.history": // pacman keeps none
			return nil
		}
		if strings.HasSuffix(rel, "2-1-1-any.pkg.tar.zst.sig") { // see newSigned
			return nil
		}
		st := info.Sys().(*syscall.Stat_t)
		line := fmt.Sprintf("%s %v %d:%d", rel, info.Mode(), st.Uid, st.Gid)
		switch {
		case info.Mode()&fs.ModeSymlink != 0:
			to, _ := os.Readlink(path)
			line += " -> " + to
		case info.Mode().IsRegular():
			data, err := os.ReadFile(path)
			must(c.t, err)
			switch {
			case rel == "var/log/pacman.log":
				log := strings.Split(string(stamp.ReplaceAll(data, nil)), "\n")
				slices.Sort(log)
				data = []byte(strings.Join(log, "\n"))
			case strings.HasPrefix(rel, "var/lib/pacman/local"):
				data = xdata.ReplaceAll(dates.ReplaceAll(data, []byte("$1")), nil)
			case len(data) > 1000 || bytes.IndexByte(data, 0) >= 0:
				data = fmt.Appendf(nil, "%d bytes", len(data))
			}
			line += fmt.Sprintf(" %q", data)
		}
		lines = append(lines, line)
		return nil
	}))
	return lines
}

// TestChangesAsPacman lets both programs change the same root and compares all
// that they show and leave.
func TestChangesAsPacman(t *testing.T) {
	c := newChanges(t)
	time.Local = time.UTC
	for _, line := range []string{
		"-S lib", "-S app", "-S --noconfirm app", "-S core/lib", "-S extra/lib", "-S lib=3", "-S lib>=3", "-S nope", "-S nope app nopetoo", "-S no/lib",
		"-Su", "-Suu", "-Su --ignore app", "-Su --ignoregroup tools", "-S user", "-S virt", "-S tools", "-S --needed t2", "-S --needed tools", "-S t2", "-S down", "-S ign",
		"-S foe", "-S --ask 4 foe", "-S --ask 4 rival", "-S enemy1 enemy2", "-S clash", "-S --overwrite usr/bin/stray clash", "-S --overwrite * clash", "-S twin1 twin2",
		"-S broken", "-S broken t1", "-S --ask 16 broken t1", "-S alien", "-S -d stale", "-S -dd broken", "-S stale", "-S ring1", "-S conf", "-S scr", "-S --noscriptlet scr", "-S mode",
		"-S --dbonly t1", "-S --asdeps t1", "-S --asexplicit lib", "-S t3", "-S newname", "-S --assume-installed nothing=3 broken", "-S --assume-installed nothing=2 broken",
		"-Sw app", "-Sw t2 down", "-Sp app", "-Sp --print-format %n:%v:%r:%s:%l t1 lib", "-Sp nope", "-Sp tools", "-Sp user", "-Sup", "-Sy", "-Syy", "-Syu", "-Sc", "-Scc", "-S",
		"-S --ask 32 user", "-S --ask 1 ign", "-Su --ask 2",
		"-R nope", "-R nope nopetoo", "-R lib", "-R app", "-R scr", "-R chain1", "-Rs chain1", "-Rs app", "-Rss app", "-Rc chain3", "-Rcs chain3", "-Ru chain3 held", "-Rn conf", "-R conf",
		"-Rd lib", "-Rdd lib", "-R held", "-Rp chain1", "-Rsp chain1", "-Rp --print-format %n-%s chain1 app", "-R friend", "-R local/friend", "-R --dbonly friend", "-R --noscriptlet scr",
		"-R", "-U", "-U /nope.pkg.tar.zst", "-U pacman.conf", "-U packages/down-2-1-any.pkg.tar.zst", "-U core/app-2-1-any.pkg.tar.zst core/lib-2-1-any.pkg.tar.zst",
		"-U core/app-2-1-any.pkg.tar.zst", "-Up core/scr-2-1-any.pkg.tar.zst", "-U --needed packages/lib-1-1-any.pkg.tar.zst", "-U core/t1-1-1-any.pkg.tar.zst core/t1-1-1-any.pkg.tar.zst",
		"-Uw core/t1-1-1-any.pkg.tar.zst", "-U --asdeps core/t1-1-1-any.pkg.tar.zst", "-Up --print-format %s core/lib-2-1-any.pkg.tar.zst",
	} {
		c.both(step{"y\ny\ny\ny\n", line})
		if !strings.Contains(line, "--noconfirm") && !strings.Contains(line, "-p") {
			c.both(step{"", "--noconfirm " + line})
		}
	}
}

// TestAnswersAsPacman types other answers.
func TestAnswersAsPacman(t *testing.T) {
	c := newChanges(t)
	for _, s := range []step{
		{"n\n", "-S lib"}, {"", "-S lib"}, {"maybe\n", "-S lib"}, {"\n", "-S lib"}, {"YES\n", "-S lib"}, {"n\ny\n", "-S ign"}, {"y\ny\n", "-S ign"},
		{"2\ny\n", "-S user"}, {"3\n1\ny\n", "-S user"}, {"x\n\ny\n", "-S user"}, {"\nn\n", "-S virt"},
		{"2-3\ny\n", "-S tools"}, {"^1\ny\n", "-S tools"}, {"1,4\ny\n", "-S tools"}, {"9\n1-2 ^1\ny\n", "-S tools"}, {"", "-S tools"}, {"1\nn\n", "-S tools"},
		{"n\ny\n", "-Su"}, {"y\nn\n", "-Su"}, {"y\ny\n", "-S foe"}, {"n\n", "-S foe"}, {"y\ny\n", "-S broken t1"}, {"n\n", "-R held"}, {"y\ny\n", "-R held"}, {"y\nn\n", "-R held"},
		{"n\nn\n", "-Sc"}, {"y\nn\n", "-Scc"}, {"n\ny\n", "-Sc"},
	} {
		c.both(s)
	}
}

// TestSequencesAsPacman takes several steps, with other settings.
func TestSequencesAsPacman(t *testing.T) {
	c := newChanges(t)
	yes := func(lines ...string) (steps []step) {
		for _, l := range lines {
			steps = append(steps, step{"y\ny\ny\ny\n", l})
		}
		return steps
	}
	c.both(yes("-Sw app", "-S app", "-S app", "-Rs app", "-Sc")...)
	c.both(yes("-S t3", "-R t1", "-Rc t1", "-S tools")...)
	c.both(yes("-S conf", "-R conf", "-S conf")...)
	url := c.server.URL
	c.both(yes("-U "+url+"/core/t1-1-1-any.pkg.tar.zst", "-U "+url+"/core/t1-1-1-any.pkg.tar.zst", "-U "+url+"/core/none.pkg.tar.zst")...)
	c.both(yes("-U file://"+c.dir+"/core/t1-1-1-any.pkg.tar.zst", "-U --needed file://"+c.dir+"/core/t1-1-1-any.pkg.tar.zst")...)
	for _, more := range []string{"VerbosePkgLists", "CheckSpace", "NoUpgrade = etc/mine usr/bin/app", "NoExtract = usr/lib/*", "CleanMethod = KeepCurrent", "ParallelDownloads = 5", "Color"} {
		c.configure(more)
		c.both(yes("-Su", "-Rs app", "-Sc", "-S t3 --color always")...)
	}
}

// TestXferCommandAsPacman downloads by another program.
func TestXferCommandAsPacman(t *testing.T) {
	c := newChanges(t)
	testkit.NeedTool(t, "curl")
	for _, command := range []string{"/usr/bin/curl -sfRo %o %u", "/usr/bin/curl -sfRO %u", "/bin/false %u"} {
		c.configure("XferCommand = " + command)
		c.both(step{"y\ny\n", "-Sy"}, step{"y\ny\n", "-S lib t3"}, step{"y\ny\n", "-S t3"})
	}
}

// TestBrokenMirrorsAsPacman has repositories that do not answer as they should.
func TestBrokenMirrorsAsPacman(t *testing.T) {
	c := newChanges(t)
	config, err := os.ReadFile(c.conf)
	must(t, err)
	bad := c.server.URL + "/none/core\nServer = "
	must(t, os.WriteFile(c.conf, []byte(strings.Replace(string(config), "Server = ", "Server = "+bad, 1)), 0o644))
	c.both(step{"y\n", "-S lib"}, step{"y\n", "-Syy"})
	c.both(step{"y\n", "-S lib t1 t2 p1 user"})
	must(t, os.WriteFile(c.conf, []byte(strings.ReplaceAll(string(config), c.server.URL, c.server.URL+"/none")), 0o644))
	c.both(step{"y\n", "-Sy"}, step{"y\n", "-S t1"})
	must(t, os.WriteFile(c.conf, config, 0o644))
	must(t, os.Remove(filepath.Join(c.template, "var/lib/pacman/sync/extra.db")))
	c.both(step{"y\n", "-S t1"}, step{"", "-Ss t1"}, step{"y\n", "-U core/t1-1-1-any.pkg.tar.zst"}, step{"y\n", "-R friend"}, step{"", "-Sl"})
	must(t, os.WriteFile(filepath.Join(c.template, "var/lib/pacman/db.lck"), nil, 0o000))
	c.both(step{"y\n", "-S t1"}, step{"y\n", "-Sy"}, step{"y\n", "-R friend"}, step{"y\n", "-Sc"}, step{"", "-Sp t1"})
}

// TestRepositoriesAsPacman asks what is in them.
func TestRepositoriesAsPacman(t *testing.T) {
	c := newChanges(t)
	var steps []step
	for _, line := range []string{
		"-Ss", "-Ss lib", "-Ssq t", "-Ss nothing-has-it", "-Si lib", "-Sii lib", "-Si extra/lib", "-Si nope", "-Si no/lib", "-Si", "-Sl", "-Slq", "-Sl core", "-Sl nope extra",
		"-Sg", "-Sgg", "-Sg tools", "-Sgq tools", "-Sg nope", "-Ss --color always lib", "-Sl --color always core",
	} {
		steps = append(steps, step{"", line})
	}
	c.both(steps...)
}
