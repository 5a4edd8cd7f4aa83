// SPDX-License-Identifier: GPL-3.0-or-later

package extract_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rastos/rastos/alpm/extract"
)

func look(t *testing.T, root string) *extract.Look {
	t.Helper()
	l := openRoot(t, root).Look()
	t.Cleanup(l.Close)
	return l
}

func TestLookFollowsLinksInsideTheRoot(t *testing.T) {
	root, _ := arena(t)
	write(t, "inside", root, "usr/lib/deep/x")
	for name, target := range map[string]string{
		"lib": "/usr/lib", "up": "../../../../../usr/lib", "chain": "lib", "usr/again": "../up",
	} {
		if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	l := look(t, root)
	for _, path := range []string{"usr/lib/deep/x", "lib/deep/x", "up/deep/x", "chain/deep/x", "usr/again/deep/x", "lib/deep/x/"} {
		st, err := l.Lstat(path)
		if err != nil || !st.IsRegular() || st.Size != int64(len("inside")) {
			t.Errorf("%s: %+v, %v", path, st, err)
		}
		var b bytes.Buffer
		if err := l.Copy(&b, strings.TrimSuffix(path, "/"), make([]byte, 4)); err != nil || b.String() != "inside" {
			t.Errorf("%s holds %q, %v", path, b.String(), err)
		}
	}
	if to, err := l.Readlink("usr/again"); err != nil || to != "../up" {
		t.Errorf("the link leads to %q, %v", to, err)
	}
	if st, err := l.Lstat("chain/"); err != nil || !st.IsSymlink() {
		t.Errorf("a link with a slash at its end: %+v, %v", st, err)
	}
}

func TestLookNeverLeavesTheRoot(t *testing.T) {
	root, outside := arena(t)
	write(t, "secret", outside, "secret")
	for name, target := range map[string]string{"abs": outside, "rel": "../" + filepath.Base(outside), "loop": "loop", "file": outside + "/secret"} {
		if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	l := look(t, root)
	for path, want := range map[string]error{
		"abs/secret": syscall.ENOENT, "rel/secret": syscall.ENOENT, "loop/x": syscall.ELOOP,
		"..": syscall.EINVAL, "usr/..": syscall.EINVAL, ".": syscall.EINVAL, "": syscall.EINVAL, "/": syscall.EINVAL,
		"../" + filepath.Base(outside) + "/secret": syscall.ENOENT,
	} {
		if _, err := l.Lstat(path); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", path, err, want)
		}
	}
	var b bytes.Buffer
	if err := l.Copy(&b, "file", make([]byte, 64)); !errors.Is(err, syscall.ELOOP) || b.Len() > 0 {
		t.Errorf("a link was read: %v, %q", err, b.String())
	}
}

// A FIFO without a writer would hold a reader for ever.
func TestLookReadsRegularFilesOnly(t *testing.T) {
	root, _ := arena(t)
	if err := syscall.Mkfifo(filepath.Join(root, "fifo"), 0o644); err != nil {
		t.Fatal(err)
	}
	l := look(t, root)
	done := make(chan error, 1)
	go func() { done <- l.Copy(&bytes.Buffer{}, "fifo", make([]byte, 64)) }()
	select {
	case err := <-done:
		if !errors.Is(err, extract.ErrNotRegular) {
			t.Errorf("a FIFO: %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it waits for a writer")
	}
	if err := l.Copy(&bytes.Buffer{}, "etc", make([]byte, 64)); !errors.Is(err, extract.ErrNotRegular) {
		t.Errorf("a directory: %v", err)
	}
}

func TestLookKeepsNoDescriptors(t *testing.T) {
	root, _ := arena(t)
	write(t, "x", root, "a/b/c/d/x")
	write(t, "y", root, "a/e/y")
	open := func() int {
		list, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	r := openRoot(t, root)
	before := open()
	l := r.Look()
	for range 50 {
		for _, path := range []string{"a/b/c/d/x", "a/e/y", "a/b", "nothing/here"} {
			_, _ = l.Lstat(path)
		}
	}
	if n := open() - before; n > 4 {
		t.Errorf("%d descriptors are open for paths of four directories", n)
	}
	l.Close()
	if n := open() - before; n != 0 {
		t.Errorf("%d descriptors are left open", n)
	}
}
