// SPDX-License-Identifier: GPL-3.0-or-later

package esptest

import (
	"bytes"
	"errors"
	"io/fs"
	"slices"
	"testing"

	"github.com/rastos/rastos/internal/boot"
)

// Run holds a backend to the contract of boot.ESP. open returns an empty
// partition of at least 8 MiB.
func Run(t *testing.T, open func(t *testing.T) boot.ESP) {
	for name, test := range map[string]func(*testing.T, boot.ESP){
		"what is missing is fs.ErrNotExist": testMissing,
		"a file reads back":                 testReadBack,
		"a file is replaced":                testReplace,
		"long names keep their case":        testLongNames,
		"case is no part of a name":         testCase,
		"rename replaces":                   testRename,
		"only empty folders are removed":    testRemove,
		"free goes down and up":             testFree,
		"a file where a folder is":          testClash,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, esp boot.ESP, name string) string {
	t.Helper()
	data, err := esp.ReadFile(name)
	must(t, err)
	return string(data)
}

func names(t *testing.T, esp boot.ESP, dir string) []string {
	t.Helper()
	infos, err := esp.ReadDir(dir)
	must(t, err)
	var list []string
	for _, i := range infos {
		list = append(list, i.Name())
	}
	slices.Sort(list)
	return list
}

func notThere(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s: error %v, want fs.ErrNotExist", what, err)
	}
}

func testMissing(t *testing.T, esp boot.ESP) {
	_, err := esp.ReadFile("loader/none.conf")
	notThere(t, "read in a missing folder", err)
	must(t, esp.MkdirAll("loader"))
	_, err = esp.ReadFile("loader/none.conf")
	notThere(t, "read", err)
	_, err = esp.ReadDir("nowhere")
	notThere(t, "read folder", err)
	notThere(t, "remove", esp.Remove("loader/none.conf"))
	notThere(t, "rename", esp.Rename("loader/none.conf", "loader/other.conf"))
	if got := names(t, esp, "loader"); len(got) != 0 {
		t.Errorf("a new folder holds %v", got)
	}
}

func testReadBack(t *testing.T, esp boot.ESP) {
	must(t, esp.MkdirAll("a/b/c"))
	must(t, esp.MkdirAll("a/b/c"))
	big := bytes.Repeat([]byte("0123456789abcde\x00"), 200_000)
	must(t, esp.WriteFile("a/b/c/big", big))
	must(t, esp.WriteFile("a/b/empty", nil))
	must(t, esp.WriteFile("top", []byte("x")))
	must(t, esp.Sync())
	if read(t, esp, "a/b/c/big") != string(big) || read(t, esp, "a/b/empty") != "" || read(t, esp, "top") != "x" {
		t.Error("a file does not read back as it was written")
	}
	infos, err := esp.ReadDir("a/b/c")
	must(t, err)
	if len(infos) != 1 || infos[0].Size() != int64(len(big)) || infos[0].IsDir() {
		t.Errorf("the folder holds %v", infos)
	}
	infos, err = esp.ReadDir("a/b")
	must(t, err)
	dirs := 0
	for _, i := range infos {
		if i.IsDir() && i.Name() == "c" {
			dirs++
		}
	}
	if len(infos) != 2 || dirs != 1 {
		t.Errorf("the folder holds %v", infos)
	}
	if got := names(t, esp, ""); !slices.Contains(got, "a") || !slices.Contains(got, "top") {
		t.Errorf("the root holds %v", got)
	}
}

func testReplace(t *testing.T, esp boot.ESP) {
	must(t, esp.WriteFile("f", bytes.Repeat([]byte("long"), 10_000)))
	must(t, esp.WriteFile("f", []byte("short")))
	if got := read(t, esp, "f"); got != "short" {
		t.Errorf("read %d bytes", len(got))
	}
	if got := names(t, esp, ""); !slices.Equal(got, []string{"f"}) {
		t.Errorf("the root holds %v", got)
	}
}

func testLongNames(t *testing.T, esp boot.ESP) {
	const dir = "rastos/8c7dd922ad47494fc02c388e12c00eac4c1e2f8f1bb8b9bcc58a1b5c5a7fb1a1"
	must(t, esp.MkdirAll(dir))
	want := []string{"Mixed Case.conf", "rastos-12+2-1.conf", "rastos-12.conf", "rastos-12.tmp"}
	for _, name := range want {
		must(t, esp.WriteFile(dir+"/"+name, []byte(name)))
	}
	if got := names(t, esp, dir); !slices.Equal(got, want) {
		t.Errorf("the folder holds %q, want %q", got, want)
	}
	for _, name := range want {
		if got := read(t, esp, dir+"/"+name); got != name {
			t.Errorf("%s holds %q", name, got)
		}
	}
}

func testCase(t *testing.T, esp boot.ESP) {
	must(t, esp.MkdirAll("EFI/Boot"))
	must(t, esp.MkdirAll("efi/BOOT"))
	must(t, esp.WriteFile("EFI/BOOT/BOOTX64.EFI", []byte("1")))
	must(t, esp.WriteFile("EFI/BOOT/bootx64.efi", []byte("2")))
	if got := read(t, esp, "efi/boot/BootX64.efi"); got != "2" {
		t.Errorf("read %q", got)
	}
	if got := names(t, esp, "EFI/BOOT"); len(got) != 1 {
		t.Errorf("the folder holds %q", got)
	}
}

func testRename(t *testing.T, esp boot.ESP) {
	must(t, esp.MkdirAll("d/e"))
	must(t, esp.WriteFile("d/rastos-1+3.conf", []byte("new")))
	must(t, esp.WriteFile("d/rastos-1+2-1.conf", []byte("old")))
	must(t, esp.Rename("d/rastos-1+3.conf", "d/rastos-1+2-1.conf"))
	if got := names(t, esp, "d"); !slices.Equal(got, []string{"e", "rastos-1+2-1.conf"}) {
		t.Errorf("the folder holds %q", got)
	}
	if got := read(t, esp, "d/rastos-1+2-1.conf"); got != "new" {
		t.Errorf("read %q", got)
	}
	must(t, esp.Rename("d/rastos-1+2-1.conf", "d/e/moved"))
	if got := read(t, esp, "d/e/moved"); got != "new" {
		t.Errorf("read %q", got)
	}
	if esp.Rename("d/e/moved", "d/e") == nil {
		t.Error("a folder was replaced by a file")
	}
}

func testRemove(t *testing.T, esp boot.ESP) {
	must(t, esp.MkdirAll("d"))
	must(t, esp.WriteFile("d/f", []byte("x")))
	if esp.Remove("d") == nil {
		t.Error("a folder that is not empty was removed")
	}
	must(t, esp.Remove("d/f"))
	must(t, esp.Remove("d"))
	_, err := esp.ReadDir("d")
	notThere(t, "the removed folder", err)
}

func testFree(t *testing.T, esp boot.ESP) {
	before, err := esp.Free()
	must(t, err)
	const size = 2 << 20
	must(t, esp.WriteFile("f", make([]byte, size)))
	during, err := esp.Free()
	must(t, err)
	must(t, esp.Remove("f"))
	after, err := esp.Free()
	must(t, err)
	if before-during < size || after < before-64<<10 {
		t.Errorf("free: %d, with %d more bytes %d, without them %d", before, size, during, after)
	}
}

func testClash(t *testing.T, esp boot.ESP) {
	must(t, esp.MkdirAll("d"))
	must(t, esp.WriteFile("f", []byte("x")))
	if esp.WriteFile("d", []byte("x")) == nil {
		t.Error("a folder was overwritten")
	}
	if esp.MkdirAll("f/g") == nil {
		t.Error("a folder was made below a file")
	}
	if esp.WriteFile("none/f", []byte("x")) == nil {
		t.Error("a file was written into a folder that is not there")
	}
	if got := read(t, esp, "f"); got != "x" {
		t.Errorf("read %q", got)
	}
}
