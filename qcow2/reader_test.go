// SPDX-License-Identifier: GPL-3.0-or-later

package qcow2_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rastos/rastos/qcow2"
)

func open(t testing.TB, path string, backing *qcow2.Backing) *qcow2.Image {
	t.Helper()
	f, err := os.Open(path)
	must(t, err)
	t.Cleanup(func() { f.Close() })
	st, err := f.Stat()
	must(t, err)
	im, err := qcow2.Open(f, st.Size(), backing)
	must(t, err)
	return im
}

func contents(t testing.TB, im *qcow2.Image) []byte {
	t.Helper()
	b, err := io.ReadAll(io.NewSectionReader(im, 0, im.Size))
	must(t, err)
	return b
}

func TestWeReadWhatQemuWrites(t *testing.T) {
	raw := disk(t, 30<<20+512)
	want, err := os.ReadFile(raw)
	must(t, err)
	for name, args := range map[string][]string{
		"plain":         {},
		"version 2":     {"-o", "compat=0.10"},
		"deflate":       {"-c"},
		"old deflate":   {"-c", "-o", "compat=0.10"},
		"zstd":          {"-c", "-o", "compression_type=zstd"},
		"large":         {"-o", "cluster_size=2M"},
		"large zstd":    {"-c", "-o", "cluster_size=2M,compression_type=zstd"},
		"small":         {"-o", "cluster_size=512"},
		"preallocated":  {"-o", "preallocation=metadata"},
		"lazy refs":     {"-o", "lazy_refcounts=on"},
		"64 bit counts": {"-o", "refcount_bits=64"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "theirs.qcow2")
			qemuImg(t, append([]string{"convert", "-f", "raw", "-O", "qcow2", raw, path}, args...)...)
			im := open(t, path, nil)
			if got := contents(t, im); !bytes.Equal(got, want) {
				t.Error("the disk differs")
			}
			buf := make([]byte, 5000)
			for _, off := range []int64{3<<20 + 12340, im.Size - 100, 20<<20 + 69_999} {
				n, err := im.ReadAt(buf, off)
				if !bytes.Equal(buf[:n], want[off:off+int64(n)]) || n != int(min(5000, im.Size-off)) || (n < 5000) != errors.Is(err, io.EOF) {
					t.Errorf("at %d: %d bytes, %v", off, n, err)
				}
			}
		})
	}
}

func TestOurOwnRoundTrip(t *testing.T) {
	raw := disk(t, 25<<20)
	want, err := os.ReadFile(raw)
	must(t, err)
	for _, c := range []qcow2.Compression{qcow2.None, qcow2.Deflate, qcow2.Zstd} {
		im := open(t, convert(t, raw, qcow2.Options{Compression: c}), nil)
		if got := contents(t, im); !bytes.Equal(got, want) {
			t.Errorf("%v: the disk differs", c)
		}
		// From qcow2 to qcow2, with the holes of the first.
		path := filepath.Join(t.TempDir(), "again.qcow2")
		dst, err := os.Create(path)
		must(t, err)
		must(t, qcow2.Convert(context.Background(), im, im.Size, dst, qcow2.Options{}))
		dst.Close()
		qemuImg(t, "compare", "-f", "raw", "-F", "qcow2", raw, path)
		// And back to raw.
		back := filepath.Join(t.TempDir(), "back.raw")
		out, err := os.Create(back)
		must(t, err)
		must(t, qcow2.Extract(context.Background(), im, out))
		out.Close()
		if got, _ := os.ReadFile(back); !bytes.Equal(got, want) {
			t.Errorf("%v: the extracted disk differs", c)
		}
	}
}

func TestABackingFileIsReadOnlyWhenTheCallerOpensIt(t *testing.T) {
	raw := disk(t, 25<<20)
	dir := filepath.Dir(raw)
	overlay := filepath.Join(dir, "overlay.qcow2")
	qemuImg(t, "create", "-f", "qcow2", "-b", raw, "-F", "raw", overlay, "26M")
	f, err := os.Open(overlay)
	must(t, err)
	defer f.Close()
	st, _ := f.Stat()
	_, err = qcow2.Open(f, st.Size(), nil)
	var be *qcow2.BackingError
	if !errors.As(err, &be) || be.Name != raw || be.Hint() == "" {
		t.Fatalf("without the backing file: %v", err)
	}
	base, err := os.Open(raw)
	must(t, err)
	defer base.Close()
	im := open(t, overlay, &qcow2.Backing{ReaderAt: base, Size: 25 << 20})
	if im.BackingFormat != "raw" {
		t.Errorf("the backing format is %q", im.BackingFormat)
	}
	want, _ := os.ReadFile(raw)
	if got := contents(t, im); !bytes.Equal(got, append(want, make([]byte, 1<<20)...)) {
		t.Error("the disk differs")
	}
}

func TestTheBackingFileOfAHostileImageIsNotOpened(t *testing.T) {
	path := convert(t, disk(t, 1<<20), qcow2.Options{})
	b, err := os.ReadFile(path)
	must(t, err)
	name := "/etc/shadow"
	binary.BigEndian.PutUint64(b[8:], 512)
	binary.BigEndian.PutUint32(b[16:], uint32(len(name)))
	copy(b[512:], name)
	_, err = qcow2.Open(bytes.NewReader(b), int64(len(b)), nil)
	var be *qcow2.BackingError
	if !errors.As(err, &be) || be.Name != name {
		t.Errorf("%v", err)
	}
}

func TestHeadersThatLieAreRefused(t *testing.T) {
	good, err := os.ReadFile(convert(t, disk(t, 4<<20), qcow2.Options{}))
	must(t, err)
	be := binary.BigEndian
	for name, change := range map[string]func(b []byte){
		"no magic":                  func(b []byte) { b[0] = 0 },
		"version 4":                 func(b []byte) { b[7] = 4 },
		"clusters of a byte":        func(b []byte) { be.PutUint32(b[20:], 0) },
		"clusters of 2^63":          func(b []byte) { be.PutUint32(b[20:], 63) },
		"a disk of 2^63":            func(b []byte) { be.PutUint64(b[24:], 1<<63) },
		"a disk past its table":     func(b []byte) { be.PutUint64(b[24:], 1<<50) },
		"encryption":                func(b []byte) { b[35] = 1 },
		"a table of 2^31 entries":   func(b []byte) { be.PutUint32(b[36:], 1<<31) },
		"a table past the file":     func(b []byte) { be.PutUint64(b[40:], 1<<40) },
		"a table in the header":     func(b []byte) { be.PutUint64(b[40:], 0) },
		"a table off its cluster":   func(b []byte) { be.PutUint64(b[40:], 65537) },
		"an external data file":     func(b []byte) { b[79] = 4 },
		"extended entries":          func(b []byte) { b[79] = 16 },
		"an unknown feature":        func(b []byte) { b[72] = 1 },
		"an unknown compression":    func(b []byte) { b[79] = 8; b[104] = 9 },
		"a header of 4 GiB":         func(b []byte) { be.PutUint32(b[100:], 1<<32-8) },
		"refcounts of 2^200 bits":   func(b []byte) { be.PutUint32(b[96:], 200) },
		"a backing name of 4 GiB":   func(b []byte) { be.PutUint64(b[8:], 8); be.PutUint32(b[16:], 1<<32-1) },
		"a backing name at the end": func(b []byte) { be.PutUint64(b[8:], 1<<62); be.PutUint32(b[16:], 10) },
		"an extension of 4 GiB":     func(b []byte) { be.PutUint32(b[112:], 1); be.PutUint32(b[116:], 1<<32-1) },
	} {
		b := bytes.Clone(good)
		change(b)
		if _, err := qcow2.Open(bytes.NewReader(b), int64(len(b)), nil); err == nil {
			t.Errorf("%s was opened", name)
		} else if !errors.Is(err, qcow2.ErrFormat) && !errors.Is(err, qcow2.ErrUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for n := range 120 {
		if _, err := qcow2.Open(bytes.NewReader(good[:n]), int64(n), nil); err == nil {
			t.Errorf("%d bytes were opened", n)
		}
	}
}

func TestEntriesThatPointOutsideAreErrors(t *testing.T) {
	good, err := os.ReadFile(convert(t, disk(t, 1<<20), qcow2.Options{Compression: qcow2.Zstd}))
	must(t, err)
	be := binary.BigEndian
	l2 := be.Uint64(good[be.Uint64(good[40:]):]) & 0x00fffffffffffe00
	for name, entry := range map[string]uint64{
		"a cluster past the file":      1<<63 | 1<<45,
		"a cluster between clusters":   1<<63 | 512,
		"compressed data past the end": 1<<62 | 1<<50,
		"compressed garbage":           1<<62 | 100,
	} {
		b := bytes.Clone(good)
		be.PutUint64(b[l2:], entry)
		im, err := qcow2.Open(bytes.NewReader(b), int64(len(b)), nil)
		must(t, err)
		if _, err := im.ReadAt(make([]byte, 100), 0); !errors.Is(err, qcow2.ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
	b := bytes.Clone(good)
	be.PutUint64(b[be.Uint64(b[40:]):], 1<<50)
	im, err := qcow2.Open(bytes.NewReader(b), int64(len(b)), nil)
	must(t, err)
	if _, err := im.ReadAt(make([]byte, 100), 0); !errors.Is(err, qcow2.ErrFormat) || !strings.Contains(err.Error(), "second-level") {
		t.Errorf("a table past the file: %v", err)
	}
}

// FuzzOpen takes an image and reads all over it.
func FuzzOpen(f *testing.F) {
	for _, c := range []qcow2.Compression{qcow2.None, qcow2.Deflate, qcow2.Zstd} {
		raw := filepath.Join(f.TempDir(), "raw")
		data := make([]byte, 8192)
		copy(data[1000:], "some text, some text, some text")
		must(f, os.WriteFile(raw, data, 0o644))
		b, err := os.ReadFile(convert(f, raw, qcow2.Options{ClusterBits: 9, Compression: c}))
		must(f, err)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		im, err := qcow2.Open(bytes.NewReader(b), int64(len(b)), nil)
		if err != nil {
			return
		}
		buf := make([]byte, 700)
		for _, off := range []int64{0, 512, im.Size / 2, im.Size - 1} {
			if off >= 0 {
				im.ReadAt(buf, off)
			}
		}
		if im.Size < 1<<24 {
			for at := int64(0); ; {
				start, end, ok, err := im.NextData(at)
				if err != nil || !ok {
					return
				}
				if start < at || end <= start || end > im.Size {
					t.Fatalf("NextData(%d) = %d, %d of %d", at, start, end, im.Size)
				}
				at = end
			}
		}
	})
}
