// SPDX-License-Identifier: GPL-3.0-or-later

package extract_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rastos/rastos/alpm/extract"
	"github.com/rastos/rastos/internal/testkit"
)

func TestFullFileSystem(t *testing.T) {
	root := smallTmpfs(t, "size=64k,nr_inodes=20")
	r := openRoot(t, root)
	_, err := unpack(t, r, nil, file("small", "x"), file("big", strings.Repeat("x", 200<<10)))
	var ns *extract.NoSpaceError
	if !errors.As(err, &ns) || ns.ExitCode() != 7 || ns.Hint() == "" || ns.Name != "big" {
		t.Errorf("error %v, want a NoSpaceError about big", err)
	}
	if exists(filepath.Join(root, "big")) || !exists(filepath.Join(root, "small")) {
		t.Errorf("left:\n%s", listing(t, root))
	}
	var many []entry
	for i := range 30 {
		many = append(many, dirEntry(fmt.Sprintf("d%d/", i)))
	}
	if _, err := unpack(t, r, nil, many...); !errors.As(err, &ns) {
		t.Errorf("out of inodes: %v", err)
	}
}

func smallTmpfs(t *testing.T, options string) string {
	t.Helper()
	testkit.NeedRoot(t)
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestCancelledExtractionStops(t *testing.T) {
	root := t.TempDir()
	cause := errors.New("Ctrl-C")
	ctx, cancel := context.WithCancelCause(t.Context())
	policy := func(h *tar.Header) (extract.Decision, error) {
		if h.Name == "b" {
			cancel(cause)
		}
		return extract.Decision{}, nil
	}
	data := archive(t, file("a", "x"), file("b", strings.Repeat("x", 1<<20)), file("c", "x"))
	res, err := openRoot(t, root).Package(ctx, tar.NewReader(bytes.NewReader(data)), policy)
	if !errors.Is(err, cause) || exists(filepath.Join(root, "b")) || exists(filepath.Join(root, "c")) || len(res.Written) != 1 {
		t.Errorf("%v, written %+v", err, res.Written)
	}
}

func TestDirectoryRemovedBehindTheCache(t *testing.T) {
	root := t.TempDir()
	r := openRoot(t, root)
	for _, pkg := range [][]entry{
		{dirEntry("d/"), file("d/f", "1")}, {file("d/f", "2")}, {dirEntry("d/"), symlink("d/l", "3")}, {dirEntry("d/e/")},
	} {
		mustUnpack(t, r, pkg...)
		if err := os.RemoveAll(filepath.Join(root, "d")); err != nil {
			t.Fatal(err)
		}
	}
	mustUnpack(t, r, file("d/f", "last"))
	if read(t, root, "d/f") != "last" {
		t.Error("not written")
	}
}

func TestMoreDirectoriesThanTheCacheHolds(t *testing.T) {
	root := t.TempDir()
	r := openRoot(t, root)
	var pkg []entry
	for i := range 700 {
		pkg = append(pkg, dirEntry(fmt.Sprintf("d%03d/", i)), file(fmt.Sprintf("d%03d/f", i), "x"))
	}
	before := openFiles(t)
	mustUnpack(t, r, pkg...)
	if n := openFiles(t) - before; n > 260 {
		t.Errorf("%d descriptors are open", n)
	}
	for i := range 700 {
		if st := stat(t, root, fmt.Sprintf("d%03d", i)); st.Mtim.Sec != day.Unix() {
			t.Fatalf("directory %d has the time %d", i, st.Mtim.Sec)
		}
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

func TestManyPackagesAtOnce(t *testing.T) {
	for _, late := range []bool{false, true} {
		t.Run(fmt.Sprintf("LateTimes=%v", late), func(t *testing.T) { manyPackages(t, extract.Options{LateTimes: late}) })
	}
}

func manyPackages(t *testing.T, opt extract.Options) {
	root := t.TempDir()
	before := openFiles(t)
	r, err := extract.OpenRootWith(root, opt)
	if err != nil {
		t.Fatal(err)
	}
	const packages, dirs = 16, 40
	errs := make(chan error, packages)
	var wg sync.WaitGroup
	for p := range packages {
		var pkg []entry
		for d := range dirs {
			e := dirEntry(fmt.Sprintf("s%d/t%d/", d%4, d))
			e.time = day.Add(time.Duration(p) * time.Second)
			pkg = append(pkg, dirEntry(fmt.Sprintf("s%d/", d%4)), e, file(fmt.Sprintf("s%d/t%d/p%d", d%4, d, p), "x"))
		}
		data := archive(t, pkg...)
		wg.Go(func() {
			_, err := r.Package(t.Context(), tar.NewReader(bytes.NewReader(data)), nil)
			errs <- err
		})
	}
	wg.Wait()
	for range packages {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if err := r.SettleTimes(); err != nil {
		t.Error(err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if n := openFiles(t) - before; n != 0 {
		t.Errorf("%d descriptors leaked", n)
	}
	for d := range dirs {
		name := fmt.Sprintf("s%d/t%d", d%4, d)
		if list, err := os.ReadDir(filepath.Join(root, name)); err != nil || len(list) != packages {
			t.Errorf("%s has %d files, %v", name, len(list), err)
		}
		if got := stat(t, root, name).Mtim.Sec; got != day.Unix()+packages-1 {
			t.Errorf("%s: time %d is not the latest that a package gives it", name, got)
		}
	}
}

func TestDurable(t *testing.T) {
	root := t.TempDir()
	r, err := extract.OpenRootWith(root, extract.Options{Durable: true})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	mustUnpack(t, r, dirEntry("d/"), file("d/f", "1"), symlink("l", "d"))
	mustUnpack(t, r, dirEntry("d/"), file("d/f", "2"), symlink("l", "e"))
	if read(t, root, "d/f") != "2" {
		t.Error("not replaced")
	}
}
