// SPDX-License-Identifier: GPL-3.0-or-later

package rootfs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// A system tree with the links that they have, and some that lead outside.
func linkedTree(t *testing.T) (*Tree, string) {
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
	tr, err := Open(root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tr.Close)
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
		got, err := tr.RealPath(name)
		if err != nil || got != want {
			t.Errorf("%s is %q (%v), want %q", name, got, err, want)
		}
	}
}

func TestTreeNeverLeadsOutside(t *testing.T) {
	tr, _ := linkedTree(t)
	inside, err := tr.MD5("etc/passwd")
	if err != nil || inside == "" {
		t.Fatal(inside, err)
	}
	for _, name := range []string{"up/passwd", "abs/passwd", "out"} {
		if sum, err := tr.MD5(name); err != nil || sum != "" {
			t.Errorf("%s was read: %q, %v", name, sum, err)
		}
	}
	for _, name := range []string{"loop/x", "ping/x", "out/x", "usr/lib/x/file/y"} {
		if _, err := tr.Lstat(name); err == nil {
			t.Errorf("%s was found", name)
		}
	}
	if sum, err := tr.MD5("loop"); err != nil || sum != "" {
		t.Errorf("a loop has the hash %q, %v", sum, err)
	}
}

func TestTreeForgets(t *testing.T) {
	tr, root := linkedTree(t)
	if _, err := tr.Lstat("new/file"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(root, "new"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "new/file"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	tr.Forget()
	if _, err := tr.Lstat("new/file"); err != nil {
		t.Error(err)
	}
	if empty, err := tr.Empty("new"); err != nil || empty {
		t.Errorf("new is empty: %v, %v", empty, err)
	}
	if err := tr.Remove("lib/x/file"); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(filepath.Join(root, "usr/lib/x/file")); err == nil {
		t.Error("it was not removed through the link")
	}
}
