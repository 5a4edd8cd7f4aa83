// SPDX-License-Identifier: GPL-3.0-or-later

package trans_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/internal/testkit"
)

// peer prepares a test that compares our root with pacman's.
func peer(t *testing.T) *lab {
	t.Helper()
	testkit.Integration(t)
	testkit.NeedRoot(t)
	testkit.NeedTool(t, "pacman")
	return newLab(t)
}

var base = []spec{
	{info: "filesystem 1-1", files: map[string]string{
		"usr/bin/": "", "usr/lib/": "", "lib": "-> usr/lib", "bin": "-> usr/bin", "etc/": "", "root/": "0700 ", "tmp/": "01777 ", "var/": "",
	}},
	{info: "libc 2-1 depends=filesystem provides=libc.so=6", files: map[string]string{"usr/lib/libc.so": "0755 elf"}},
	{info: "app 1-1 depends=libc.so=6,tool>=1 backup=etc/app.conf groups=all", files: map[string]string{
		"usr/bin/app": "0755 app", "etc/app.conf": "0640 one", "usr/share/doc/app/README": "read", "usr/bin/app2": "-> app",
	}},
	{info: "tool 1.2-1 depends=libc groups=all", files: map[string]string{"usr/bin/tool": "04755 tool", "var/lib/tool/": "0750 "}},
}

func TestPeerInstall(t *testing.T) {
	l := peer(t)
	l.publish(base...)
	l.both(trans.Request{Targets: []string{"app"}}, "-S", "app")
	if out := l.mustPacman(l.ours, "-Qkk"); strings.Contains(out, "warning") {
		t.Errorf("pacman -Qkk:\n%s", out)
	}
	if out := l.mustPacman(l.ours, "-Qe"); out != "app 1-1\n" {
		t.Errorf("explicit packages: %q", out)
	}
}

// The same with a repository that repo-add made.
func TestPeerInstallFromRepoAdd(t *testing.T) {
	l := peer(t)
	repoAdd := testkit.NeedTool(t, "repo-add")
	var paths []string
	for _, s := range base {
		paths = append(paths, s.build(t, l.repoDir))
	}
	out, err := exec.Command(repoAdd, append([]string{"-q", filepath.Join(l.repoDir, "core.db.tar.gz")}, paths...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("repo-add: %v\n%s", err, out)
	}
	l.both(trans.Request{Targets: []string{"app"}}, "-S", "app")
}

func TestPeerInstallGroupThenRemove(t *testing.T) {
	l := peer(t)
	l.publish(base...)
	l.both(trans.Request{Targets: []string{"all"}}, "-S", "all")
	l.write("etc/app.conf", "changed")
	l.write("usr/share/doc/app/mine", "kept")
	l.both(trans.Request{Remove: []string{"app"}}, "-R", "app")
	l.both(trans.Request{Targets: []string{"app"}}, "-S", "app")
	l.write("etc/app.conf", "changed again")
	l.both(trans.Request{Remove: []string{"app"}, Recursive: true}, "-Rs", "app")
	if !l.has(trans.EventPacsave, "etc/app.conf.pacsave") {
		t.Error("no event tells of the .pacsave")
	}
}

func TestPeerBackupStates(t *testing.T) {
	l := peer(t)
	names := []string{"same", "package", "person", "both", "bothsame", "gone", "new", "dropped", "droppedchanged"}
	list := func(skip ...string) string {
		var out []string
		for _, n := range names {
			if !strings.Contains(strings.Join(skip, " "), n) {
				out = append(out, "etc/"+n)
			}
		}
		return strings.Join(out, ",")
	}
	files := func(v string) map[string]string {
		m := map[string]string{"etc/same": "same", "etc/person": "person"}
		for _, n := range []string{"package", "both", "bothsame", "gone", "dropped", "droppedchanged"} {
			m["etc/"+n] = n + v
		}
		return m
	}
	v1 := spec{info: "c 1-1 backup=" + list("new"), files: files("1")}
	v2 := spec{info: "c 2-1 backup=" + list("dropped"), files: files("2")}
	v2.files["etc/new"] = "new2"
	delete(v2.files, "etc/dropped")
	delete(v2.files, "etc/droppedchanged")
	l.publish(v1)
	l.both(trans.Request{Targets: []string{"c"}}, "-S", "c")
	l.write("etc/person", "mine")
	l.write("etc/both", "mine")
	l.write("etc/bothsame", "bothsame2")
	l.write("etc/new", "was here")
	l.write("etc/droppedchanged", "mine")
	l.touch(func(root string) { must(t, os.Remove(filepath.Join(root, "etc/gone"))) })
	l.publish(v2)
	l.both(trans.Request{SysUpgrade: true}, "-Su")
	if !l.has(trans.EventPacnew, "etc/both.pacnew") {
		t.Error("no event tells of the .pacnew")
	}
	l.both(trans.Request{Targets: []string{"c"}}, "-S", "c")
}

func TestPeerFileMovesBetweenPackages(t *testing.T) {
	for _, order := range []string{"a gives to b", "b gives to a"} {
		t.Run(order, func(t *testing.T) {
			l := peer(t)
			from, to := "a", "b"
			if order == "b gives to a" {
				from, to = to, from
			}
			l.publish(
				spec{info: from + " 1-1", files: map[string]string{"usr/lib/x": "old", "usr/lib/d/y": "y", "usr/lib/keep": "1"}},
				spec{info: to + " 1-1", files: map[string]string{"usr/bin/" + to: "1"}})
			l.both(trans.Request{Targets: []string{"a", "b"}}, "-S", "a", "b")
			l.publish(
				spec{info: from + " 2-1", files: map[string]string{"usr/lib/keep": "2"}},
				spec{info: to + " 2-1", files: map[string]string{"usr/bin/" + to: "2", "usr/lib/x": "new", "usr/lib/d/y": "y2"}})
			l.both(trans.Request{SysUpgrade: true}, "-Su")
		})
	}
}

func TestPeerReplace(t *testing.T) {
	l := peer(t)
	l.publish(
		spec{info: "old 1-1 backup=etc/o.conf", files: map[string]string{"usr/bin/o": "1", "etc/o.conf": "1", "usr/lib/old/x": "1"}},
		spec{info: "user 1-1 depends=old", files: map[string]string{"usr/bin/user": "1"}})
	l.both(trans.Request{Targets: []string{"user"}}, "-S", "user")
	l.write("etc/o.conf", "mine")
	l.publish(
		spec{info: "new 2-1 replaces=old conflicts=old provides=old backup=etc/o.conf",
			files: map[string]string{"usr/bin/o": "2", "etc/o.conf": "2", "usr/lib/new/x": "1"}},
		spec{info: "user 1-1 depends=old", files: map[string]string{"usr/bin/user": "1"}})
	l.both(trans.Request{SysUpgrade: true}, "-Su")
	if out := l.mustPacman(l.ours, "-Qd"); !strings.Contains(out, "new 2-1") {
		t.Errorf("the replacement did not inherit the reason: %s", out)
	}
}

func TestPeerDirectories(t *testing.T) {
	l := peer(t)
	l.publish(
		spec{info: "a 1-1", files: map[string]string{"usr/lib/a/deep/x": "1", "usr/lib/shared/a": "1", "usr/lib/kept/a": "1", "usr/lib/file": "1", "usr/lib/todir": "1", "usr/lib/link": "-> a", "usr/lib/tofile/x": "1"}},
		spec{info: "b 1-1", files: map[string]string{"usr/lib/shared/b": "1"}})
	l.both(trans.Request{Targets: []string{"a", "b"}}, "-S", "a", "b")
	l.write("usr/lib/kept/mine", "mine")
	l.publish(
		spec{info: "a 2-1", files: map[string]string{"usr/lib/file": "2", "usr/lib/todir/x": "2", "usr/lib/link/x": "2", "usr/lib/tofile": "2"}},
		spec{info: "b 1-1", files: map[string]string{"usr/lib/shared/b": "1"}})
	l.both(trans.Request{SysUpgrade: true}, "-Su")
	l.both(trans.Request{Remove: []string{"a"}}, "-R", "a")
}

func TestPeerDirectoryModesOfTheFirst(t *testing.T) {
	l := peer(t)
	l.publish(
		spec{info: "a 1-1", files: map[string]string{"srv/": "0700 ", "srv/a": "1"}},
		spec{info: "b 1-1 depends=a", files: map[string]string{"srv/": "0755 ", "srv/b": strings.Repeat("large", 10000)}})
	l.both(trans.Request{Targets: []string{"b"}}, "-S", "b")
	if !l.has(trans.EventWarning, "srv") {
		t.Error("no warning tells of the mode")
	}
}

func TestPeerNoUpgradeNoExtract(t *testing.T) {
	l := peer(t)
	l.conf = []string{"NoUpgrade = etc/keep*", "NoExtract = usr/share/doc/* !usr/share/doc/a/LICENSE"}
	l.env = func(e *trans.Env) {
		e.NoUpgrade = []string{"etc/keep*"}
		e.NoExtract = []string{"usr/share/doc/*", "!usr/share/doc/a/LICENSE"}
	}
	files := func(v string) map[string]string {
		return map[string]string{"etc/keep": v, "etc/keeplink": "-> " + v, "etc/other": v, "usr/share/doc/a/LICENSE": v, "usr/share/doc/a/README": v}
	}
	l.publish(spec{info: "a 1-1 backup=etc/keep", files: files("1")})
	l.both(trans.Request{Targets: []string{"a"}}, "-S", "a")
	l.publish(spec{info: "a 2-1 backup=etc/keep", files: files("2")})
	l.both(trans.Request{SysUpgrade: true}, "-Su")
	l.both(trans.Request{Remove: []string{"a"}}, "-R", "a")
}

func TestPeerProvidersAndIgnore(t *testing.T) {
	l := peer(t)
	l.conf = []string{"IgnorePkg = ign*"}
	l.env = func(e *trans.Env) { e.IgnorePkg = []string{"ign*"} }
	l.publish(
		spec{info: "app 1-1 depends=virt"},
		spec{info: "p1 1-1 provides=virt"}, spec{info: "p2 1-1 provides=virt"}, spec{info: "ignored 1-1"})
	l.both(trans.Request{Targets: []string{"p2", "ignored"}, AsDeps: true}, "-S", "--asdeps", "p2", "ignored")
	l.both(trans.Request{Targets: []string{"app"}}, "-S", "app")
	l.publish(
		spec{info: "app 2-1 depends=virt"},
		spec{info: "p1 2-1 provides=virt"}, spec{info: "p2 2-1 provides=virt"}, spec{info: "ignored 2-1"})
	l.both(trans.Request{SysUpgrade: true}, "-Su")
	out := l.mustPacman(l.ours, "-Q")
	if out != "app 2-1\nignored 1-1\np2 2-1\n" {
		t.Errorf("installed:\n%s", out)
	}
}

func TestPeerOverwrite(t *testing.T) {
	l := peer(t)
	l.publish(spec{info: "a 1-1", files: map[string]string{"usr/bin/a": "package", "usr/bin/b": "package"}})
	l.write("usr/bin/a", "stray")
	l.sync()
	if _, err := l.try(trans.Request{Targets: []string{"a"}}); err == nil {
		t.Fatal("a stray file was overwritten")
	}
	if out, err := l.pacman(l.peers, "-Sy", "a"); err == nil {
		t.Fatalf("pacman overwrote it: %s", out)
	}
	l.both(trans.Request{Targets: []string{"a"}, Options: trans.Options{Overwrite: []string{"usr/bin/a"}}},
		"-S", "--overwrite", "usr/bin/a", "a")
}

func TestPeerDowngradeAndReasons(t *testing.T) {
	l := peer(t)
	l.publish(spec{info: "a 2-1 depends=b", files: map[string]string{"usr/a": "2", "usr/only2": "2"}}, spec{info: "b 1-1"})
	l.both(trans.Request{Targets: []string{"a"}}, "-S", "a")
	l.publish(spec{info: "a 1-1 depends=b", files: map[string]string{"usr/a": "1"}}, spec{info: "b 1-1"})
	l.both(trans.Request{SysUpgrade: true}, "-Su")
	l.both(trans.Request{SysUpgrade: true, Downgrade: true}, "-Suu")
	l.both(trans.Request{Targets: []string{"b"}, AsExplicit: true}, "-S", "--asexplicit", "b")
	l.both(trans.Request{Targets: []string{"b"}, Needed: true}, "-S", "--needed", "b")
}

// What pacman installed, ours upgrades and removes, and the reverse.
func TestPeerTakesOver(t *testing.T) {
	l := peer(t)
	l.publish(base...)
	l.mustPacman(l.ours, "-Sy", "app")
	l.run(trans.Request{Targets: []string{"tool"}, AsExplicit: true})
	l.mustPacman(l.peers, "-Sy", "app")
	l.mustPacman(l.peers, "-S", "--asexplicit", "tool")
	l.compare()
	newer := append([]spec{}, base[:3]...)
	newer = append(newer, spec{info: "tool 2-1 depends=libc groups=all", files: map[string]string{"usr/bin/tool2": "0755 tool"}})
	l.publish(newer...)
	l.run(trans.Request{SysUpgrade: true})
	l.mustPacman(l.peers, "-Syu")
	l.compare()
	l.mustPacman(l.ours, "-R", "app") // pacman on what ours upgraded
	l.run(trans.Request{Remove: []string{"tool"}})
	l.mustPacman(l.peers, "-R", "app", "tool")
	l.compare()
	archive := filepath.Join(l.repoDir, "libc-2-1-any.pkg.tar.zst")
	l.mustPacman(l.ours, "-U", archive)
	l.run(trans.Request{Files: []string{archive}})
	l.mustPacman(l.peers, "-U", archive)
	l.clean(l.ours)
}
