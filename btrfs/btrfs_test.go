// SPDX-License-Identifier: GPL-3.0-or-later

package btrfs_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rastos/rastos/btrfs"
	"github.com/rastos/rastos/internal/testkit"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func progs(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command(testkit.NeedTool(t, "btrfs"), args...).CombinedOutput()
	if err != nil {
		t.Fatalf("btrfs %v: %v: %s", args, err, out)
	}
	return string(out)
}

// field finds "Name: value" in what btrfs subvolume show prints.
func field(t *testing.T, text, name string) string {
	t.Helper()
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), name+":"); ok {
			return strings.TrimSpace(v)
		}
	}
	t.Fatalf("no %q in:\n%s", name, text)
	return ""
}

func TestSubvolumesAgreeWithBtrfsProgs(t *testing.T) {
	testkit.Integration(t)
	top := testkit.BtrfsDisk(t, 256)
	a, snap := filepath.Join(top, "a"), filepath.Join(top, "dir with space", "snap")
	must(t, os.Mkdir(filepath.Dir(snap), 0o755))
	must(t, btrfs.Create(a))
	must(t, os.WriteFile(filepath.Join(a, "file"), []byte("one"), 0o644))
	must(t, btrfs.Snapshot(a, snap, true))
	progs(t, "subvolume", "create", filepath.Join(a, "theirs"))

	if err := os.WriteFile(filepath.Join(snap, "file"), nil, 0o644); !errors.Is(err, syscall.EROFS) {
		t.Errorf("a read-only snapshot took a write: %v", err)
	}
	for _, path := range []string{top, a, snap, filepath.Join(a, "theirs")} {
		ours, err := btrfs.Info(path)
		must(t, err)
		show := progs(t, "subvolume", "show", path)
		if path == top { // btrfs-progs prints less of the top level
			if ours.ID != btrfs.TopLevel || ours.ParentID != 0 {
				t.Errorf("the top level is %+v", ours)
			}
			continue
		}
		compare(t, ours, show)
	}
	info, err := btrfs.Info(snap)
	must(t, err)
	origin, err := btrfs.Info(a)
	must(t, err)
	if info.ParentUUID != origin.UUID || !info.ReadOnly || origin.ReadOnly {
		t.Errorf("snapshot %+v of %+v", info, origin)
	}
}

func compare(t *testing.T, ours btrfs.Subvolume, show string) {
	t.Helper()
	zero := func(u btrfs.UUID) string {
		if u.IsZero() {
			return "-"
		}
		return u.String()
	}
	flags := "-"
	if ours.ReadOnly {
		flags = "readonly"
	}
	for name, got := range map[string]string{
		"Name": ours.Name, "UUID": zero(ours.UUID), "Parent UUID": zero(ours.ParentUUID),
		"Received UUID": zero(ours.ReceivedUUID),
		"Subvolume ID":  strconv.FormatUint(ours.ID, 10), "Parent ID": strconv.FormatUint(ours.ParentID, 10),
		"Generation": strconv.FormatUint(ours.Generation, 10), "Flags": flags,
		"Gen at creation": strconv.FormatUint(ours.OriginGeneration, 10),
		"Creation time":   ours.Created.Format("2006-01-02 15:04:05 -0700"),
	} {
		if want := field(t, show, name); got != want {
			t.Errorf("%s of %s: ours %q, btrfs-progs %q", name, ours.Name, got, want)
		}
	}
}

func TestListIsWhatInfoAndBtrfsProgsSay(t *testing.T) {
	testkit.Integration(t)
	top := testkit.BtrfsDisk(t, 256)
	// More than one search buffer, nested, and with a deleted one in between.
	deep := top
	for i := range 30 {
		dir := filepath.Join(deep, "d"+strconv.Itoa(i%3), "e")
		must(t, os.MkdirAll(dir, 0o755))
		sub := filepath.Join(dir, "s"+strconv.Itoa(i))
		must(t, btrfs.Create(sub))
		if i%5 == 0 {
			deep = sub
		}
	}
	must(t, btrfs.Create(filepath.Join(top, "gone")))
	must(t, btrfs.Delete(filepath.Join(top, "gone")))
	must(t, btrfs.SyncFS(top))

	list, err := btrfs.List(deep) // from anywhere inside
	must(t, err)
	theirs := map[string]string{}
	for line := range strings.Lines(progs(t, "subvolume", "list", top)) {
		fields := strings.Fields(line) // ID 256 gen 7 top level 5 path a/b
		theirs[fields[8]] = fields[1]
	}
	if len(list) != len(theirs)+1 || list[0].ID != btrfs.TopLevel {
		t.Fatalf("%d subvolumes with the top level, btrfs-progs has %d", len(list), len(theirs))
	}
	for _, s := range list {
		info, err := btrfs.Info(filepath.Join(top, s.Path))
		must(t, err)
		info.Path = s.Path
		if info != s {
			t.Errorf("list:\n%+v\ninfo:\n%+v", s, info)
		}
		if s.ID != btrfs.TopLevel && theirs[s.Path] != strconv.FormatUint(s.ID, 10) {
			t.Errorf("%s has id %d, btrfs-progs says %q", s.Path, s.ID, theirs[s.Path])
		}
	}
}

func TestReadOnlyProperty(t *testing.T) {
	testkit.Integration(t)
	top := testkit.BtrfsDisk(t, 128)
	a := filepath.Join(top, "a")
	must(t, btrfs.Create(a))
	for _, want := range []bool{true, true, false, true} {
		must(t, btrfs.SetReadOnly(a, want))
		got, err := btrfs.ReadOnly(a)
		must(t, err)
		if got != want {
			t.Errorf("read-only is %v after setting %v", got, want)
		}
		if out := progs(t, "property", "get", a, "ro"); !strings.Contains(out, strconv.FormatBool(want)) {
			t.Errorf("btrfs-progs says %q, want %v", out, want)
		}
	}
}

func TestDeleteRefusesWhatIsInUse(t *testing.T) {
	testkit.Integration(t)
	top := testkit.BtrfsDisk(t, 128)
	a := filepath.Join(top, "a")
	must(t, btrfs.Create(a))
	must(t, btrfs.Create(filepath.Join(a, "inner")))
	if err := btrfs.Delete(a); !errors.Is(err, syscall.ENOTEMPTY) {
		t.Errorf("deleting a subvolume with another inside: %v", err)
	}
	must(t, btrfs.Delete(filepath.Join(a, "inner")))

	mnt := filepath.Join(top, "mount point")
	must(t, os.Mkdir(mnt, 0o755))
	if out, err := exec.Command("mount", "--bind", a, mnt).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	err := btrfs.Delete(a)
	if out, err := exec.Command("umount", mnt).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if !errors.Is(err, btrfs.ErrMounted) {
		t.Errorf("deleting a mounted subvolume: %v", err)
	}

	must(t, btrfs.SetDefaultSubvolume(a))
	id, err := btrfs.ID(a)
	must(t, err)
	if def, err := btrfs.DefaultSubvolume(top); err != nil || def != id {
		t.Errorf("default subvolume %d, %v; want %d", def, err, id)
	}
	if out := progs(t, "subvolume", "get-default", top); !strings.Contains(out, "ID "+strconv.FormatUint(id, 10)+" ") {
		t.Errorf("btrfs-progs says the default is %s", out)
	}
	if err := btrfs.Delete(a); err == nil {
		t.Error("the default subvolume was deleted")
	}
	must(t, btrfs.SetDefaultSubvolume(top))
	must(t, btrfs.Delete(a))
	if _, err := os.Lstat(a); !os.IsNotExist(err) {
		t.Errorf("after delete: %v", err)
	}
}

func TestWhatIsNoSubvolume(t *testing.T) {
	testkit.Integration(t)
	top := testkit.BtrfsDisk(t, 128)
	dir, link, a := filepath.Join(top, "dir"), filepath.Join(top, "link"), filepath.Join(top, "a")
	must(t, os.Mkdir(dir, 0o755))
	must(t, btrfs.Create(a))
	must(t, os.Symlink("a", link))
	must(t, os.WriteFile(filepath.Join(top, "file"), nil, 0o644))
	for path, want := range map[string]bool{top: true, a: true, dir: false, link: false, filepath.Join(top, "file"): false, "/proc": false} {
		if got, err := btrfs.IsSubvolume(path); err != nil || got != want {
			t.Errorf("IsSubvolume(%s) = %v, %v", path, got, err)
		}
	}
	for _, path := range []string{filepath.Join(top, "absent"), filepath.Join(top, "file", "x")} {
		if _, err := btrfs.IsSubvolume(path); err == nil {
			t.Errorf("IsSubvolume(%s) found something", path)
		}
	}
	if err := btrfs.Snapshot(dir, filepath.Join(top, "s"), true); !errors.Is(err, btrfs.ErrNotSubvolume) {
		t.Errorf("snapshot of a directory: %v", err)
	}
	if err := btrfs.Delete(link); err == nil {
		t.Error("a link to a subvolume was deleted as one")
	}
	must(t, btrfs.Create(filepath.Join(link, "below")))
	must(t, btrfs.Delete(filepath.Join(link, "below"))) // through a link is fine
	if _, err := btrfs.Info(dir); !errors.Is(err, btrfs.ErrNotSubvolume) {
		t.Errorf("info of a directory: %v", err)
	}
	if s, err := btrfs.Containing(dir); err != nil || s.ID != btrfs.TopLevel {
		t.Errorf("the directory is in %d, %v", s.ID, err)
	}
}

func TestFilesystemAgreesWithBtrfsProgs(t *testing.T) {
	testkit.Integration(t)
	top := testkit.BtrfsDisk(t, 256)
	must(t, os.WriteFile(filepath.Join(top, "data"), make([]byte, 8<<20), 0o644))
	must(t, btrfs.SyncFS(top))
	info, err := btrfs.FSInfo(top)
	must(t, err)
	show := progs(t, "filesystem", "show", "--raw", top)
	if !strings.Contains(show, info.UUID.String()) || info.Label != "rastos-test" || info.Devices != 1 || info.Generation == 0 {
		t.Errorf("%+v against %s", info, show)
	}
	use, err := btrfs.Usage(top)
	must(t, err)
	text := progs(t, "filesystem", "usage", "--raw", top)
	for name, got := range map[string]uint64{"Device size": use.Size, "Device allocated": use.Allocated, "Used": use.Used} {
		if want := field(t, text, name); want != strconv.FormatUint(got, 10) {
			t.Errorf("%s: ours %d, btrfs-progs %s", name, got, want)
		}
	}
	if free := strings.Fields(field(t, text, "Free (estimated)"))[0]; free != strconv.FormatUint(use.Free, 10) {
		t.Errorf("free: ours %d, btrfs-progs %s", use.Free, free)
	}
	if use.DataUsed < 8<<20 {
		t.Errorf("8 MiB were written, %d are used", use.DataUsed)
	}
}

func TestErrorsNameOperationAndPath(t *testing.T) {
	err := btrfs.Create("/proc/sys/x")
	if err == nil || !strings.Contains(err.Error(), "create subvolume /proc/sys/x: ") {
		t.Errorf("%v", err)
	}
	_, err = btrfs.Info("/proc")
	if !errors.Is(err, btrfs.ErrNotBtrfs) {
		t.Errorf("%v", err)
	}
	var e *btrfs.Error
	if !errors.As(err, &e) || e.Hint() == "" {
		t.Errorf("no hint for %v", err)
	}
	for _, path := range []string{"", ".", "..", "/", "a/..", "x\x00y"} {
		if err := btrfs.Create(path); !errors.Is(err, syscall.EINVAL) && !errors.Is(err, btrfs.ErrNotBtrfs) && !errors.Is(err, syscall.ENOENT) {
			t.Errorf("Create(%q): %v", path, err)
		}
	}
	if err := btrfs.Create("/tmp/" + strings.Repeat("n", 256)); !errors.Is(err, syscall.ENAMETOOLONG) {
		t.Errorf("a name of 256 bytes: %v", err)
	}
}
