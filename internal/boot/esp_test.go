// SPDX-License-Identifier: GPL-3.0-or-later

package boot_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/rastos/rastos/internal/boot"
	"github.com/rastos/rastos/internal/boot/esptest"
)

func TestMemoryKeepsTheContract(t *testing.T) {
	esptest.Run(t, func(*testing.T) boot.ESP { return &esptest.Memory{} })
}

var (
	kernel = bytes.Repeat([]byte("kernel"), 100_000)
	initrd = bytes.Repeat([]byte("initrd"), 200_000)
)

// entryOf puts the blobs and describes an entry for them.
func entryOf(t *testing.T, esp boot.ESP, n int) boot.Entry {
	t.Helper()
	k, err := boot.PutBlob(esp, boot.Linux, kernel)
	if err != nil {
		t.Fatal(err)
	}
	i, err := boot.PutBlob(esp, boot.Initrd, initrd)
	if err != nil {
		t.Fatal(err)
	}
	return describe(n, k, i)
}

func describe(n int, k, i string) boot.Entry {
	return boot.Entry{
		Title: fmt.Sprint("rastOS ", n), SortKey: "rastos", Version: fmt.Sprint(n),
		Linux: boot.BlobPath(k, boot.Linux), Initrd: []string{boot.BlobPath(i, boot.Initrd)},
		Options: fmt.Sprint("rastos.deploy=", n),
	}
}

func entryFiles(t *testing.T, esp boot.ESP) []string {
	t.Helper()
	infos, err := esp.ReadDir(boot.EntriesDir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, i := range infos {
		names = append(names, i.Name())
	}
	slices.Sort(names)
	return names
}

func expectFiles(t *testing.T, esp boot.ESP, want ...string) {
	t.Helper()
	if got := entryFiles(t, esp); !slices.Equal(got, want) {
		t.Errorf("the entries are %q, want %q", got, want)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestLifeOfAnEntry(t *testing.T) {
	esp := &esptest.Memory{}
	must(t, boot.WriteEntry(esp, entryOf(t, esp, 3), "rastos-3", 3))
	expectFiles(t, esp, "rastos-3+3.conf")
	// The loader counts down.
	must(t, esp.Rename("loader/entries/rastos-3+3.conf", "loader/entries/rastos-3+2-1.conf"))
	must(t, boot.Bless(esp, "rastos-3"))
	expectFiles(t, esp, "rastos-3.conf")
	must(t, boot.Bless(esp, "rastos-3"))
	must(t, boot.Arm(esp, "rastos-3", 2))
	expectFiles(t, esp, "rastos-3+2.conf")
	must(t, esp.Rename("loader/entries/rastos-3+2.conf", "loader/entries/rastos-3+1-1.conf"))
	must(t, boot.MarkBad(esp, "rastos-3"))
	expectFiles(t, esp, "rastos-3+0-2.conf")
	list, err := boot.ListEntries(esp)
	must(t, err)
	if len(list) != 1 || !list[0].Name.Bad() || list[0].Entry.Version != "3" {
		t.Fatalf("listed %+v", list)
	}
	must(t, boot.RemoveEntry(esp, "rastos-3"))
	must(t, boot.RemoveEntry(esp, "rastos-3"))
	expectFiles(t, esp)
	if err := boot.Bless(esp, "rastos-3"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}

func TestTheLoaderCountsDownABadEntryToo(t *testing.T) {
	esp := &esptest.Memory{}
	must(t, boot.WriteEntry(esp, entryOf(t, esp, 1), "rastos-1", 1))
	must(t, esp.Rename("loader/entries/rastos-1+1.conf", "loader/entries/rastos-1+0-1.conf"))
	must(t, boot.MarkBad(esp, "rastos-1"))
	expectFiles(t, esp, "rastos-1+0-1.conf")
}

func TestTwoNamesOfOneEntry(t *testing.T) {
	for _, c := range []struct {
		names []string
		want  string
	}{
		{[]string{"rastos-1+3.conf", "rastos-1+2-1.conf"}, "rastos-1+2-1.conf"}, // counting down was cut
		{[]string{"rastos-1+2-1.conf", "rastos-1.conf"}, "rastos-1.conf"},       // blessing was
		{[]string{"rastos-1+2-1.conf", "rastos-1+0-3.conf"}, "rastos-1+0-3.conf"},
	} {
		esp := &esptest.Memory{}
		e := entryOf(t, esp, 1)
		data, err := boot.EncodeEntry(e)
		must(t, err)
		must(t, esp.MkdirAll(boot.EntriesDir))
		for _, n := range c.names {
			must(t, esp.WriteFile(path.Join(boot.EntriesDir, n), data))
		}
		list, err := boot.ListEntries(esp)
		must(t, err)
		if len(list) != 1 || list[0].Name.String() != c.want {
			t.Errorf("%q: listed %+v", c.names, list)
		}
		fixes, err := boot.Recover(esp, []boot.Wanted{{Name: boot.Armed("rastos-1", 3), Entry: e}})
		if err != nil || len(fixes) != 1 {
			t.Errorf("%q: fixes %v, error %v", c.names, fixes, err)
		}
		expectFiles(t, esp, c.want)
	}
}

func TestADamagedNameDoesNotStandForTheEntry(t *testing.T) {
	esp := &esptest.Memory{}
	e := entryOf(t, esp, 1)
	must(t, boot.WriteEntry(esp, e, "rastos-1", 3))
	must(t, esp.WriteFile("loader/entries/rastos-1+2-1.conf", []byte("titl\x00")))
	list, err := boot.ListEntries(esp)
	must(t, err)
	if list[0].Name.Left != 3 || list[0].Files[1].Err == nil {
		t.Fatalf("listed %+v", list)
	}
	if _, err := boot.CollectBlobs(esp, func(string) bool { return false }); err == nil {
		t.Error("blobs were collected beside an entry that cannot be read")
	}
	_, err = boot.Recover(esp, []boot.Wanted{{Name: boot.Armed("rastos-1", 3), Entry: e}})
	must(t, err)
	expectFiles(t, esp, "rastos-1+3.conf")
}

func TestEntryIsNotWrittenOverADamagedBlob(t *testing.T) {
	esp := &esptest.Memory{}
	e := entryOf(t, esp, 1)
	must(t, esp.WriteFile(strings.TrimPrefix(e.Initrd[0], "/"), []byte("garbage")))
	var corrupt *boot.CorruptError
	if err := boot.WriteEntry(esp, e, "rastos-1", 3); !errors.As(err, &corrupt) {
		t.Fatalf("error %v", err)
	}
	if err := boot.WriteEntry(esp, boot.Entry{Linux: "/vmlinuz"}, "rastos-1", 3); err == nil {
		t.Fatal("an entry for a kernel of unknown content was written")
	}
	// The next run mends the blob.
	must(t, boot.WriteEntry(esp, entryOf(t, esp, 1), "rastos-1", 3))
}

func TestBlobsAreSharedAndCollected(t *testing.T) {
	esp := &esptest.Memory{}
	must(t, boot.WriteEntry(esp, entryOf(t, esp, 1), "rastos-1", 0))
	before := esp.Writes
	e := entryOf(t, esp, 2)
	if esp.Writes != before {
		t.Error("blobs that are there were written again")
	}
	must(t, boot.WriteEntry(esp, e, "rastos-2", 3))
	other, err := boot.PutBlob(esp, boot.Linux, []byte("another kernel"))
	must(t, err)
	pending, err := boot.PutBlob(esp, boot.Linux, []byte("a kernel for an entry to come"))
	must(t, err)
	must(t, boot.RemoveEntry(esp, "rastos-1"))
	removed, err := boot.CollectBlobs(esp, func(sum string) bool { return sum == pending })
	if err != nil || !slices.Equal(removed, []string{"rastos/" + other + "/linux"}) {
		t.Fatalf("removed %v, error %v", removed, err)
	}
	must(t, boot.RemoveEntry(esp, "rastos-2"))
	removed, err = boot.CollectBlobs(esp, func(string) bool { return false })
	if err != nil || len(removed) != 3 {
		t.Fatalf("removed %v, error %v", removed, err)
	}
}

func TestFullPartitionIsLeftAsItWas(t *testing.T) {
	esp := &esptest.Memory{Size: 2 << 20}
	var full *boot.NoSpaceError
	if err := boot.Preflight(esp, kernel, initrd); !errors.As(err, &full) {
		t.Fatalf("error %v", err)
	}
	if _, err := boot.PutBlob(esp, boot.Initrd, initrd); !errors.As(err, &full) || full.ExitCode() != 7 || full.Hint() == "" {
		t.Fatalf("error %v", err)
	}
	if infos, _ := esp.ReadDir(""); len(infos) != 0 {
		t.Errorf("left behind: %v", infos)
	}
	must(t, boot.Preflight(esp, kernel))
	_, err := boot.PutBlob(esp, boot.Linux, kernel)
	must(t, err)
	must(t, boot.Preflight(esp, kernel)) // there already: needs no room
}

func TestRecoverFindsNothingToDo(t *testing.T) {
	esp := &esptest.Memory{}
	e := entryOf(t, esp, 1)
	must(t, boot.WriteEntry(esp, e, "rastos-1", 3))
	must(t, esp.WriteFile("loader/entries/other.conf", []byte("linux /other\n")))
	must(t, esp.Rename("loader/entries/rastos-1+3.conf", "loader/entries/rastos-1+1-2.conf"))
	before := esp.Writes
	fixes, err := boot.Recover(esp, []boot.Wanted{{Name: boot.Armed("rastos-1", 3), Entry: e}})
	if err != nil || len(fixes) != 0 || esp.Writes != before {
		t.Errorf("fixes %v, error %v", fixes, err)
	}
}

// TestPowerCuts stops after every effect of a deployment's life on the
// partition, in each way that FAT may leave a rename, and recovers: the entry
// that was good before is always there, and afterwards nothing is left over.
func TestLeftoversOfWritesAreRemoved(t *testing.T) {
	esp := &esptest.Memory{}
	must(t, esp.MkdirAll(boot.EntriesDir))
	for _, name := range []string{"rastos-1.tmp", ".rastos-tmp-XYZ", "notes.txt"} {
		must(t, esp.WriteFile(boot.EntriesDir+"/"+name, []byte("x")))
	}
	_, err := boot.Recover(esp, nil)
	must(t, err)
	left, err := esp.ReadDir(boot.EntriesDir)
	must(t, err)
	if len(left) != 1 || left[0].Name() != "notes.txt" {
		t.Errorf("left: %v", left)
	}
}

func TestPowerCuts(t *testing.T) {
	story := func(esp boot.ESP) error {
		k, err := boot.PutBlob(esp, boot.Linux, append([]byte("new"), kernel...))
		if err != nil {
			return err
		}
		i, err := boot.PutBlob(esp, boot.Initrd, initrd)
		if err != nil {
			return err
		}
		if err := boot.WriteEntry(esp, describe(2, k, i), "rastos-2", 3); err != nil {
			return err
		}
		if err := esp.Rename("loader/entries/rastos-2+3.conf", "loader/entries/rastos-2+2-1.conf"); err != nil {
			return err
		}
		return boot.Bless(esp, "rastos-2")
	}
	cuts := 0
	for _, at := range []esptest.RenameCut{esptest.OldName, esptest.BothNames, esptest.NeitherName} {
		for cut := 1; ; cut++ {
			esp := &esptest.Memory{AtCut: at}
			old := entryOf(t, esp, 1)
			must(t, boot.WriteEntry(esp, old, "rastos-1", 0))
			esp.Writes, esp.Cut = 0, cut
			err := story(esp)
			esp.Restore()
			if err == nil {
				break
			}
			cuts++
			if !errors.Is(err, esptest.ErrCut) {
				t.Fatalf("cut %d: %v", cut, err)
			}
			checkRecovered(t, esp, old, fmt.Sprintf("cut %d of way %d", cut, at))
		}
	}
	if cuts < 15 {
		t.Errorf("only %d cuts: the story has no effects", cuts)
	}
}

func checkRecovered(t *testing.T, esp *esptest.Memory, old boot.Entry, when string) {
	t.Helper()
	list, err := boot.ListEntries(esp)
	must(t, err)
	if len(list) == 0 || list[0].Name != boot.Good("rastos-1") || list[0].Files[0].Err != nil {
		t.Fatalf("%s: the good entry is gone: %+v", when, list)
	}
	for _, l := range list { // whatever may be booted is whole
		if l.Files[0].Err == nil {
			must(t, boot.Verify(esp, l.Entry.Linux))
			must(t, boot.Verify(esp, l.Entry.Initrd[0]))
		}
	}
	wanted := []boot.Wanted{{Name: boot.Good("rastos-1"), Entry: old}}
	newKernel := append([]byte("new"), kernel...)
	k, err := boot.PutBlob(esp, boot.Linux, newKernel)
	must(t, err)
	i, err := boot.PutBlob(esp, boot.Initrd, initrd)
	must(t, err)
	wanted = append(wanted, boot.Wanted{Name: boot.Armed("rastos-2", 3), Entry: describe(2, k, i)})
	if _, err := boot.Recover(esp, wanted); err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	list, err = boot.ListEntries(esp)
	must(t, err)
	if len(list) != 2 || len(list[1].Files) != 1 {
		t.Fatalf("%s: recovered to %+v", when, list)
	}
	again, err := boot.Recover(esp, wanted)
	if err != nil || len(again) != 0 {
		t.Fatalf("%s: a second recovery did %v, error %v", when, again, err)
	}
	if diff := cmp.Diff(describe(2, k, i), list[1].Entry); diff != "" {
		t.Fatalf("%s: %s", when, diff)
	}
	if got := entryFiles(t, esp); len(got) != 2 {
		t.Fatalf("%s: left over: %q", when, got)
	}
}

func TestInstallLoader(t *testing.T) {
	esp := &esptest.Memory{}
	node := fstest.MapFS{boot.LoaderPath: {Data: []byte("MZ1")}}
	must(t, boot.InstallLoader(esp, node, boot.LoaderOptions{Timeout: 3}))
	conf, err := esp.ReadFile(boot.LoaderConf)
	must(t, err)
	if strings.Contains(string(conf), "default") || !strings.HasPrefix(string(conf), "timeout 3\n") {
		t.Errorf("loader.conf: %s", conf)
	}
	before := esp.Writes
	must(t, boot.InstallLoader(esp, node, boot.LoaderOptions{Timeout: 3}))
	if esp.Writes != before {
		t.Error("what is the same was written again")
	}
	node[boot.LoaderPath] = &fstest.MapFile{Data: []byte("MZ2")}
	must(t, boot.InstallLoader(esp, node, boot.LoaderOptions{Timeout: 9, Keep: true}))
	for _, name := range []string{"EFI/systemd/systemd-bootx64.efi", "EFI/BOOT/BOOTX64.EFI"} {
		if data, err := esp.ReadFile(name); err != nil || string(data) != "MZ2" {
			t.Errorf("%s: %q, error %v", name, data, err)
		}
	}
	if kept, _ := esp.ReadFile(boot.LoaderConf); !bytes.Equal(kept, conf) {
		t.Errorf("loader.conf was not kept: %s", kept)
	}
	var missing *boot.MissingLoaderError
	if err := boot.InstallLoader(esp, fstest.MapFS{}, boot.LoaderOptions{}); !errors.As(err, &missing) {
		t.Errorf("error %v", err)
	}
}

func efiString(s string) []byte {
	data := []byte{6, 0, 0, 0}
	for _, r := range s + "\x00" {
		data = append(data, byte(r), byte(r>>8))
	}
	return data
}

func TestLoaderVariables(t *testing.T) {
	const vendor = "-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"
	vars := fstest.MapFS{
		"LoaderBootCountPath" + vendor: {Data: efiString(`\loader\entries\rastos-3+2-1.conf`)},
		"LoaderEntrySelected" + vendor: {Data: efiString("rastos-3.conf")},
	}
	p, err := boot.LoaderBootCountPath(vars)
	if err != nil || p != "loader/entries/rastos-3+2-1.conf" {
		t.Errorf("%q, error %v", p, err)
	}
	n, err := boot.LoaderEntrySelected(vars)
	if err != nil || n != boot.Good("rastos-3") {
		t.Errorf("%+v, error %v", n, err)
	}
	if _, err := boot.LoaderBootCountPath(fstest.MapFS{}); !errors.Is(err, boot.ErrNoLoaderVariable) {
		t.Errorf("error %v", err)
	}
	vars["LoaderBootCountPath"+vendor] = &fstest.MapFile{Data: []byte{1, 2, 3}}
	if _, err := boot.LoaderBootCountPath(vars); err == nil {
		t.Error("three bytes were taken for a string")
	}
}
