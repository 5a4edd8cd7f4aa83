// SPDX-License-Identifier: GPL-3.0-or-later

package apply_test

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rastos/rastos/alpm/pkgfile"
	"github.com/rastos/rastos/internal/testkit"
)

// maxMemory is the promise: in bytes, whatever the packages are.
const maxMemory = 160 << 20

// TestMemoryOfLargePackages installs and upgrades a package with one file of a
// gigabyte beside one with a hundred thousand files.
func TestMemoryOfLargePackages(t *testing.T) {
	testkit.Integration(t)
	testkit.NeedRoot(t)
	testkit.NeedTool(t, "pacman")
	w := &world{t: t, binary: testkit.NeedBinary(t), dir: t.TempDir()}
	w.root = filepath.Join(w.dir, "root")
	w.must(os.MkdirAll(filepath.Join(w.root, "var/lib/pacman/local"), 0o755))
	w.must(os.WriteFile(filepath.Join(w.dir, "pacman.conf"), []byte("[options]\nArchitecture = x86_64\nSigLevel = Never\nLocalFileSigLevel = Never\n"), 0o644))
	for _, version := range []string{"1-1", "2-1"} {
		archives := []string{
			w.packed(pkg("large", version), func(add func(string, int64, io.Reader)) {
				const size = 1 << 30
				add("usr/lib/large", size, io.LimitReader(&pattern{text: version}, size))
			}),
			w.packed(pkg("many", version), func(add func(string, int64, io.Reader)) {
				for i := range 100_000 {
					text := fmt.Sprintf("%s %d", version, i)
					add(fmt.Sprintf("usr/share/many/directory-%03d/file-with-a-name-%06d", i/1000, i), int64(len(text)), strings.NewReader(text))
				}
			}),
		}
		w.must(forgetMemory())
		cmd := exec.Command(w.binary, append([]string{"pacman", "--noconfirm", "--config", filepath.Join(w.dir, "pacman.conf"), "--root", w.root, "-U"}, archives...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("-U of version %s: %v\n%s", version, err, out)
		}
		if used := cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10; used > maxMemory {
			t.Errorf("-U of version %s took %d MB of memory", version, used>>20)
		} else {
			t.Logf("-U of version %s took %d MB of memory", version, used>>20)
		}
		for _, a := range archives {
			w.must(os.Remove(a))
		}
	}
	if out, err := w.pacman("-Qkk"); err != nil || !strings.Contains(out, "many: 100103 total files, 0 altered files") {
		t.Errorf("pacman finds damage: %v\n%.2000s", err, out)
	}
}

// forgetMemory takes this program's own use of memory back: that of a child
// counts from what its parent had when it started.
func forgetMemory() error {
	debug.FreeOSMemory()
	return os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // proc(5): resets the peak
}

// packed writes a package whose files the function adds.
func (w *world) packed(m made, files func(add func(name string, size int64, content io.Reader))) string {
	w.t.Helper()
	path := filepath.Join(w.dir, m.Name+"-"+m.Version+"-any.pkg.tar.zst")
	out, err := os.Create(path)
	w.must(err)
	defer out.Close()
	pw, err := pkgfile.NewWriter(out, m.Package, pkgfile.WriterOptions{Fast: true, Epoch: time.Unix(1700000000, 0)})
	w.must(err)
	files(func(name string, size int64, content io.Reader) {
		w.must(pw.Add(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: size}, content))
	})
	w.must(pw.Close())
	return path
}

// pattern is text without end, no megabyte of which is like another.
type pattern struct {
	text string
	line int
	left []byte
}

func (p *pattern) Read(buf []byte) (int, error) {
	if len(p.left) == 0 {
		line := fmt.Sprintf("%s %d ", p.text, p.line)
		p.left = bytes.Repeat([]byte(line), 1<<20/len(line))
		p.line++
	}
	n := copy(buf, p.left)
	p.left = p.left[n:]
	return n, nil
}
