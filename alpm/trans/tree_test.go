// SPDX-License-Identifier: GPL-3.0-or-later

package trans

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A system tree with the links that they have, and some that lead outside.
func linkedTree(t *testing.T) (*tree, string) {
	t.Helper()
	dir := t.TempDir()
	root := filepath.Join(dir, "root")
	for _, d := range []string{"usr/lib/x", "etc", "opt/a/b"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, to := range map[string]string{
		"lib": "usr/lib", "lib64": "/usr/lib", "up": "../../../..", "abs": "/", "out": filepath.Join(dir, "secret"),
		"loop": "loop", "ping": "pong", "pong": "ping", "usr/lib/back": "../../etc", "via": "lib/back/../usr/lib", "opt/c": "a/b",
	} {
		if err := os.Symlink(to, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{"root/usr/lib/x/file": "inside", "root/etc/passwd": "inside", "secret": "outside", "passwd": "outside"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	tr, err := openTree(root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tr.close)
	return tr, root
}

func TestTreeFollowsLinksInside(t *testing.T) {
	tr, _ := linkedTree(t)
	for name, want := range map[string]string{
		"lib/x/file":         "usr/lib/x/file",
		"lib64/x/file":       "usr/lib/x/file",
		"abs/lib64/x/file":   "usr/lib/x/file",
		"up/usr/lib/x/file":  "usr/lib/x/file",
		"up/up/etc/passwd":   "etc/passwd",
		"lib/back/passwd":    "etc/passwd",
		"via/x/file":         "usr/lib/x/file",
		"opt/c/../b/x":       "opt/a/b/x",
		"etc/../../../etc/x": "etc/x",
	} {
		got, err := tr.realPath(name)
		if err != nil || got != want {
			t.Errorf("%s is %q (%v), want %q", name, got, err, want)
		}
	}
}

func TestTreeNeverLeadsOutside(t *testing.T) {
	tr, _ := linkedTree(t)
	inside, err := tr.md5("etc/passwd")
	if err != nil || inside == "" {
		t.Fatal(inside, err)
	}
	for _, name := range []string{"up/passwd", "abs/passwd", "out"} {
		if sum, err := tr.md5(name); err != nil || sum != "" {
			t.Errorf("%s was read: %q, %v", name, sum, err)
		}
	}
	for _, name := range []string{"loop/x", "ping/x", "out/x", "usr/lib/x/file/y"} {
		if _, err := tr.lstat(name); err == nil {
			t.Errorf("%s was found", name)
		}
	}
	if sum, err := tr.md5("loop"); err != nil || sum != "" {
		t.Errorf("a loop has the hash %q, %v", sum, err)
	}
}

func TestTreeForgets(t *testing.T) {
	tr, root := linkedTree(t)
	if _, err := tr.lstat("new/file"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(root, "new"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "new/file"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	tr.forget()
	if _, err := tr.lstat("new/file"); err != nil {
		t.Error(err)
	}
	if empty, err := tr.empty("new"); err != nil || empty {
		t.Errorf("new is empty: %v, %v", empty, err)
	}
	if err := tr.remove("lib/x/file"); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(filepath.Join(root, "usr/lib/x/file")); err == nil {
		t.Error("it was not removed through the link")
	}
}

func TestPatterns(t *testing.T) {
	p := compilePatterns([]string{"usr/share/*", "!/usr/share/keep/*", "/etc/x"})
	for path, want := range map[string]bool{
		"usr/share/doc/a/b": true, "usr/share/keep/b": false, "etc/x": true, "etc/xy": false, "usr/lib": false,
	} {
		if p.match(path) != want {
			t.Errorf("%s matches: %v", path, !want)
		}
	}
	if compilePatterns(nil).match("x") {
		t.Error("no pattern matches")
	}
}

func TestLines(t *testing.T) {
	var got []string
	l := &lines{emit: func(s string) { got = append(got, s) }}
	for _, part := range []string{"one\ntw", "o\r\n\n", strings.Repeat("x", maxLine+10), "\nrest"} {
		if n, err := l.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatal(n, err)
		}
	}
	l.flush()
	want := []string{"one", "two", "", strings.Repeat("x", maxLine+10), "", "rest"}
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("got %q", got)
	}
}
