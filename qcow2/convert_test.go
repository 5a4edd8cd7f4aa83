// SPDX-License-Identifier: GPL-3.0-or-later

package qcow2_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rastos/rastos/internal/testkit"
	"github.com/rastos/rastos/qcow2"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func qemuImg(t testing.TB, args ...string) string {
	t.Helper()
	out, err := exec.Command(testkit.NeedTool(t, "qemu-img"), args...).CombinedOutput()
	if err != nil {
		t.Fatalf("qemu-img %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// disk makes a raw disk with holes, zeros, text, noise and an odd end.
func disk(t testing.TB, size int64) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "disk.raw")
	f, err := os.Create(path)
	must(t, err)
	defer f.Close()
	must(t, f.Truncate(size))
	rnd := rand.New(rand.NewPCG(1, 2))
	put := func(off int64, b []byte) {
		if off < size {
			_, err := f.WriteAt(b[:min(int64(len(b)), size-off)], off)
			must(t, err)
		}
	}
	noise := make([]byte, 300_000)
	for i := range noise {
		noise[i] = byte(rnd.Uint32())
	}
	text := bytes.Repeat([]byte("All work and no play makes Jack a dull boy.\n"), 20_000)
	put(0, text)
	put(1<<20, make([]byte, 1<<20)) // zeros that are no hole
	put(3<<20+12345, noise)
	put(9<<20, bytes.Repeat([]byte{7}, 3<<20)) // compresses to nearly nothing
	for i := range int64(50) {
		put(20<<20+i*70_000, noise[:rnd.IntN(3000)])
	}
	put(max(0, size-1000), noise[:1000])
	return path
}

func convert(t testing.TB, raw string, o qcow2.Options) string {
	t.Helper()
	src, err := os.Open(raw)
	must(t, err)
	defer src.Close()
	st, err := src.Stat()
	must(t, err)
	path := filepath.Join(t.TempDir(), "disk.qcow2")
	dst, err := os.Create(path)
	must(t, err)
	defer dst.Close()
	must(t, qcow2.Convert(context.Background(), src, st.Size(), dst, o))
	return path
}

func TestQemuFindsNoFaultAndTheSameDisk(t *testing.T) {
	for _, size := range []int64{24<<20 + 512*77, 1 << 20, 512, 0} {
		raw := disk(t, size)
		for _, c := range []qcow2.Compression{qcow2.None, qcow2.Deflate, qcow2.Zstd} {
			for _, bits := range []int{9, 12, 16, 21} {
				if bits == 9 && size > 1<<20 && c != qcow2.None {
					continue // fifty thousand frames
				}
				t.Run(fmt.Sprintf("%d bytes, %v, 2^%d", size, c, bits), func(t *testing.T) {
					path := convert(t, raw, qcow2.Options{ClusterBits: bits, Compression: c})
					if out := qemuImg(t, "check", "-f", "qcow2", path); !strings.Contains(out, "No errors were found") {
						t.Errorf("qemu-img check:\n%s", out)
					}
					qemuImg(t, "compare", "-f", "raw", "-F", "qcow2", raw, path)
					// compare forgives zeros at the end.
					if out := qemuImg(t, "info", path); !strings.Contains(out, fmt.Sprintf("(%d bytes)", size)) {
						t.Errorf("qemu-img info:\n%s", out)
					}
				})
			}
		}
	}
}

func TestTheSameBytesWhateverTheWorkers(t *testing.T) {
	raw := disk(t, 40<<20)
	for _, c := range []qcow2.Compression{qcow2.None, qcow2.Zstd} {
		one, err := os.ReadFile(convert(t, raw, qcow2.Options{Compression: c, Workers: 1}))
		must(t, err)
		four, err := os.ReadFile(convert(t, raw, qcow2.Options{Compression: c, Workers: 4}))
		must(t, err)
		if !bytes.Equal(one, four) {
			t.Errorf("%v: images of %d and %d bytes differ", c, len(one), len(four))
		}
	}
}

func TestZerosAndHolesTakeNoRoom(t *testing.T) {
	raw := filepath.Join(t.TempDir(), "empty.raw")
	must(t, os.WriteFile(raw, make([]byte, 8<<20), 0o644)) // written zeros
	must(t, os.Truncate(raw, 8<<30))                       // and a hole
	path := convert(t, raw, qcow2.Options{})
	st, err := os.Stat(path)
	must(t, err)
	if st.Size() > 1<<20 {
		t.Errorf("an empty disk takes %d bytes", st.Size())
	}
	qemuImg(t, "check", "-f", "qcow2", path)
}

func TestCompressedIsSmall(t *testing.T) {
	raw := disk(t, 30<<20)
	size := func(o qcow2.Options) int64 {
		st, err := os.Stat(convert(t, raw, o))
		must(t, err)
		return st.Size()
	}
	plain, zstd := size(qcow2.Options{}), size(qcow2.Options{Compression: qcow2.Zstd})
	if zstd*2 > plain {
		t.Errorf("plain %d bytes, zstd %d", plain, zstd)
	}
}

// broken is a source that fails in the middle.
type broken struct{ err error }

func (b broken) ReadAt(p []byte, off int64) (int, error) {
	if off >= 6<<20 {
		return 0, b.err
	}
	for i := range p {
		p[i] = byte(off>>9) | 1
	}
	return len(p), nil
}

func TestAFailingSourceOrACancelEndsTheWorkAndLeavesNoImage(t *testing.T) {
	want := errors.New("the disk is on fire")
	ctx, cancel := context.WithCancelCause(t.Context())
	for name, run := range map[string]func(dst *os.File) error{
		"read error": func(dst *os.File) error {
			return qcow2.Convert(t.Context(), broken{want}, 1<<30, dst, qcow2.Options{Workers: 3})
		},
		"cancel": func(dst *os.File) error {
			return qcow2.Convert(ctx, broken{io.ErrUnexpectedEOF}, 4<<20, dst, qcow2.Options{
				Workers: 3, Progress: func(int64) { cancel(want) },
			})
		},
	} {
		dst, err := os.Create(filepath.Join(t.TempDir(), "x.qcow2"))
		must(t, err)
		if err := run(dst); !errors.Is(err, want) {
			t.Errorf("%s: %v", name, err)
		}
		st, err := dst.Stat()
		must(t, err)
		if _, err := qcow2.ReadHeader(dst, st.Size()); err == nil {
			t.Errorf("%s: the unfinished file is an image", name)
		}
		dst.Close()
	}
}

func TestAFullDiskIsAnError(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	must(t, err)
	defer full.Close()
	if err := qcow2.Convert(t.Context(), broken{}, 1<<20, full, qcow2.Options{}); err == nil {
		t.Error("writing to a full disk worked")
	}
}
