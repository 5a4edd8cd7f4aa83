// SPDX-License-Identifier: GPL-3.0-or-later

package fsroot_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/rastos/rastos/internal/host/fsroot"
	"github.com/rastos/rastos/internal/host/mount"
	"github.com/rastos/rastos/internal/testkit"
)

// prison makes a root with a secret beside it, and fails the test when the
// secret, or anything else outside of the root, has changed at the end.
func prison(t *testing.T) (*fsroot.FS, string) {
	t.Helper()
	outside := t.TempDir()
	root := filepath.Join(outside, "root")
	for _, d := range []string{"root/etc", "root/var", "treasure"} {
		must(t, os.MkdirAll(filepath.Join(outside, d), 0o755))
	}
	secret := filepath.Join(outside, "treasure", "secret")
	must(t, os.WriteFile(secret, []byte("secret"), 0o600))
	must(t, os.Chtimes(secret, time.Unix(1, 0), time.Unix(1, 0)))
	r, err := fsroot.Open(root)
	must(t, err)
	t.Cleanup(func() {
		r.Close()
		st, err := os.Lstat(secret)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := os.ReadFile(secret)
		list, _ := os.ReadDir(filepath.Dir(secret))
		if string(text) != "secret" || st.Mode() != 0o600 || st.ModTime().Unix() != 1 || len(list) != 1 || st.Sys().(*syscall.Stat_t).Nlink != 1 {
			t.Errorf("outside of the root: %v, %v, %q", st, list, text)
		}
	})
	return r, root
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// everything tries each operation on a name and returns the ones that worked.
func everything(r *fsroot.FS, name string) []string {
	var worked []string
	try := func(op string, err error) {
		if err == nil {
			worked = append(worked, op)
		}
	}
	data, err := r.ReadFile(name)
	if string(data) == "secret" {
		worked = append(worked, "read the secret")
	}
	try("ReadFile", err)
	try("WriteFile", r.WriteFile(name, []byte("x"), 0o644))
	f, err := r.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o644)
	if err == nil {
		f.Close()
	}
	try("OpenFile", err)
	try("Chmod", r.Chmod(name, 0o777))
	try("Chtimes", r.Chtimes(name, time.Now(), time.Now()))
	try("Link", r.Link(name, "etc/stolen"))
	try("Rename", r.Rename(name, "etc/moved"))
	try("RemoveAll", r.RemoveAll(name))
	return worked
}

func TestDotDotStopsAtTheRoot(t *testing.T) {
	r, root := prison(t)
	for _, name := range []string{"../treasure/secret", "/../../treasure/secret", "etc/../../treasure/secret", "/etc/../../../../../treasure/secret"} {
		if got := everything(r, name); len(got) != 0 && !(len(got) == 1 && got[0] == "RemoveAll") {
			t.Errorf("%s: %v", name, got)
		}
	}
	// Inside, the same names are good ones.
	must(t, r.WriteFile("../etc/file", []byte("in"), 0o644))
	if got, err := os.ReadFile(filepath.Join(root, "etc/file")); string(got) != "in" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestAbsoluteLinkMeansTheRootsOwnFile(t *testing.T) {
	r, root := prison(t)
	treasure := filepath.Join(filepath.Dir(root), "treasure")
	must(t, os.Symlink(treasure, filepath.Join(root, "etc/evil")))
	if got := everything(r, "etc/evil/secret"); len(got) != 0 && !(len(got) == 1 && got[0] == "RemoveAll") {
		t.Errorf("through an absolute link: %v", got)
	}
	must(t, os.WriteFile(filepath.Join(root, "etc/real"), []byte("inside"), 0o644))
	must(t, os.Symlink("/etc/real", filepath.Join(root, "var/good")))
	if got, err := r.ReadFile("var/good"); err != nil || string(got) != "inside" {
		t.Errorf("a good absolute link: %q, %v", got, err)
	}
	must(t, os.Symlink("/etc", filepath.Join(root, "var/dir")))
	must(t, r.MkdirAll("var/dir/a/b", 0o755))
	if st, err := os.Stat(filepath.Join(root, "etc/a/b")); err != nil || !st.IsDir() {
		t.Errorf("directories through a link inside: %v", err)
	}
}

func TestRelativeLinkCannotClimbOut(t *testing.T) {
	r, root := prison(t)
	must(t, os.Symlink("../../../../../../treasure", filepath.Join(root, "etc/up")))
	if got := everything(r, "etc/up/secret"); len(got) != 0 && !(len(got) == 1 && got[0] == "RemoveAll") {
		t.Errorf("%v", got)
	}
}

func TestWritesReplaceALinkAndNeverItsTarget(t *testing.T) {
	r, root := prison(t)
	must(t, os.WriteFile(filepath.Join(root, "etc/target"), []byte("kept"), 0o644))
	must(t, os.Symlink("target", filepath.Join(root, "etc/link")))
	must(t, r.WriteFile("etc/link", []byte("new"), 0o600))
	if got, _ := os.ReadFile(filepath.Join(root, "etc/target")); string(got) != "kept" {
		t.Errorf("the target says %q", got)
	}
	if st, err := r.Lstat("etc/link"); err != nil || st.Mode() != 0o600 {
		t.Errorf("%v, %v", st, err)
	}
}

func TestMetadataCallsDoNotFollowALink(t *testing.T) {
	r, root := prison(t)
	must(t, os.WriteFile(filepath.Join(root, "etc/target"), nil, 0o600))
	must(t, os.Symlink("target", filepath.Join(root, "etc/link")))
	if err := r.Chmod("etc/link", 0o777); err == nil {
		t.Error("a link was given a mode")
	}
	must(t, r.Chtimes("etc/link", time.Unix(7, 0), time.Unix(7, 0)))
	if os.Geteuid() == 0 {
		must(t, r.Chown("etc/link", 7, 8))
		if st, _ := r.Lstat("etc/link"); st.Sys().(*syscall.Stat_t).Uid != 7 {
			t.Error("the link kept its owner")
		}
	}
	st, err := r.Stat("etc/link")
	must(t, err)
	if st.Mode() != 0o600 || st.ModTime().Unix() == 7 || st.Sys().(*syscall.Stat_t).Uid == 7 {
		t.Errorf("the target changed: %v %v", st.Mode(), st.ModTime())
	}
}

func TestRemoveAllDoesNotGoThroughLinks(t *testing.T) {
	r, root := prison(t)
	must(t, os.MkdirAll(filepath.Join(root, "var/tree/sub"), 0o755))
	must(t, os.Symlink(filepath.Join(filepath.Dir(root), "treasure"), filepath.Join(root, "var/tree/sub/link")))
	must(t, os.Symlink("/etc", filepath.Join(root, "var/tree/etc")))
	must(t, r.RemoveAll("var/tree"))
	if _, err := os.Lstat(filepath.Join(root, "etc")); err != nil {
		t.Error("the target of a link was removed")
	}
	if _, err := os.Lstat(filepath.Join(root, "var/tree")); !os.IsNotExist(err) {
		t.Errorf("the tree is still there: %v", err)
	}
	must(t, r.RemoveAll("var/tree"))
}

func TestRemoveAllDoesNotEmptyAMount(t *testing.T) {
	testkit.NeedRoot(t)
	r, root := prison(t)
	tree, treasure := filepath.Join(root, "var/tree/mnt"), filepath.Join(filepath.Dir(root), "treasure")
	must(t, os.MkdirAll(tree, 0o755))
	err := mount.Private(func() error {
		if err := mount.Mount(treasure, tree, "", "bind"); err != nil {
			return err
		}
		for _, name := range []string{"var/tree", "var/tree/mnt"} {
			if err := r.RemoveAll(name); !errors.Is(err, syscall.EXDEV) && !errors.Is(err, syscall.EBUSY) {
				t.Errorf("%s: %v", name, err)
			}
		}
		return nil
	})
	must(t, err)
}

func TestTheRootItselfIsNotRemovedOrReplaced(t *testing.T) {
	r, root := prison(t)
	for _, name := range []string{"", "/", ".", "..", "etc/..", "etc/.", "//"} {
		for op, err := range map[string]error{
			"RemoveAll": r.RemoveAll(name), "Remove": r.Remove(name), "Rename": r.Rename(name, "etc/x"),
			"WriteFile": r.WriteFile(name, nil, 0o644), "Symlink": r.Symlink("x", name),
		} {
			if err == nil {
				t.Errorf("%s(%q) worked", op, name)
			}
		}
	}
	if _, err := os.Lstat(filepath.Join(root, "etc")); err != nil {
		t.Error(err)
	}
}

func TestPipeInPlaceOfAFileDoesNotBlock(t *testing.T) {
	r, root := prison(t)
	must(t, syscall.Mkfifo(filepath.Join(root, "etc/pipe"), 0o644))
	done := make(chan error, 1)
	go func() {
		_, err := r.ReadFile("etc/pipe")
		done <- err
	}()
	select {
	case err := <-done:
		if err == nil {
			t.Error("a pipe was read as a file")
		}
	case <-time.After(5 * time.Second):
		t.Fatal("reading a pipe blocks")
	}
	if _, err := r.ReadFile("etc"); !errors.Is(err, syscall.EISDIR) {
		t.Errorf("reading a directory: %v", err)
	}
}

func TestMagicLinksAreRefused(t *testing.T) {
	r, err := fsroot.Open("/")
	must(t, err)
	defer r.Close()
	if _, err := r.ReadDir("proc/self/root/etc"); !errors.Is(err, syscall.ELOOP) {
		t.Errorf("/proc/self/root: %v", err)
	}
}

func TestWalkDoesNotFollowALinkToADirectory(t *testing.T) {
	r, root := prison(t)
	must(t, os.Symlink(filepath.Join(filepath.Dir(root), "treasure"), filepath.Join(root, "etc/dir")))
	must(t, os.Symlink("/etc", filepath.Join(root, "etc/loop")))
	var seen []string
	must(t, r.Walk(func(name string, info fs.FileInfo) error {
		seen = append(seen, name)
		return nil
	}))
	want := []string{"etc", "etc/dir", "etc/loop", "var"}
	if len(seen) != len(want) {
		t.Fatalf("%v", seen)
	}
	for i := range want {
		if seen[i] != want[i] {
			t.Errorf("%v, want %v", seen, want)
		}
	}
}

func TestZeroBytesAndLongNamesAreErrors(t *testing.T) {
	r, _ := prison(t)
	for _, name := range []string{"etc/a\x00b", "\x00", "etc/" + string(make([]byte, 300))} {
		if got := everything(r, name); len(got) != 0 {
			t.Errorf("%q: %v", name, got)
		}
	}
}
