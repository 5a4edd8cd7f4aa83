// SPDX-License-Identifier: GPL-3.0-or-later

package trans_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rastos/rastos/alpm/trans"
)

// The same name at two places, of which one is a link to the other: what is
// obsolete by its old path must not take the new file with it.
func TestPeerMergedDirectories(t *testing.T) {
	l := peer(t)
	fs := func(v string) spec {
		return spec{info: "filesystem " + v + "-1", files: map[string]string{"usr/lib/": "", "lib": "-> usr/lib", "sbin": "-> /usr/lib"}}
	}
	l.publish(fs("1"))
	l.both(trans.Request{Targets: []string{"filesystem"}}, "-S", "filesystem")
	l.publish(fs("1"), spec{info: "a 1-1", files: map[string]string{"usr/lib/x": "1", "usr/lib/y": "1"}})
	l.both(trans.Request{Targets: []string{"a"}}, "-S", "a")
	// Through the link now; the directory entry is left out, it would conflict.
	l.touch(func(root string) {
		list := filepath.Join(root, "var/lib/pacman/local/a-1-1/files")
		must(t, os.WriteFile(list, []byte("%FILES%\nlib/x\nlib/y\nsbin/\n\n"), 0o644))
	})
	l.publish(fs("2"), spec{info: "a 2-1", files: map[string]string{"usr/lib/x": "2", "usr/lib/z": "2"}})
	l.both(trans.Request{SysUpgrade: true, Options: trans.Options{Overwrite: []string{"*"}}}, "-Su", "--overwrite", "*")
}

func TestPeerLinkOfAPersonForADirectory(t *testing.T) {
	l := peer(t)
	files := func(v string) map[string]string {
		return map[string]string{"opt/": "", "opt/data/": "", "opt/data/x": v, "opt/data/only" + v: v, "opt/keep": v}
	}
	l.publish(spec{info: "a 1-1", files: files("1")})
	l.both(trans.Request{Targets: []string{"a"}}, "-S", "a")
	l.touch(func(root string) {
		must(t, os.Rename(filepath.Join(root, "opt/data"), filepath.Join(root, "big")))
		must(t, os.Symlink("../big", filepath.Join(root, "opt/data")))
	})
	l.write("big/mine", "mine")
	l.publish(spec{info: "a 2-1", files: files("2")})
	l.both(trans.Request{SysUpgrade: true}, "-Su")
	l.both(trans.Request{Remove: []string{"a"}}, "-R", "a")
}

func TestPeerPacsaveMovesOn(t *testing.T) {
	l := peer(t)
	l.publish(spec{info: "a 1-1 backup=etc/a", files: map[string]string{"etc/a": "package"}})
	for _, text := range []string{"one", "two", "three"} {
		l.both(trans.Request{Targets: []string{"a"}}, "-S", "a")
		l.write("etc/a", text)
		l.both(trans.Request{Remove: []string{"a"}}, "-R", "a")
	}
	l.both(trans.Request{Targets: []string{"a"}}, "-S", "a")
	l.write("etc/a", "four")
	l.both(trans.Request{Remove: []string{"a"}, Options: trans.Options{NoSave: true}}, "-Rn", "a")
}

func TestPeerFiles(t *testing.T) {
	l := peer(t)
	l.publish(spec{info: "lib 1-1", files: map[string]string{"usr/lib/l": "1"}})
	other := t.TempDir()
	v2 := spec{info: "a 2-1 depends=lib", files: map[string]string{"usr/a": "2", "usr/b": "2"}}.build(t, other)
	v1 := spec{info: "a 1-1 depends=lib", files: map[string]string{"usr/a": "1"}}.build(t, other)
	l.both(trans.Request{Files: []string{v2}}, "-U", v2)
	l.both(trans.Request{Files: []string{v1}}, "-U", v1)
	l.both(trans.Request{Files: []string{v2}, AsDeps: true, NoDeps: true}, "-Udd", "--asdeps", v2)
}

func TestPeerReplacedComesBack(t *testing.T) {
	l := peer(t)
	l.publish(spec{info: "old 1-1", files: map[string]string{"usr/old": "1", "usr/gone": "1"}})
	l.both(trans.Request{Targets: []string{"old"}}, "-S", "old")
	l.publish(spec{info: "new 1-1 replaces=old<2 depends=old", files: map[string]string{"usr/new": "1"}},
		spec{info: "old 2-1", files: map[string]string{"usr/old": "2"}})
	l.both(trans.Request{SysUpgrade: true}, "-Su")
}

func TestPeerBackupCorners(t *testing.T) {
	l := peer(t)
	l.conf = []string{"NoExtract = etc/never"}
	l.env = func(e *trans.Env) { e.NoExtract = []string{"etc/never"} }
	files := func(v string) map[string]string {
		return map[string]string{"etc/plain": v, "etc/moves": v, "etc/tolink": v, "etc/dir/x": v}
	}
	l.publish(spec{info: "a 1-1 backup=etc/plain,etc/moves,etc/dir/x", files: files("1")}, spec{info: "b 1-1", files: map[string]string{"usr/b": "1"}})
	l.both(trans.Request{Targets: []string{"a", "b"}}, "-S", "a", "b")
	l.write("etc/moves", "mine")
	l.write("etc/dir/x", "mine")
	l.write("etc/plain", "mine")
	next := files("2")
	delete(next, "etc/moves")
	next["etc/tolink"] = "-> plain"
	l.publish(spec{info: "a 2-1", files: next}, spec{info: "b 2-1 backup=etc/moves", files: map[string]string{"usr/b": "2", "etc/moves": "2"}})
	l.both(trans.Request{SysUpgrade: true}, "-Su")
	if !l.has(trans.EventPacnew, "etc/moves.pacnew") || !l.has(trans.EventPacsave, "etc/plain.pacsave") {
		t.Errorf("events %+v", l.events)
	}
}

func TestPeerHardLinksAndAttributes(t *testing.T) {
	l := peer(t)
	l.publish(spec{info: "a 1-1", files: map[string]string{
		"usr/bin/suid": "04755 x", "usr/bin/sgid": "02755 x", "srv/sticky/": "01777 ", "srv/closed/": "0700 ", "srv/closed/x": "0600 x",
		"usr/lib/absolute": "-> /usr/bin/suid", "usr/lib/dangling": "-> nowhere",
	}})
	l.both(trans.Request{Targets: []string{"a"}}, "-S", "a")
	l.touch(func(root string) { must(t, os.Chmod(filepath.Join(root, "srv/closed"), 0o711)) })
	l.both(trans.Request{Targets: []string{"a"}}, "-S", "a")
	if !l.has(trans.EventWarning, "srv/closed") {
		t.Error("no warning tells of the mode")
	}
}
