// SPDX-License-Identifier: GPL-3.0-or-later

package fat32_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rastos/rastos/internal/disk/esptest"
	"github.com/rastos/rastos/internal/disk/fat32"
	"github.com/rastos/rastos/internal/testkit"
)

func clock() time.Time { return time.Date(2024, 5, 6, 7, 8, 10, 0, time.UTC) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// create makes a file system in a file.
func create(t testing.TB, size int64) (*fat32.FS, *os.File) {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "esp.img"))
	must(t, err)
	t.Cleanup(func() { f.Close() })
	must(t, f.Truncate(size))
	must(t, fat32.Format(f, size, fat32.Options{Label: "ESP", Serial: 0x12345678, HiddenSectors: 2048, Time: clock()}))
	esp, err := fat32.Open(f, size, clock)
	must(t, err)
	return esp, f
}

// fsck lets dosfstools judge; it reports free-count and alias mistakes too.
func fsck(t testing.TB, f *os.File) {
	t.Helper()
	out, err := exec.Command(testkit.NeedTool(t, "fsck.fat"), "-n", "-v", f.Name()).CombinedOutput()
	if err != nil {
		t.Errorf("fsck.fat: %v\n%s", err, out)
	}
}

func TestContract(t *testing.T) {
	files := map[esptest.ESP]*os.File{}
	esptest.Run(t, esptest.Suite{
		Open: func(t *testing.T) esptest.ESP {
			esp, f := create(t, 40<<20)
			files[esp] = f
			return esp
		},
		Done: func(t *testing.T, esp esptest.ESP) { fsck(t, files[esp]) },
	})
}

func TestEverySizeIsCleanAndWhatMkfsMakes(t *testing.T) {
	testkit.NeedTool(t, "mkfs.fat")
	for _, mb := range []int64{34, 64, 260, 261, 512, 1024, 9 << 10, 40 << 10} {
		esp, f := create(t, mb<<20)
		must(t, esp.MkdirAll("a/b"))
		must(t, esp.WriteFile("a/b/file", []byte("text")))
		fsck(t, f)
		free, err := esp.Free()
		must(t, err)
		if free < (mb<<20)*98/100 {
			t.Errorf("%d MiB have %d bytes of room", mb, free)
		}
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "small"))
	must(t, err)
	defer f.Close()
	if err := fat32.Format(f, 33<<20, fat32.Options{}); !errors.Is(err, fat32.ErrTooSmall) {
		t.Errorf("33 MiB: %v", err)
	}
}

func mtool(t testing.TB, f *os.File, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(testkit.NeedTool(t, name), append([]string{"-i", f.Name()}, args...)...)
	cmd.Env = append(os.Environ(), "MTOOLS_SKIP_CHECK=1", "LC_ALL=C.UTF-8")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

func TestMtoolsReadsOursAndWeReadTheirs(t *testing.T) {
	esp, f := create(t, 64<<20)
	data := bytes.Repeat([]byte("kernel"), 100_000)
	must(t, esp.MkdirAll("rastos/0123456789abcdef"))
	must(t, esp.WriteFile("rastos/0123456789abcdef/linux", data))
	must(t, esp.Sync())
	if got := mtool(t, f, "mtype", "::rastos/0123456789abcdef/linux"); got != string(data) {
		t.Errorf("mtype gives %d bytes", len(got))
	}
	mtool(t, f, "mmd", "::theirs dir")
	host := filepath.Join(t.TempDir(), "A long name from mtools.conf")
	must(t, os.WriteFile(host, data[:12345], 0o644))
	mtool(t, f, "mcopy", host, "::theirs dir/")
	mtool(t, f, "mren", "::rastos/0123456789abcdef/linux", "renamed by them")

	again, err := fat32.Open(f, 64<<20, clock)
	must(t, err)
	for name, want := range map[string][]byte{
		"theirs dir/A long name from mtools.conf": data[:12345],
		"rastos/0123456789abcdef/renamed by them": data,
	} {
		if got, err := again.ReadFile(name); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
	must(t, again.Remove("theirs dir/A long name from mtools.conf"))
	must(t, again.Remove("theirs dir"))
	fsck(t, f)
	if out := mtool(t, f, "mdir", "-b", "-/", "::"); strings.Contains(out, "theirs") {
		t.Errorf("mdir still shows it:\n%s", out)
	}
}

func TestWeChangeWhatMkfsMade(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "esp.img"))
	must(t, err)
	defer f.Close()
	must(t, f.Truncate(128<<20))
	if out, err := exec.Command(testkit.NeedTool(t, "mkfs.fat"), "-F", "32", "-n", "THEIRS", f.Name()).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	esp, err := fat32.Open(f, 128<<20, clock)
	must(t, err)
	must(t, esp.MkdirAll("loader/entries"))
	for i := range 100 {
		must(t, esp.WriteFile(fmt.Sprintf("loader/entries/rastos-%d.conf", i), bytes.Repeat([]byte{1}, 1000*i)))
	}
	fsck(t, f)
}

// TestAgainstAModel does the same to the file system and to a map, and lets
// fsck.fat judge at the end.
func TestAgainstAModel(t *testing.T) {
	for seed := range uint64(3) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		esp, f := create(t, 36<<20)
		model := map[string]string{}
		dirs := []string{"", "d/", "d/e/"}
		must(t, esp.MkdirAll("d/e"))
		pick := func() string {
			return dirs[rnd.IntN(len(dirs))] + fmt.Sprintf("%s-%d", strings.Repeat("n", rnd.IntN(40)), rnd.IntN(30))
		}
		for range 700 {
			name := pick()
			switch rnd.IntN(4) {
			case 0, 1:
				data := strings.Repeat(string(rune('a'+rnd.IntN(26))), rnd.IntN(20_000))
				must(t, esp.WriteFile(name, []byte(data)))
				model[name] = data
			case 2:
				err := esp.Remove(name)
				if _, ok := model[name]; ok != (err == nil) {
					t.Fatalf("remove %s: %v, model %v", name, err, ok)
				}
				delete(model, name)
			case 3:
				to := pick()
				err := esp.Rename(name, to)
				data, ok := model[name]
				if ok != (err == nil) {
					t.Fatalf("rename %s to %s: %v, model %v", name, to, err, ok)
				}
				if ok {
					delete(model, name)
					model[to] = data
				}
			}
		}
		again, err := fat32.Open(f, 36<<20, clock)
		must(t, err)
		count := 0
		for _, d := range dirs {
			list, err := again.ReadDir(d)
			must(t, err)
			for _, in := range list {
				if in.IsDir() {
					continue
				}
				count++
				got, err := again.ReadFile(d + in.Name())
				if err != nil || string(got) != model[d+in.Name()] {
					t.Fatalf("%s: %d bytes, %v; model %d", d+in.Name(), len(got), err, len(model[d+in.Name()]))
				}
			}
		}
		if count != len(model) {
			t.Errorf("%d files, model %d", count, len(model))
		}
		a, _ := esp.Free()
		b, _ := again.Free()
		if a != b {
			t.Errorf("room is %d in memory and %d on disk", a, b)
		}
		fsck(t, f)
	}
}

func TestSameInputSameBytes(t *testing.T) {
	sum := func() (out [32]byte) {
		esp, f := create(t, 40<<20)
		must(t, esp.MkdirAll("EFI/BOOT"))
		for i := range 20 {
			must(t, esp.WriteFile(fmt.Sprintf("EFI/BOOT/some-file-%d", i), make([]byte, 777*i)))
		}
		must(t, esp.Remove("EFI/BOOT/some-file-3"))
		h := sha256.New()
		_, err := io.Copy(h, io.NewSectionReader(f, 0, 40<<20))
		must(t, err)
		return [32]byte(h.Sum(nil))
	}
	if first, second := sum(), sum(); first != second {
		t.Error("two builds differ")
	}
}

func TestNamesThatFATCannotHoldAreRefused(t *testing.T) {
	esp, f := create(t, 34<<20)
	for _, name := range []string{"a:b", "a*", "q?", "a\\b", "pipe|", "dot.", "space ", " space", "a\x01", "\xff\xfe", strings.Repeat("n", 256), `quo"te`, "<", "con\n"} {
		if err := esp.WriteFile(name, nil); err == nil {
			t.Errorf("%q was written", name)
		}
		if err := esp.MkdirAll(name); err == nil {
			t.Errorf("%q was made a directory", name)
		}
	}
	for _, label := range []string{"lower", "TWELVE CHARS", " X", "A.B"} {
		if err := fat32.Format(f, 34<<20, fat32.Options{Label: label}); err == nil {
			t.Errorf("the label %q was taken", label)
		}
	}
	fsck(t, f)
}

// sparse is a device in memory that holds little of a large size.
type sparse map[int64][512]byte

func (s sparse) ReadAt(p []byte, off int64) (int, error) {
	for n := 0; n < len(p); {
		b := s[(off+int64(n))/512]
		n += copy(p[n:], b[(off+int64(n))%512:])
	}
	return len(p), nil
}

func (s sparse) WriteAt(p []byte, off int64) (int, error) {
	for n := 0; n < len(p); {
		at := off + int64(n)
		b := s[at/512]
		n += copy(b[at%512:], p[n:])
		s[at/512] = b
	}
	return len(p), nil
}

// FuzzOpen feeds a boot sector, a piece of the table and a root directory.
func FuzzOpen(f *testing.F) {
	const size = 34 << 20
	dev := sparse{}
	must(f, fat32.Format(dev, size, fat32.Options{Label: "X", Time: clock()}))
	esp, err := fat32.Open(dev, size, clock)
	must(f, err)
	must(f, esp.MkdirAll("a long directory name"))
	must(f, esp.WriteFile("a long directory name/and a file.conf", make([]byte, 3000)))
	boot, table, root := make([]byte, 512), make([]byte, 512), make([]byte, 1024)
	// The layout of this size: 32 or more reserved sectors, then the tables.
	reserved := int64(0)
	dev.ReadAt(boot, 0)
	reserved = int64(boot[14]) | int64(boot[15])<<8
	fatSectors := int64(boot[36]) | int64(boot[37])<<8 | int64(boot[38])<<16
	dev.ReadAt(table, reserved*512)
	dev.ReadAt(root, (reserved+2*fatSectors)*512)
	f.Add(boot, table, root)
	f.Fuzz(func(t *testing.T, boot, table, root []byte) {
		if len(boot) != 512 || len(table) > 4096 || len(root) > 8192 {
			return
		}
		dev := sparse{}
		dev.WriteAt(boot, 0)
		dev.WriteAt(table, reserved*512)
		dev.WriteAt(root, (reserved+2*fatSectors)*512)
		esp, err := fat32.Open(dev, size, clock)
		if err != nil {
			return
		}
		list, err := esp.ReadDir("")
		if err != nil {
			return
		}
		for _, in := range list {
			if in.IsDir() {
				esp.ReadDir(in.Name())
			} else if data, err := esp.ReadFile(in.Name()); err == nil && int64(len(data)) > size {
				t.Fatalf("%d bytes out of %d", len(data), size)
			}
		}
		esp.WriteFile("new file.conf", make([]byte, 1000))
		if len(list) > 0 {
			esp.Rename(list[0].Name(), "renamed")
			esp.Remove("renamed")
		}
	})
}
