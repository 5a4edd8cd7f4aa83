// SPDX-License-Identifier: GPL-3.0-or-later

package extract_test

import (
	"archive/tar"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rastos/rastos/alpm/extract"
	"github.com/rastos/rastos/internal/testkit"
)

func TestAttributes(t *testing.T) {
	testkit.NeedRoot(t)
	root := t.TempDir()
	later := day.Add(time.Hour + 123456789)
	entries := []entry{
		{name: "d/", typ: tar.TypeDir, mode: 0o1777, time: later},
		{name: "d/setuid", typ: tar.TypeReg, body: "x", mode: 0o4755, uid: 12, gid: 34, time: later},
		{name: "d/all", typ: tar.TypeReg, body: "x", mode: 0o666},
		{name: "d/link", typ: tar.TypeSymlink, body: "all", uid: 5, gid: 6, mode: 0o777, time: later},
		{name: "g/", typ: tar.TypeDir, mode: 0o2775, gid: 50},
		{name: "g/inherits-nothing", typ: tar.TypeReg, body: "x", mode: 0o644},
		{name: "g/sub/", typ: tar.TypeDir, mode: 0o755},
		{name: "h", typ: tar.TypeLink, body: "d/all"},
	}
	mustUnpack(t, openRoot(t, root), entries...)
	check := func(name string, mode uint32, uid, gid uint32, mtime time.Time) {
		t.Helper()
		var st unix.Stat_t
		if err := unix.Lstat(filepath.Join(root, name), &st); err != nil {
			t.Fatal(err)
		}
		if st.Mode != mode || st.Uid != uid || st.Gid != gid {
			t.Errorf("%s: mode %o owner %d:%d, want %o %d:%d", name, st.Mode, st.Uid, st.Gid, mode, uid, gid)
		}
		if got := time.Unix(st.Mtim.Unix()); !got.Equal(mtime) {
			t.Errorf("%s: time %v, want %v", name, got, mtime)
		}
	}
	check("d", unix.S_IFDIR|0o1777, 0, 0, later)
	check("d/setuid", unix.S_IFREG|0o4755, 12, 34, later)
	check("d/all", unix.S_IFREG|0o666, 0, 0, day)
	check("d/link", unix.S_IFLNK|0o777, 5, 6, later)
	check("g", unix.S_IFDIR|0o2775, 0, 50, day)
	check("g/inherits-nothing", unix.S_IFREG|0o644, 0, 0, day)
	check("g/sub", unix.S_IFDIR|0o755, 0, 0, day)
	a, b := stat(t, root, "d/all"), stat(t, root, "h")
	if a.Ino != b.Ino || a.Nlink != 2 {
		t.Error("h is no hard link of d/all")
	}
}

func stat(t *testing.T, elem ...string) *syscall.Stat_t {
	t.Helper()
	info, err := os.Lstat(filepath.Join(elem...))
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t)
}

func TestExtendedAttributes(t *testing.T) {
	testkit.NeedRoot(t)
	root := t.TempDir()
	ping := file("ping", "x")
	ping.mode, ping.uid = 0o755, 7
	ping.pax = map[string]string{"SCHILY.xattr.security.capability": capability, "SCHILY.xattr.trusted.overlay.opaque": "y"}
	other := file("other", "x")
	other.pax = map[string]string{"LIBARCHIVE.xattr.security.capability": base64.RawStdEncoding.EncodeToString([]byte(capability))}
	res := mustUnpack(t, openRoot(t, root), ping, other)
	for _, name := range []string{"ping", "other"} {
		buf := make([]byte, 100)
		n, err := unix.Lgetxattr(filepath.Join(root, name), "security.capability", buf)
		if err != nil || string(buf[:n]) != capability {
			t.Errorf("%s: capability %x, %v", name, buf[:max(n, 0)], err)
		}
	}
	if len(res.Warnings) != 1 || !strings.Contains(res.Warnings[0], "trusted.overlay.opaque") {
		t.Errorf("warnings %q", res.Warnings)
	}
}

func TestRunningProgramKeepsItsFile(t *testing.T) {
	root := t.TempDir()
	write(t, "old program", root, "bin/p")
	running, err := os.Open(filepath.Join(root, "bin/p"))
	if err != nil {
		t.Fatal(err)
	}
	defer running.Close()
	e := file("bin/p", "new")
	e.mode = 0o755
	res := mustUnpack(t, openRoot(t, root), e)
	if b, err := io.ReadAll(running); err != nil || string(b) != "old program" {
		t.Errorf("the open file reads %q, %v", b, err)
	}
	if got := read(t, root, "bin/p"); got != "new" {
		t.Errorf("bin/p is %q", got)
	}
	if len(res.Written) != 1 || !res.Written[0].Replaced {
		t.Errorf("written %+v", res.Written)
	}
	if mode := stat(t, root, "bin/p").Mode & 0o7777; mode != 0o755 {
		t.Errorf("mode %o", mode)
	}
}

func TestReplacements(t *testing.T) {
	for name, c := range map[string]struct {
		old, new entry
		want     string
	}{
		"file by link":             {file("x", "a"), symlink("x", "target"), "x Lrwxrwxrwx -> target\n"},
		"link by file":             {symlink("x", "target"), file("x", "b"), "x -rw-r--r-- b\n"},
		"dead link by link":        {symlink("x", "target"), symlink("x", "other"), "x Lrwxrwxrwx -> other\n"},
		"file by directory":        {file("x", "a"), dirEntry("x/"), "x drwxr-xr-x\n"},
		"dead link by a directory": {symlink("x", "gone"), dirEntry("x/"), "x drwxr-xr-x\n"},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			r := openRoot(t, root)
			mustUnpack(t, r, c.old)
			mustUnpack(t, r, c.new)
			if _, got, _ := strings.Cut(listing(t, root), "\n"); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestDirectoryTakesThePlaceOfALinkOnlyWhenAsked(t *testing.T) {
	root := t.TempDir()
	r := openRoot(t, root)
	mustUnpack(t, r, dirEntry("real/"), symlink("x", "real"))
	mustUnpack(t, r, dirEntry("x/"), file("x/f", "1"))
	if got := read(t, root, "real/f"); got != "1" {
		t.Errorf("real/f is %q", got)
	}
	_, err := unpack(t, r, func(h *tar.Header) (extract.Decision, error) {
		return extract.Decision{ReplaceLink: h.Typeflag == tar.TypeDir}, nil
	}, dirEntry("x/"), file("x/f", "2"))
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(filepath.Join(root, "x")); err != nil || !info.IsDir() || read(t, root, "x/f") != "2" || read(t, root, "real/f") != "1" {
		t.Errorf("after all:\n%s", listing(t, root))
	}
}

func TestFileNeverReplacesADirectory(t *testing.T) {
	root := t.TempDir()
	write(t, "inside", root, "d/keep")
	r := openRoot(t, root)
	for name, e := range map[string]entry{"file": file("d", "x"), "link": symlink("d", "x")} {
		if _, err := unpack(t, r, nil, e); !errors.Is(err, extract.ErrFileOverDirectory) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := unpack(t, r, nil, file("a", "x"), hardlink("d", "a")); !errors.Is(err, extract.ErrFileOverDirectory) {
		t.Errorf("hard link: %v", err)
	}
	settle := func(h *tar.Header) (extract.Decision, error) {
		return extract.Decision{Settle: func(string) (extract.Decision, error) { return extract.Decision{As: "d"}, nil }}, nil
	}
	if _, err := unpack(t, r, settle, file("b", "x")); !errors.Is(err, extract.ErrFileOverDirectory) {
		t.Errorf("by another name: %v", err)
	}
	if list := listing(t, root); strings.Contains(list, ".rastos") || read(t, root, "d/keep") != "inside" {
		t.Errorf("left:\n%s", list)
	}
}

func TestExistingDirectoryKeepsItsMode(t *testing.T) {
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "d"), 0o700); err != nil {
		t.Fatal(err)
	}
	old := day.Add(-time.Hour)
	if err := os.Chtimes(filepath.Join(root, "d"), old, old); err != nil {
		t.Fatal(err)
	}
	res := mustUnpack(t, openRoot(t, root), dirEntry("d/"))
	if len(res.DirModes) != 1 || res.DirModes[0] != (extract.DirMode{Path: "d", Have: 0o700, Want: 0o755}) {
		t.Errorf("told %+v", res.DirModes)
	}
	foreign := dirEntry("d/")
	foreign.uid, foreign.gid = 5, 6
	if res := mustUnpack(t, openRoot(t, root), foreign); os.Geteuid() == 0 && (len(res.DirOwners) != 1 || res.DirOwners[0] != (extract.DirOwner{Path: "d", WantUID: 5, WantGID: 6})) {
		t.Errorf("told %+v", res.DirOwners)
	}
	if st := stat(t, root, "d"); st.Mode&0o777 != 0o700 || st.Mtim.Sec != old.Unix() {
		t.Errorf("mode %o, time %d", st.Mode&0o777, st.Mtim.Sec)
	}
}

func TestMissingParentsAreMade(t *testing.T) {
	root := t.TempDir()
	res := mustUnpack(t, openRoot(t, root), file("a/b/c/f", "x"))
	if len(res.Written) != 4 || stat(t, root, "a/b/c").Mode&0o777 != 0o755 {
		t.Errorf("written %+v", res.Written)
	}
}

func TestMetadataIsReturnedNotWritten(t *testing.T) {
	root := t.TempDir()
	res := mustUnpack(t, openRoot(t, root), file(".PKGINFO", "pkgname = x"), file(".INSTALL", "post_install() { :; }"), file(".other", "ignored"), file("f", "x"))
	if string(res.Meta[".PKGINFO"]) != "pkgname = x" || string(res.Meta[".INSTALL"]) != "post_install() { :; }" || len(res.Meta) != 2 {
		t.Errorf("meta %q", res.Meta)
	}
	if _, got, _ := strings.Cut(listing(t, root), "\n"); got != "f -rw-r--r-- x\n" {
		t.Errorf("root has\n%s", got)
	}
	if res.Entries != 4 || res.Bytes != 1 {
		t.Errorf("%d entries, %d bytes", res.Entries, res.Bytes)
	}
}

func TestHardLinksOverWhatIsThere(t *testing.T) {
	root := t.TempDir()
	r := openRoot(t, root)
	pkg := []entry{file("a", "1"), hardlink("b", "a"), hardlink("c", "b")}
	mustUnpack(t, r, pkg...)
	pkg[0].body = "2"
	mustUnpack(t, r, pkg...)
	mustUnpack(t, r, hardlinkSet()...)
	if got := stat(t, root, "a").Nlink; got != 3 || read(t, root, "c") != "3" {
		t.Errorf("%d links, c is %q", got, read(t, root, "c"))
	}
	if list := listing(t, root); strings.Contains(list, ".rastos") {
		t.Errorf("left:\n%s", list)
	}
}

// hardlinkSet names b twice: the second time it is the same file already.
func hardlinkSet() []entry {
	return []entry{file("a", "3"), hardlink("b", "a"), hardlink("b", "a"), hardlink("c", "a")}
}

// TestSameAsBsdtar compares with the program whose library pacman extracts with.
func TestSameAsBsdtar(t *testing.T) {
	testkit.NeedRoot(t)
	bsdtar := testkit.NeedTool(t, "bsdtar")
	src, theirs, ours := t.TempDir(), t.TempDir(), t.TempDir()
	mustUnpack(t, openRoot(t, src), dirEntry("etc/"), file("etc/conf", "x"), hardlink("etc/conf2", "etc/conf"),
		entry{name: "bin/", typ: tar.TypeDir, mode: 0o1775, uid: 3, gid: 4}, entry{name: "bin/su", typ: tar.TypeReg, body: strings.Repeat("long ", 99), mode: 0o6755, uid: 3, gid: 9},
		symlink("bin/sh", "su"), symlink("abs", "/bin/su"), file("name with spaces and ümlaut", ""), file(strings.Repeat("long/", 60)+"f", "y"))
	if err := unix.Setxattr(filepath.Join(src, "bin/su"), "security.capability", []byte(capability), 0); err != nil {
		t.Fatal(err)
	}
	pkg := filepath.Join(t.TempDir(), "p.tar")
	names, err := os.ReadDir(src)
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"-cf", pkg, "-C", src}
	for _, n := range names {
		args = append(args, n.Name())
	}
	for _, c := range [][]string{args, {"-xpf", pkg, "-C", theirs}} {
		if out, err := exec.Command(bsdtar, c...).CombinedOutput(); err != nil {
			t.Fatalf("bsdtar %v: %v\n%s", c, err, out)
		}
	}
	f, err := os.Open(pkg)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := openRoot(t, ours).Package(t.Context(), tar.NewReader(f), nil); err != nil {
		t.Fatal(err)
	}
	if a, b := fullListing(t, theirs), fullListing(t, ours); a != b {
		t.Errorf("bsdtar:\n%s\nours:\n%s", a, b)
	}
}

// fullListing adds owners, times, link counts and capabilities to a listing.
func fullListing(t *testing.T, root string) string {
	t.Helper()
	b := strings.Builder{}
	b.WriteString(listing(t, root))
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		st := stat(t, path)
		buf := make([]byte, 64)
		n, _ := unix.Lgetxattr(path, "security.capability", buf)
		fmt.Fprintf(&b, "%s %d:%d %d.%09d %d %x\n", path[len(root):], st.Uid, st.Gid, st.Mtim.Sec, st.Mtim.Nsec, st.Nlink, buf[:max(n, 0)])
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}
