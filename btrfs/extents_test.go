// SPDX-License-Identifier: GPL-3.0-or-later

package btrfs_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rastos/rastos/btrfs"
	"github.com/rastos/rastos/internal/testkit"
)

// theirs is what btrfs-filesystem-du says of subvolumes: total and exclusive.
func theirs(t *testing.T, paths ...string) (out [][2]uint64) {
	t.Helper()
	text := progs(t, append([]string{"filesystem", "du", "--raw", "-s"}, paths...)...)
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		total, err := strconv.ParseUint(fields[0], 10, 64)
		if err != nil {
			continue // the heading
		}
		exclusive, err := strconv.ParseUint(fields[1], 10, 64)
		must(t, err)
		out = append(out, [2]uint64{total, exclusive})
	}
	return out
}

// shares is what we say of all subvolumes of a file system, by path.
func shares(t *testing.T, top string) map[string]btrfs.Share {
	t.Helper()
	list, err := btrfs.List(top)
	must(t, err)
	var all []btrfs.Extents
	for _, s := range list {
		e, err := btrfs.ExtentsOf(top, s.ID)
		must(t, err)
		again, err := btrfs.DecodeExtents(e.Encode())
		must(t, err)
		if diff := cmp.Diff(e, again); diff != "" {
			t.Fatal(diff)
		}
		all = append(all, again)
	}
	out := map[string]btrfs.Share{}
	for i, share := range btrfs.Shares(all) {
		out[list[i].Path] = share
	}
	return out
}

func writeRandom(t *testing.T, size int, path string) {
	t.Helper()
	data := make([]byte, size)
	_, _ = rand.Read(data)
	must(t, os.WriteFile(path, data, 0o644))
}

func TestSizesAgreeWithBtrfsFilesystemDu(t *testing.T) {
	testkit.Integration(t)
	top := testkit.BtrfsDisk(t, 512)
	at := func(elem ...string) string { return filepath.Join(append([]string{top}, elem...)...) }
	must(t, btrfs.Create(at("a")))
	for i := range 300 {
		writeRandom(t, 100*i, at("a", fmt.Sprint(i))) // the small ones lie in the metadata
	}
	hole, err := os.Create(at("a", "hole"))
	must(t, err)
	must(t, hole.Truncate(1<<20))
	_, err = hole.WriteAt(bytes.Repeat([]byte{1}, 8192), 512<<10)
	must(t, err)
	must(t, hole.Close())
	must(t, os.Link(at("a", "200"), at("a", "200 again")))
	must(t, btrfs.SyncFS(top))
	must(t, btrfs.Snapshot(at("a"), at("b"), false))
	must(t, btrfs.Snapshot(at("a"), at("c"), true))
	writeRandom(t, 1<<20, at("b", "new"))
	must(t, os.Remove(at("b", "299")))
	writeRandom(t, 20000, at("b", "250"))
	must(t, os.RemoveAll(at("a", "100")))
	must(t, btrfs.Create(at("other")))
	if out, err := exec.Command("cp", "--reflink=always", at("b", "new"), at("other", "reflink")).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	must(t, btrfs.SyncFS(top))

	ours := shares(t, top)
	paths := []string{at("a"), at("b"), at("c"), at("other")}
	for i, want := range theirs(t, paths...) {
		got := ours[filepath.Base(paths[i])]
		if got.Referenced != want[0] || got.Exclusive != want[1] {
			t.Errorf("%s: total %d and exclusive %d, btrfs filesystem du says %d", paths[i], got.Referenced, got.Exclusive, want)
		}
	}
	// Deleting one brings back what is its own.
	before, err := btrfs.Usage(top)
	must(t, err)
	must(t, btrfs.Delete(at("b")))
	progs(t, "subvolume", "sync", top)
	must(t, btrfs.SyncFS(top)) // the references are counted down with the next transaction
	after, err := btrfs.Usage(top)
	must(t, err)
	if freed := before.DataUsed - after.DataUsed; freed != ours["b"].Exclusive {
		t.Errorf("%d bytes came back, want %d", freed, ours["b"].Exclusive)
	}
}

// TestSizesOfManyFilesAreQuick: a walk that asks file by file takes 50 times as long.
func TestSizesOfManyFilesAreQuick(t *testing.T) {
	testkit.Integration(t)
	top := testkit.BtrfsDisk(t, 1024)
	sub := filepath.Join(top, "a")
	must(t, btrfs.Create(sub))
	data := make([]byte, 4096)
	count := testkit.Rounds(10_000, 100_000)
	for i := range count {
		dir := filepath.Join(sub, fmt.Sprint(i/500))
		if i%500 == 0 {
			must(t, os.Mkdir(dir, 0o755))
		}
		must(t, os.WriteFile(filepath.Join(dir, fmt.Sprint(i%500)), data, 0o644))
	}
	must(t, btrfs.SyncFS(top))
	id, err := btrfs.ID(sub)
	must(t, err)
	began := time.Now()
	e, err := btrfs.ExtentsOf(top, id)
	must(t, err)
	t.Logf("%d files in %s", count, time.Since(began))
	if e.Referenced != uint64(count)*4096 || e.Size() != e.Referenced {
		t.Errorf("referenced %d, on the disk %d", e.Referenced, e.Size())
	}
}

func TestDamagedListsOfExtentsAreRefused(t *testing.T) {
	whole := btrfs.Extents{Referenced: 5, List: []btrfs.Extent{{4096, 8192}, {16384, 4096}}}.Encode()
	for i := range whole {
		if _, err := btrfs.DecodeExtents(whole[:i]); err == nil {
			t.Errorf("the first %d bytes were taken for all", i)
		}
	}
	if _, err := btrfs.DecodeExtents(append(whole, 0)); err == nil {
		t.Error("a byte more was not noticed")
	}
}

func FuzzDecodeExtents(f *testing.F) {
	f.Add(btrfs.Extents{Referenced: 5, List: []btrfs.Extent{{4096, 8192}}}.Encode())
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := btrfs.DecodeExtents(data)
		if err != nil {
			return
		}
		again, err := btrfs.DecodeExtents(e.Encode())
		if err != nil || !cmp.Equal(e, again) {
			t.Errorf("%+v became %+v, %v", e, again, err)
		}
	})
}
