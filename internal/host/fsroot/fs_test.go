// SPDX-License-Identifier: GPL-3.0-or-later

package fsroot_test

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/rastos/rastos/btrfs"
	"github.com/rastos/rastos/internal/host/fsroot"
	"github.com/rastos/rastos/internal/testkit"
)

func TestWriteFileIsExactInModeAndLeavesNoTemporary(t *testing.T) {
	r, root := prison(t)
	old := syscall.Umask(0o077)
	defer syscall.Umask(old)
	for _, perm := range []fs.FileMode{0o644, 0o600, 0o755 | fs.ModeSetuid, 0o666 | fs.ModeSetgid} {
		must(t, r.WriteFile("etc/file", []byte("text"), perm))
		st, err := r.Lstat("/etc/file")
		must(t, err)
		if st.Mode() != perm || st.Size() != 4 || st.Name() != "file" {
			t.Errorf("%v %d %s, want %v", st.Mode(), st.Size(), st.Name(), perm)
		}
	}
	must(t, r.Mkdir("etc/dir", 0o777|fs.ModeSticky))
	if st, _ := r.Lstat("etc/dir"); st.Mode() != fs.ModeDir|fs.ModeSticky|0o777 {
		t.Errorf("the directory is %v", st.Mode())
	}
	if err := r.WriteFile("etc/dir", nil, 0o644); err == nil {
		t.Error("a directory was replaced by a file")
	}
	list, err := os.ReadDir(filepath.Join(root, "etc"))
	must(t, err)
	if len(list) != 2 {
		t.Errorf("left behind: %v", list)
	}
}

func TestWriteFileOwnedKeepsSetuid(t *testing.T) {
	testkit.NeedRoot(t)
	r, _ := prison(t)
	must(t, r.WriteFileOwned("etc/file", nil, 0o755|fs.ModeSetuid, 12, 34))
	st, err := r.Lstat("etc/file")
	must(t, err)
	sys := st.Sys().(*syscall.Stat_t)
	if sys.Uid != 12 || sys.Gid != 34 || st.Mode() != 0o755|fs.ModeSetuid {
		t.Errorf("%d:%d %v", sys.Uid, sys.Gid, st.Mode())
	}
}

func TestReadersSeeTheOldOrTheNewFile(t *testing.T) {
	r, _ := prison(t)
	r = r.WithoutSync()
	a, b := strings.Repeat("a", 100_000), strings.Repeat("b", 50_000)
	must(t, r.WriteFile("etc/f", []byte(a), 0o644))
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range 100 {
			text := a
			if i%2 == 0 {
				text = b
			}
			if err := r.WriteFile("etc/f", []byte(text), 0o644); err != nil {
				t.Error(err)
			}
		}
	})
	for range 100 {
		got, err := r.ReadFile("etc/f")
		if err != nil || (string(got) != a && string(got) != b) {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
	}
	wg.Wait()
}

func TestLinksRenamesAndRemovals(t *testing.T) {
	r, _ := prison(t)
	must(t, r.WriteFile("etc/a", []byte("a"), 0o644))
	must(t, r.Link("etc/a", "var/b"))
	must(t, r.Rename("var/b", "var/c"))
	must(t, r.Symlink("../etc/a", "var/l"))
	if err := r.Symlink("x", "var/l"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a link over a link: %v", err)
	}
	must(t, r.ReplaceSymlink("/etc/a", "var/l"))
	if got, err := r.Readlink("var/l"); err != nil || got != "/etc/a" {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := r.ReadFile("var/l"); err != nil || string(got) != "a" {
		t.Errorf("%q, %v", got, err)
	}
	list, err := r.ReadDir("var")
	must(t, err)
	if len(list) != 2 || list[0].Name() != "c" || list[1].Type() != fs.ModeSymlink {
		t.Errorf("%v", list)
	}
	must(t, r.Remove("var/l"))
	must(t, r.Remove("var/c"))
	must(t, r.Remove("var"))
	if err := r.Remove("etc"); !errors.Is(err, syscall.ENOTEMPTY) {
		t.Errorf("removing a full directory: %v", err)
	}
	if _, err := r.Stat("var"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

func TestErrorsShowTheWholePath(t *testing.T) {
	r, root := prison(t)
	_, err := r.ReadFile("etc/absent")
	if err == nil || err.Error() != "open "+root+"/etc/absent: no such file or directory" {
		t.Errorf("%v", err)
	}
}

func TestXattrsBecomeExactlyWhatIsWanted(t *testing.T) {
	testkit.Integration(t)
	r, err := fsroot.Open(testkit.BtrfsDisk(t, 128)) // tmpfs has no user xattrs everywhere
	must(t, err)
	defer r.Close()
	must(t, r.Mkdir("etc", 0o755))
	must(t, r.WriteFile("etc/f", nil, 0o644))
	must(t, r.Symlink("f", "etc/l"))
	for _, want := range []map[string]string{
		{"user.one": "1", "trusted.two": strings.Repeat("x", 1000)},
		{"user.one": "", "trusted.three": "a\x00b"},
		{},
	} {
		must(t, r.SetXattrs("etc/f", want))
		got, err := r.Xattrs("etc/f")
		must(t, err)
		if !maps.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	must(t, r.SetXattrs("etc/l", map[string]string{"trusted.link": "itself"}))
	if got, err := r.Xattrs("etc/f"); err != nil || len(got) != 0 {
		t.Errorf("the target of the link has %q, %v", got, err)
	}
	if got, err := r.Xattrs("etc/l"); err != nil || got["trusted.link"] != "itself" {
		t.Errorf("the link has %q, %v", got, err)
	}
	_, err = r.Xattrs("")
	must(t, err)
}

func TestWalkCanSkip(t *testing.T) {
	r, _ := prison(t)
	must(t, r.MkdirAll("etc/a/b", 0o755))
	must(t, r.MkdirAll("etc/c", 0o755))
	var seen []string
	must(t, r.WalkBelow("/etc/", func(name string, _ fs.FileInfo) error {
		seen = append(seen, name)
		if name == "etc/a" {
			return fs.SkipDir
		}
		return nil
	}))
	if !slices.Equal(seen, []string{"etc/a", "etc/c"}) {
		t.Errorf("%v", seen)
	}
	must(t, r.Walk(func(string, fs.FileInfo) error { return fs.SkipAll }))
	if err := r.Walk(func(string, fs.FileInfo) error { return fs.ErrInvalid }); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("%v", err)
	}
}

func TestSubIsARootOfItsOwn(t *testing.T) {
	r, root := prison(t)
	must(t, r.WriteFile("var/f", []byte("var"), 0o644))
	sub, err := r.Sub("etc")
	must(t, err)
	defer sub.Close()
	if _, err := sub.ReadFile("../var/f"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	must(t, sub.WriteFile("g", nil, 0o644))
	if got, err := r.RealPath("etc/g"); err != nil || got != filepath.Join(root, "etc/g") {
		t.Errorf("%q, %v", got, err)
	}
}

func TestOnBtrfsEverythingIsDurableAndSubvolumesGo(t *testing.T) {
	testkit.Integration(t)
	top := testkit.BtrfsDisk(t, 128)
	r, err := fsroot.Open(top)
	must(t, err)
	defer r.Close()
	must(t, r.MkdirAll("a/b", 0o755))
	must(t, btrfs.Create(filepath.Join(top, "a/sub")))
	must(t, r.WriteFile("a/sub/file", []byte("x"), 0o644))
	must(t, btrfs.Snapshot(filepath.Join(top, "a/sub"), filepath.Join(top, "a/ro"), true))
	if err := r.RemoveAll("a/ro"); !errors.Is(err, syscall.EROFS) {
		t.Errorf("removing a read-only snapshot: %v", err)
	}
	must(t, btrfs.Delete(filepath.Join(top, "a/ro")))
	must(t, r.RemoveAll("a"))
	must(t, r.Sync())
	if list, err := r.ReadDir(""); err != nil || len(list) != 0 {
		t.Errorf("%v, %v", list, err)
	}
}
