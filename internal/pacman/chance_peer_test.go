// SPDX-License-Identifier: GPL-3.0-or-later

package pacman_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// chance makes up command lines, settings and answers.
type chance struct {
	*rand.Rand
	url, dir string
	xfer     bool // XferCommand: of a URL pacman then looks for the package in the wrong place
	failing  bool // XferCommand fails
}

func (c chance) in(percent int) bool { return c.IntN(100) < percent }

func (c chance) pick(list ...string) string { return list[c.IntN(len(list))] }

// word is one of the words of a text.
func (c chance) word(text string) string { return c.pick(strings.Fields(text)...) }

// words are up to n of them, with spaces between.
func (c chance) words(n int, text string) string {
	var out []string
	for range c.IntN(n + 1) {
		out = append(out, c.word(text))
	}
	return strings.Join(out, " ")
}

// maybe is a text, so many times in a hundred.
func (c chance) maybe(percent int, text string) string {
	if c.in(percent) {
		return text
	}
	return ""
}

const (
	someInstalled = "app lib friend oldname ign conf scr down t2 chain1 chain2 chain3 held"
	someOffered   = "app lib t1 t2 t3 user p1 p2 foe rival newname ign conf scr down clash twin1 twin2 broken sub alien ring1 ring2 mode enemy1 enemy2 stale extra-docs"
	someTargets   = someOffered + " " + someOffered + " core/lib extra/lib core/t1 extra/t1 no/lib lib=2 lib>=3 lib<3 virt company tools tools core/tools nope core/nope extra/virt virt=1 oldname app=2-1 tmp/x"
	someFiles     = "packages/down-2-1-any.pkg.tar.zst packages/app-1-1-any.pkg.tar.zst packages/lib-1-1-any.pkg.tar.zst core/app-2-1-any.pkg.tar.zst core/lib-2-1-any.pkg.tar.zst extra/lib-3-1-any.pkg.tar.zst " +
		"core/t1-1-1-any.pkg.tar.zst core/foe-1-1-any.pkg.tar.zst core/conf-2-1-any.pkg.tar.zst core/user-1-1-any.pkg.tar.zst core/clash-1-1-any.pkg.tar.zst core/scr-2-1-any.pkg.tar.zst core/broken-1-1-any.pkg.tar.zst " +
		"extra/t3-1-1-any.pkg.tar.zst core/alien-1-1-m68k.pkg.tar.zst core/newname-2-1-any.pkg.tar.zst pacman.conf nope.pkg.tar.zst packages/ign-1-1-any.pkg.tar.zst"
	somePaths = "usr/bin/stray usr/bin/* * usr/* !usr/bin/* etc/conf /usr/bin/stray"
)

// common are options that all operations take.
func (c chance) common() string {
	return c.maybe(20, " --noconfirm") + c.maybe(3, " --confirm") + c.maybe(3, " -v") + c.maybe(2, " --noprogressbar") +
		c.maybe(3, " --color "+c.word("always never auto sometimes")) + c.maybe(2, " --arch "+c.word("m68k x86_64 any auto")) +
		c.maybe(1, " --disable-download-timeout") + c.maybe(1, " --cachedir root/more/") + c.maybe(1, " --hookdir root/more") + c.maybe(1, " --logfile root/var/log/pacman.log")
}

// changing are options of what changes the system.
func (c chance) changing() string {
	return c.maybe(8, " -d") + c.maybe(5, " -dd") + c.maybe(4, " --dbonly") + c.maybe(5, " --noscriptlet") + c.maybe(10, " --ask "+strconv.Itoa(c.IntN(128))) +
		c.maybe(12, " -p") + c.maybe(6, " --print-format "+c.word("%n %n-%v:%r:%s:%l %% %x%n %l%l")) +
		c.maybe(8, " --assume-installed "+c.word("nothing nothing=3 nothing>=3 sub virt lib=1 company"))
}

func (c chance) installing() string {
	return c.changing() + c.maybe(15, " --needed") + c.maybe(10, " --asdeps") + c.maybe(8, " --asexplicit") + c.maybe(8, " -w") +
		c.maybe(15, " --overwrite "+c.word(somePaths)) + c.maybe(8, " --ignore "+c.word("lib app t* *1 lib user")) + c.maybe(5, " --ignoregroup "+c.word("tools t* nope"))
}

// command is a command line. What belongs nowhere is put in at times.
func (c chance) command() string {
	line := c.operation() + c.common()
	if strings.Contains(line, "yy") && c.failing { // pacman takes the old database away first
		line = strings.ReplaceAll(line, "yy", "y")
	}
	return line + c.maybe(3, " "+c.word("-q -s -i -l -k -c -u -n -e -g -o -x -y -t -m -b --needed --dbonly --nosave --cascade --refresh --file --quiet --machinereadable --list=x --re -Q -S -z"))
}

func (c chance) operation() string {
	switch kind := c.IntN(100); {
	case kind < 30:
		return "-S" + c.pick("", "", "", "", "u", "u", "uu", "y", "yu", "yy", "yyuu") + c.installing() + " " + c.words(3, someTargets)
	case kind < 38:
		return "-S" + c.pick("s", "s", "i", "ii", "l", "g", "gg", "sq", "lq", "gq", "iq", "siq") + c.maybe(10, "y") + " " + c.words(2, someTargets+" core extra Foo ^l t.$ ( [ a* .")
	case kind < 42:
		return "-S" + c.pick("c", "cc", "c", "cp", "ccc") + " " + c.words(1, "lib")
	case kind < 54:
		files := someFiles
		for _, f := range strings.Fields(strings.Replace(someFiles, "pacman.conf", "", 1)) { // which pacman calls by a random name
			if c.xfer {
				break
			}
			files += " " + c.pick("", "", c.url+"/"+f, "file://"+c.dir+"/"+f)
		}
		return "-U" + c.installing() + " " + once(c.words(3, files))
	case kind < 70:
		return "-R" + c.pick("", "", "s", "s", "ss", "c", "cs", "css", "n", "sn", "u", "us", "cu", "nus") + c.changing() + " " + c.words(3, someInstalled+" "+someInstalled+" tools company nope local/lib core/lib")
	case kind < 88:
		return c.query()
	case kind < 91:
		return "-D" + c.pick(" --asdeps", " --asexplicit", "k", "kk", "q --asdeps", "kq", "") + " " + c.words(2, someInstalled+" nope")
	case kind < 97:
		return "-F" + c.pick("", "", "l", "lq", "x", "q", "xq", "y", "yy", "yl", "yx", " --machinereadable", "l --machinereadable") + " " + c.words(2, someOffered+" usr/bin/app /usr/bin/t1 usr/bin usr/bin/ app extra/lib core/lib no/lib ^t. b.n ( nope")
	default:
		return "-T" + c.maybe(10, "q") + " " + c.words(4, someTargets)
	}
}

// once leaves out a second URL of a file: pacman downloads it twice.
func once(words string) string {
	var out []string
	seen := map[string]bool{}
	for _, w := range strings.Fields(words) {
		if file := w[strings.LastIndexByte(w, '/')+1:]; strings.Contains(w, "://") {
			if seen[file] {
				continue
			}
			seen[file] = true
		}
		out = append(out, w)
	}
	return strings.Join(out, " ")
}

func (c chance) query() string {
	line := "-Q"
	for _, letter := range "edtmnulkis" {
		line += c.maybe(14, string(letter))
	}
	line += c.maybe(30, "q") + c.maybe(5, "c") + c.maybe(5, "g") + c.maybe(5, "t") + c.maybe(5, "i") + c.maybe(5, "k")
	switch kind := c.IntN(100); {
	case kind < 15:
		return "-Qp" + line[2:] + " " + c.words(2, someFiles)
	case kind < 25:
		return "-Qo" + c.maybe(30, "q") + " " + c.words(2, "root/usr/bin/app root/usr/bin/ root/usr/bin root/usr/lib/lib root root/ app nope root/nope root/etc/conf pacman.conf")
	case kind < 30:
		return "-Qs" + c.maybe(30, "q") + " " + c.words(2, someInstalled+" ^a .$ ( company a*")
	case kind < 36:
		return "-Qg" + c.maybe(30, "q") + " " + c.words(2, "tools nope tools")
	}
	return line + " " + c.maybe(70, c.words(3, someInstalled+" "+someInstalled+" company nope local/lib lib=1 lib>1 tmp/x"))
}

// answers are what a person types.
func (c chance) answers() string {
	var out strings.Builder
	for range c.IntN(7) {
		out.WriteString(c.pick("y", "y", "y", "y", "n", "", "1", "2", "1-2", "^1", "x", "yes", "9", "0", "3-1", "1 2", "Y ", "1,3", "-1", "2-", "^") + c.pick("\n", "\n", "\n", "\n", "\n", "\n", "\n", "\n", "\r\n"))
	}
	return out.String() + c.maybe(5, "y")
}

// settings writes a pacman.conf.
func (c chance) settings(w *changes) string {
	text := "[options]\nArchitecture = x86_64\nSigLevel = Never\n"
	for _, line := range []string{
		"CacheDir = " + w.root + "/var/cache/pacman/pkg", "HookDir = " + w.root + "/etc/pacman.d/hooks", "DBPath = " + w.root + "/var/lib/pacman",
		c.maybe(60, "IgnorePkg = "+c.pick("ign", "ign", "app", "l*", "ign app", "user virt", "*1")), c.maybe(10, "IgnoreGroup = "+c.word("tools to* nope")),
		c.maybe(60, "HoldPkg = "+c.pick("held", "chain*", "app lib")), c.maybe(12, "NoUpgrade = "+c.pick("etc/mine", "etc/*", "usr/bin/* !usr/bin/app", "*")),
		c.maybe(12, "NoExtract = "+c.pick("usr/bin/*", "etc/mine", "* !usr/*", "usr/lib/lib")), c.maybe(12, "CleanMethod = "+c.pick("KeepInstalled", "KeepCurrent", "KeepInstalled KeepCurrent")),
		c.maybe(8, "VerbosePkgLists"), c.maybe(5, "CheckSpace"), c.maybe(5, "Color"), c.maybe(5, "ParallelDownloads = "+c.pick("1", "3", "50")), c.maybe(4, "NoProgressBar"),
		c.maybe(4, "XferCommand = "+c.pick("/usr/bin/curl -sfRo %o %u", "/bin/false", "/usr/bin/curl -sfRO %u", "/bin/sh -c 'exit 3'")), c.maybe(3, "ILoveCandy"), c.maybe(3, "UseSyslog"),
		c.maybe(3, "LocalFileSigLevel = "+c.pick("Optional", "Required", "Never")), c.maybe(3, "RemoteFileSigLevel = "+c.pick("Optional", "Required")),
		c.maybe(2, "Nonsense = 1"), c.maybe(1, "SigLevel = Maybe"),
	} {
		if line != "" {
			text += line + "\n"
		}
	}
	for _, name := range strings.Fields(c.pick("core extra", "core extra", "core extra", "core extra", "core extra", "extra core", "core", "core extra absent", "")) {
		text += fmt.Sprintf("[%s]\n", name) + c.maybe(15, "Usage = "+c.pick("Sync", "Search", "Install", "Upgrade", "All", "Sync Search", "Sync Install", "Search Upgrade", "Install Upgrade")+"\n") +
			c.maybe(4, "SigLevel = "+c.pick("Required", "Optional", "PackageRequired", "DatabaseRequired", "PackageOptional DatabaseNever")+"\n") +
			c.servers(w, name)
	}
	return text
}

// harm is what people and disks do to installed files, a locked database, and
// caches with strange files.
func (c chance) harm(t *testing.T) func(root string) {
	var list []string
	for range c.IntN(5) {
		list = append(list, c.word("usr/bin/app usr/bin/lib-tool usr/lib/lib etc/conf etc/mine usr/bin/scr usr/bin/friend usr/bin/name usr/lib var/cache/pacman/pkg/lib-1-1-any.pkg.tar.zst "+
			"var/cache/pacman/pkg/odd var/cache/pacman/pkg/t1-1-1-any.pkg.tar.zst  var/lib/pacman/db.lck usr/bin/t1 usr/share/twin")+
			" "+c.word("gone changed changed mode dir link owner time"))
	}
	if c.in(60) {
		list = nil
	}
	return func(root string) {
		for _, what := range list {
			name, how, _ := strings.Cut(what, " ")
			path := root + "/" + name
			_ = os.MkdirAll(filepath.Dir(path), 0o755)
			var err error
			switch _, gone := os.Stat(path); {
			case how == "gone":
				err = os.RemoveAll(path)
			case how == "mode" && gone == nil:
				err = os.Chmod(path, 0o750)
			case how == "owner" && gone == nil:
				err = os.Lchown(path, 7, 8)
			case how == "time" && gone == nil:
				err = os.Chtimes(path, epoch, epoch.Add(time.Hour))
			case strings.HasPrefix(name, "var/") && (how == "dir" || how == "link"):
			case how == "dir":
				must(t, os.RemoveAll(path))
				err = os.Mkdir(path, 0o755)
			case how == "link":
				must(t, os.RemoveAll(path))
				err = os.Symlink("conf", path)
			case strings.HasSuffix(name, "usr/lib"):
			default:
				err = os.WriteFile(path, []byte("changed"), 0o644)
			}
			must(t, err)
		}
	}
}

// servers are mostly one of http; none of a disk comes after one that fails,
// since pacman then takes its answer for that of the other.
func (c chance) servers(w *changes, repo string) string {
	switch kind := c.IntN(100); {
	case kind < 4:
		return ""
	case kind < 30:
		return "Server = file://" + w.dir + "/" + repo + "\n"
	case kind < 36:
		return "Server = " + w.server.URL + "/nowhere\nServer = " + w.server.URL + "/$repo\n"
	}
	return "Server = " + w.server.URL + "/$repo\n"
}

// notAsPacman tells whether ours is to differ. A signature that is required and
// that a mirror has not got: pacman has failed to download something, and keeps
// a new database that nobody vouches for; ours says what is missing. A directory
// in the place of a file: pacman stops in the middle of the transaction, ours
// before it. A backup file that was not extracted: pacman writes (null) for its
// sum, ours the sum.
func notAsPacman(theirs []outcome, tree []string) bool {
	return slices.ContainsFunc(theirs, func(o outcome) bool {
		return strings.Contains(o.err, ".sig' from ") || strings.Contains(o.err, "extract: not overwriting dir with file")
	}) || slices.ContainsFunc(tree, func(line string) bool { return strings.Contains(line, `\t(null)`) })
}

// TestChanceAsPacman lets both programs take command lines that are made up,
// several of them on one root. RASTOS_TEST_SEEDS asks for more of them,
// RASTOS_TEST_FIRST_SEED for others.
func TestChanceAsPacman(t *testing.T) {
	w := newChanges(t)
	time.Local = time.UTC
	first, count := number(t, "RASTOS_TEST_FIRST_SEED", 0), number(t, "RASTOS_TEST_SEEDS", 100)
	failures := 0
	for seed := first; seed < first+count && failures < 12; seed++ {
		c := chance{rand.New(rand.NewPCG(uint64(seed), 7)), w.server.URL, w.dir, false, false}
		conf := c.settings(w)
		must(t, os.WriteFile(w.conf, []byte(conf), 0o644))
		w.harm = c.harm(t)
		c.xfer = strings.Contains(conf, "XferCommand")
		c.failing = strings.Contains(conf, "XferCommand = /bin")
		var steps []step
		for range 1 + c.IntN(4) {
			steps = append(steps, step{c.answers(), c.command()})
		}
		if !w.both(steps...) {
			failures++
			t.Errorf("seed %d, with\n%s\nand %q", seed, conf, steps)
		}
	}
}

// TestFoundByChance keeps what TestChanceAsPacman found.
func TestFoundByChance(t *testing.T) {
	w := newChanges(t)
	time.Local = time.UTC
	for _, c := range []struct {
		options, ofCore, ofExtra string
		lines                    []string
	}{
		{ofExtra: "Usage = Upgrade\n", lines: []string{"-Ss docs", "-Ss", "-Ss (", "-Sl extra", "-Si extra-docs", "-S extra-docs"}},
		{ofExtra: "Usage = Sync Install\n", lines: []string{"-Ss docs", "-Qu", "-Su"}},
		{ofExtra: "Usage = Sync\n", lines: []string{"-S extra-docs", "-S extra/extra-docs", "-S t3", "-Sg tools", "-S tools", "-S extra/tools"}},
		{options: "IgnorePkg = t1", ofExtra: "Usage = Sync Search\n", lines: []string{"-S tools", "-Sy"}},
		{ofExtra: "SigLevel = Required\n", lines: []string{"-S t1", "-Ss t1", "-Q app", "-R friend", "-U core/t1-1-1-any.pkg.tar.zst packages/lib-1-1-any.pkg.tar.zst", "-Sp t1",
			"-U -dd core/t1-1-1-any.pkg.tar.zst", "-U core/alien-1-1-m68k.pkg.tar.zst", "-U --needed packages/lib-1-1-any.pkg.tar.zst"}},
		{ofCore: "-", lines: []string{"-S t1 t3", "-Su", "-S extra-docs", "-Sp t1", "-Sy"}},
		{options: "ParallelDownloads = 1", ofCore: "Server = " + w.server.URL + "/nowhere\n", lines: []string{"-Syu", "-S t1 t2", "-Su"}},
		{options: "LocalFileSigLevel = Required\nRemoteFileSigLevel = Required", lines: []string{"-U core/t1-1-1-any.pkg.tar.zst", "-U file://" + w.dir + "/core/t1-1-1-any.pkg.tar.zst"}},
		{options: "HoldPkg = friend app", lines: []string{"-Rp friend", "-Rsp app"}},
		{options: "[absent]", lines: []string{"-S --assume-installed lib>=3 t1", "-U core/t1-1-1-any.pkg.tar.zst"}},
		{options: "XferCommand = /bin/false %u", ofCore: "SigLevel = Optional\n", lines: []string{"-S t1"}},
		{options: "XferCommand = /usr/bin/curl -sfRo %o %u", ofCore: "SigLevel = Optional\n", lines: []string{"-Sy", "-S t1"}},
		{options: "RemoteFileSigLevel = Optional", lines: []string{"-U " + w.server.URL + "/core/t1-1-1-any.pkg.tar.zst"}},
		{lines: []string{"-U file:///nowhere/t1-1-1-any.pkg.tar.zst"}},
		{lines: []string{"-U nope.pkg.tar.zst packages/lib-1-1-any.pkg.tar.zst pacman.conf core/down-1-1-any.pkg.tar.zst"}},
		{lines: []string{"-U packages/lib-1-1-any.pkg.tar.zst core/lib-2-1-any.pkg.tar.zst packages/app-1-1-any.pkg.tar.zst extra/lib-3-1-any.pkg.tar.zst"}},
		{lines: []string{"-Up " + w.server.URL + "/core/t1-1-1-any.pkg.tar.zst"}},
		{lines: []string{"-Uw " + w.server.URL + "/core/t1-1-1-any.pkg.tar.zst", "-U " + w.server.URL + "/packages/lib-1-1-any.pkg.tar.zst " + w.server.URL + "/core/t1-1-1-any.pkg.tar.zst"}},
	} {
		w.ofRepo = map[string]string{"core": c.ofCore, "extra": c.ofExtra}
		w.configure(c.options)
		var steps []step
		for _, line := range c.lines {
			steps = append(steps, step{"y\ny\ny\ny\n", line})
		}
		w.both(steps...)
	}
}

// TestCleaningAsPacman cleans a cache that holds what is no package.
func TestCleaningAsPacman(t *testing.T) {
	w := newChanges(t)
	for _, odd := range []string{"odd/", "odd", "odd.sig", "x.db", "x.files.sig", "a-1.src.tar.gz", ".hidden", "app-2-1-any.pkg.tar.zst.part"} {
		w.harm = func(root string) {
			name := filepath.Join(root, "var/cache/pacman/pkg", odd)
			if strings.HasSuffix(odd, "/") {
				must(t, os.Mkdir(name, 0o755))
			} else {
				must(t, os.WriteFile(name, []byte("odd"), 0o644))
			}
			must(t, os.WriteFile(filepath.Join(root, "var/lib/pacman/sync/old.db"), nil, 0o644))
		}
		w.both(step{"y\ny\n", "-Scc"})
		if !strings.HasSuffix(odd, "/") { // of which pacman tells its number as an open file
			w.both(step{"y\ny\n", "-Sc"})
		}
	}
}

// TestSelectionsAsPacman types what is no selection, or hardly one.
func TestSelectionsAsPacman(t *testing.T) {
	w := newChanges(t)
	for _, text := range []string{"2-", "^", "-", "1-2-3", "^^1", "0", "+1", "1\t2", "1,,2", " ", ",", "^ 1", "1 ^", "-1", "1--2", "1-", "2-2", "^1-3", "01", "1x", "1 5"} {
		w.both(step{text + "\ny\n", "-S tools"}, step{text + "\n\ny\n", "-S user"})
	}
}

// TestURLTwice: pacman downloads what is asked for twice so often, and then
// refuses it; ours does it once.
func TestURLTwice(t *testing.T) {
	w := newChanges(t)
	w.configure("")
	url := w.server.URL + "/core/t1-1-1-any.pkg.tar.zst"
	var said [2]string
	for who, do := range []func(string, ...string) outcome{w.theirs, w.ours} {
		w.fresh()
		got := do("y\n", "-U", url, url)
		said[who] = fmt.Sprint(got.code, got.err, strings.ReplaceAll(got.out, " t1-1-1-any downloading...\n", ""), w.tree())
	}
	if diff := cmp.Diff(said[0], said[1]); diff != "" {
		t.Errorf("-theirs +ours: %s", diff)
	}
}

func number(t testing.TB, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	must(t, err)
	return n
}
