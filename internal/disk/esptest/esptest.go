// SPDX-License-Identifier: GPL-3.0-or-later

// Package esptest is the contract of an EFI system partition as rastOS uses
// it: one suite that every backend passes, the user-space FAT32 of images and
// the mounted one of running machines.
package esptest

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
)

// ESP is what the suite exercises; internal/boot declares the same.
type ESP interface {
	ReadFile(name string) ([]byte, error)
	WriteFile(name string, data []byte) error
	Remove(name string) error
	Rename(old, new string) error
	ReadDir(dir string) ([]fs.FileInfo, error)
	MkdirAll(dir string) error
	Free() (int64, error)
	Sync() error
}

// Suite is a backend under test.
type Suite struct {
	// Open gives an empty partition of 34 to 200 MiB.
	Open func(t *testing.T) ESP
	// Done, when not nil, is called at the end of each test, to check it.
	Done func(t *testing.T, esp ESP)
	// PlainDirectory is a backend over a directory that is not FAT: case is
	// part of a name there, and its room is the whole disk's.
	PlainDirectory bool
}

// Run runs the suite.
func Run(t *testing.T, s Suite) {
	tests := map[string]func(*testing.T, ESP){
		"write and read":                 writeAndRead,
		"replace":                        replace,
		"long names":                     longNames,
		"many files":                     manyFiles,
		"rename replaces":                renameReplaces,
		"rename between directories":     renameBetween,
		"rename counts down":             renameCountsDown,
		"remove":                         remove,
		"what is not there":              absent,
		"directories":                    directories,
		"names that climb out stay in":   climbing,
		"room is counted and comes back": room,
		"full":                           full,
		"case is no part of a name":      caseless,
	}
	if s.PlainDirectory {
		for _, name := range []string{"case is no part of a name", "full", "room is counted and comes back"} {
			delete(tests, name)
		}
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			esp := s.Open(t)
			test(t, esp)
			if err := esp.Sync(); err != nil {
				t.Error(err)
			}
			if s.Done != nil {
				s.Done(t, esp)
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func expect(t *testing.T, esp ESP, name string, want []byte) {
	t.Helper()
	got, err := esp.ReadFile(name)
	if err != nil {
		t.Error(err)
	} else if !bytes.Equal(got, want) {
		t.Errorf("%s: %d bytes, want %d", name, len(got), len(want))
	}
}

func names(t *testing.T, esp ESP, dir string) []string {
	t.Helper()
	list, err := esp.ReadDir(dir)
	must(t, err)
	out := make([]string, len(list))
	for i, in := range list {
		out[i] = in.Name()
	}
	return out
}

func pattern(seed, size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i*7 + i>>8 + seed)
	}
	return b
}

func writeAndRead(t *testing.T, esp ESP) {
	for i, size := range []int{0, 1, 511, 512, 513, 4095, 4096, 4097, 1 << 20, 3<<20 + 17} {
		name := fmt.Sprintf("file-%d", size)
		must(t, esp.WriteFile(name, pattern(i, size)))
	}
	for i, size := range []int{0, 1, 511, 512, 513, 4095, 4096, 4097, 1 << 20, 3<<20 + 17} {
		expect(t, esp, fmt.Sprintf("file-%d", size), pattern(i, size))
	}
	list, err := esp.ReadDir("")
	must(t, err)
	for _, in := range list {
		if want := strings.TrimPrefix(in.Name(), "file-"); fmt.Sprint(in.Size()) != want || in.IsDir() {
			t.Errorf("%s: size %d, directory %v", in.Name(), in.Size(), in.IsDir())
		}
	}
}

func replace(t *testing.T, esp ESP) {
	for i, size := range []int{10, 100_000, 0, 5000, 5000} {
		must(t, esp.WriteFile("loader.conf", pattern(i, size)))
		expect(t, esp, "loader.conf", pattern(i, size))
	}
	if got := names(t, esp, ""); len(got) != 1 {
		t.Errorf("%q", got)
	}
}

func caseless(t *testing.T, esp ESP) {
	must(t, esp.MkdirAll("Loader"))
	must(t, esp.MkdirAll("loader/entries"))
	must(t, esp.WriteFile("loader/loader.conf", []byte("first")))
	must(t, esp.WriteFile("LOADER/Loader.Conf", []byte("second")))
	expect(t, esp, "loader/LOADER.CONF", []byte("second"))
	if got := names(t, esp, ""); !slices.Equal(got, []string{"Loader"}) {
		t.Errorf("%q", got)
	}
	must(t, esp.Rename("loader/loader.conf", "loader/LOADER.conf"))
	if got := names(t, esp, "LOADER"); !slices.Equal(got, []string{"LOADER.conf", "entries"}) {
		t.Errorf("%q", got)
	}
}

func longNames(t *testing.T, esp ESP) {
	hash := strings.Repeat("0123456789abcdef", 4)
	all := []string{
		"README.TXT", "a", "A.b", "rastos-1+3.conf", "rastos-1+2-1.conf", "rastos-11+3.conf", ".hidden", "two  spaces",
		"many.dots.in.it", "Übergrößenträger.conf", "日本語のとても長い名前.txt", "😀.txt", hash, strings.Repeat("n", 255), "13 characters", "plus+equals=[];,",
	}
	for i, name := range all {
		must(t, esp.WriteFile(name, pattern(i, 100+i)))
	}
	for i, name := range all {
		expect(t, esp, name, pattern(i, 100+i))
	}
	got := names(t, esp, "/")
	slices.Sort(all)
	if !slices.Equal(got, all) {
		t.Errorf("got\n%q, want\n%q", got, all)
	}
}

func manyFiles(t *testing.T, esp ESP) {
	must(t, esp.MkdirAll("loader/entries"))
	const n = 300 // past one cluster of the directory, and past ~9 in aliases
	for i := range n {
		must(t, esp.WriteFile(fmt.Sprintf("loader/entries/rastos-%d+3.conf", i), []byte{byte(i)}))
	}
	for i := 0; i < n; i += 2 {
		must(t, esp.Remove(fmt.Sprintf("loader/entries/rastos-%d+3.conf", i)))
	}
	for i := 0; i < n; i += 4 {
		must(t, esp.WriteFile(fmt.Sprintf("loader/entries/a-somewhat-longer-name-%d.conf", i), []byte{byte(i)}))
	}
	if got := names(t, esp, "loader/entries"); len(got) != n/2+n/4 || !slices.IsSorted(got) {
		t.Errorf("%d entries", len(got))
	}
	expect(t, esp, "loader/entries/rastos-7+3.conf", []byte{7})
	expect(t, esp, "loader/entries/a-somewhat-longer-name-8.conf", []byte{8})
}

func renameReplaces(t *testing.T, esp ESP) {
	must(t, esp.WriteFile("new.tmp", pattern(1, 9000)))
	must(t, esp.WriteFile("file", pattern(2, 20_000)))
	must(t, esp.Rename("new.tmp", "file"))
	expect(t, esp, "file", pattern(1, 9000))
	must(t, esp.MkdirAll("dir"))
	if err := esp.Rename("file", "dir"); err == nil {
		t.Error("a directory was replaced by a file")
	}
	expect(t, esp, "file", pattern(1, 9000))
}

func renameBetween(t *testing.T, esp ESP) {
	must(t, esp.MkdirAll("a/b/c"))
	must(t, esp.MkdirAll("x"))
	must(t, esp.WriteFile("a/b/c/f", pattern(1, 700)))
	must(t, esp.Rename("a/b", "x/moved"))
	expect(t, esp, "x/moved/c/f", pattern(1, 700))
	must(t, esp.Rename("x/moved", "top"))
	expect(t, esp, "top/c/f", pattern(1, 700))
	must(t, esp.Rename("top/c/f", "a/f"))
	expect(t, esp, "a/f", pattern(1, 700))
	if err := esp.Rename("top", "top/c/inside"); err == nil {
		t.Error("a directory was moved into itself")
	}
	if got := names(t, esp, ""); !slices.Equal(got, []string{"a", "top", "x"}) {
		t.Errorf("%q", got)
	}
}

func renameCountsDown(t *testing.T, esp ESP) {
	must(t, esp.MkdirAll("loader/entries"))
	must(t, esp.WriteFile("loader/entries/rastos-5+3.conf", []byte("title x\n")))
	old := "loader/entries/rastos-5+3.conf"
	for _, next := range []string{"rastos-5+2-1.conf", "rastos-5+1-2.conf", "rastos-5+0-3.conf", "rastos-5.conf"} {
		must(t, esp.Rename(old, "loader/entries/"+next))
		old = "loader/entries/" + next
		if got := names(t, esp, "loader/entries"); !slices.Equal(got, []string{next}) {
			t.Fatalf("%q", got)
		}
		expect(t, esp, old, []byte("title x\n"))
	}
}

func remove(t *testing.T, esp ESP) {
	must(t, esp.MkdirAll("dir/sub"))
	must(t, esp.WriteFile("dir/f", pattern(1, 5000)))
	if err := esp.Remove("dir"); err == nil {
		t.Error("a full directory was removed")
	}
	must(t, esp.Remove("dir/f"))
	must(t, esp.Remove("dir/sub"))
	must(t, esp.Remove("dir"))
	if got := names(t, esp, ""); len(got) != 0 {
		t.Errorf("%q", got)
	}
}

func absent(t *testing.T, esp ESP) {
	_, err := esp.ReadFile("no")
	_, err2 := esp.ReadDir("no")
	for op, err := range map[string]error{
		"ReadFile": err, "ReadDir": err2, "Remove": esp.Remove("no"), "Rename": esp.Rename("no", "b"),
		"WriteFile": esp.WriteFile("no/file", nil), "Remove below": esp.Remove("no/file"),
	} {
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", op, err)
		}
	}
	if _, err := esp.ReadFile(""); err == nil {
		t.Error("the root was read as a file")
	}
}

func directories(t *testing.T, esp ESP) {
	must(t, esp.MkdirAll("EFI/BOOT"))
	must(t, esp.MkdirAll("EFI/BOOT"))
	must(t, esp.MkdirAll("/EFI/systemd/"))
	must(t, esp.MkdirAll(""))
	must(t, esp.WriteFile("EFI/BOOT/BOOTX64.EFI", pattern(3, 100)))
	if got := names(t, esp, "EFI"); !slices.Equal(got, []string{"BOOT", "systemd"}) {
		t.Errorf("%q", got)
	}
	if err := esp.MkdirAll("EFI/BOOT/BOOTX64.EFI/x"); err == nil {
		t.Error("a directory was made below a file")
	}
	if err := esp.WriteFile("EFI", nil); err == nil {
		t.Error("a directory was overwritten")
	}
	if _, err := esp.ReadFile("EFI"); err == nil {
		t.Error("a directory was read")
	}
	list, err := esp.ReadDir("EFI")
	must(t, err)
	if !list[0].IsDir() || !list[0].Mode().IsDir() {
		t.Errorf("%v is no directory", list[0])
	}
}

func climbing(t *testing.T, esp ESP) {
	must(t, esp.WriteFile("../../rastos-test-escape", []byte("in")))
	if got := names(t, esp, ""); !slices.Equal(got, []string{"rastos-test-escape"}) {
		t.Errorf("%q", got)
	}
}

func room(t *testing.T, esp ESP) {
	before, err := esp.Free()
	must(t, err)
	must(t, esp.WriteFile("blob", make([]byte, 4<<20)))
	with, err := esp.Free()
	must(t, err)
	if used := before - with; used < 4<<20 || used > 4<<20+128<<10 {
		t.Errorf("4 MiB took %d bytes", used)
	}
	must(t, esp.WriteFile("blob", nil))
	must(t, esp.Remove("blob"))
	after, err := esp.Free()
	must(t, err)
	if before-after > 64<<10 {
		t.Errorf("%d bytes did not come back", before-after)
	}
}

func full(t *testing.T, esp ESP) {
	free, err := esp.Free()
	must(t, err)
	if free > 200<<20 {
		t.Fatal("the suite was given a partition that is too large to fill")
	}
	must(t, esp.WriteFile("keep", pattern(1, 5000)))
	if err := esp.WriteFile("keep", make([]byte, free)); err == nil {
		t.Error("more was written than there is room")
	}
	if err := esp.WriteFile("other", make([]byte, free)); err == nil {
		t.Error("more was written than there is room")
	}
	expect(t, esp, "keep", pattern(1, 5000))
	if got := names(t, esp, ""); !slices.Equal(got, []string{"keep"}) {
		t.Errorf("%q", got)
	}
}
