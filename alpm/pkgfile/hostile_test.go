// SPDX-License-Identifier: GPL-3.0-or-later

package pkgfile_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/rastos/rastos/alpm/pkgfile"
)

func TestDamagedArchives(t *testing.T) {
	for _, compression := range []string{"zst", "gz", "tar"} {
		whole := writeSample(t, sampleInfo(), sampleEntries(), pkgfile.WriterOptions{Compression: compression, Epoch: epoch})
		step := max(1, len(whole)/60)
		for cut := 0; cut < len(whole)-1024; cut += step {
			_, _, _, err := readAll(whole[:cut], pkgfile.Limits{})
			var e *pkgfile.Error
			if !errors.As(err, &e) || e.ExitCode() != 5 {
				t.Fatalf("%s, cut at %d of %d: %v", compression, cut, len(whole), err)
			}
			if cut > 512 && !errors.Is(err, pkgfile.ErrTruncated) {
				t.Fatalf("%s, cut at %d of %d: %v", compression, cut, len(whole), err)
			}
		}
		if compression == "tar" {
			continue // has checksums of headers alone
		}
		for at := 4; at < len(whole); at += step {
			spoilt := bytes.Clone(whole)
			spoilt[at] ^= 0x10
			if _, contents, _, err := readAll(spoilt, pkgfile.Limits{}); err == nil && at > 30 {
				if _, good, _, _ := readAll(whole, pkgfile.Limits{}); !cmp.Equal(good, contents) {
					t.Fatalf("%s: a flipped bit at %d of %d is not noticed", compression, at, len(whole))
				}
			}
		}
	}
	broken := errors.New("the disk fails")
	whole := writeSample(t, sampleInfo(), sampleEntries(), pkgfile.WriterOptions{})
	_, err := pkgfile.ReadInfo(io.MultiReader(bytes.NewReader(whole[:len(whole)/2]), iotest.ErrReader(broken)), pkgfile.Limits{})
	if !errors.Is(err, broken) || errors.Is(err, pkgfile.ErrCorrupt) {
		t.Errorf("a failing disk: %v", err)
	}
}

// Only for an archive that was verified as a whole is its stream's checksum,
// the last four bytes, not looked at. One that is cut off is still refused.
func TestProvenArchives(t *testing.T) {
	spoilt := writeSample(t, sampleInfo(), sampleEntries(), pkgfile.WriterOptions{Compression: "zst", Epoch: epoch})
	spoilt[len(spoilt)-1] ^= 0x10
	plain, proven := &pkgfile.Decoders{}, &pkgfile.Decoders{Proven: true}
	if _, err := plain.ReadInfo(bytes.NewReader(spoilt), pkgfile.Limits{}); !errors.Is(err, pkgfile.ErrCorrupt) {
		t.Errorf("a wrong checksum: %v", err)
	}
	if _, err := proven.ReadInfo(bytes.NewReader(spoilt), pkgfile.Limits{}); err != nil {
		t.Errorf("a checksum that nobody needs: %v", err)
	}
	if _, err := proven.ReadInfo(bytes.NewReader(spoilt[:len(spoilt)-30]), pkgfile.Limits{}); err == nil {
		t.Error("a truncated archive was read to its end")
	}
}

func TestBombs(t *testing.T) {
	zeros := entry{h: tar.Header{Typeflag: tar.TypeReg, Name: "zeros"}, data: strings.Repeat("\x00", 1<<20)}
	bomb := writeSample(t, sampleInfo(), []entry{zeros}, pkgfile.WriterOptions{})
	var sparse bytes.Buffer // claims 1 TiB in a few bytes: an old GNU sparse header
	h := make([]byte, 512)
	copy(h, "sparse")
	copy(h[100:], "0000644\x000000000\x000000000\x0000000000000\x0000000000000\x00")
	h[156] = 'S'
	copy(h[257:], "ustar  \x00")
	copy(h[482:], "\x00\x00\x00\x00\x00")
	copy(h[483:], "17777777777777"[:12])
	sum := 8 * int(' ')
	for i, c := range h {
		if i < 148 || i >= 156 {
			sum += int(c)
		}
	}
	copy(h[148:], []byte{byte('0' + sum>>15&7), byte('0' + sum>>12&7), byte('0' + sum>>9&7), byte('0' + sum>>6&7), byte('0' + sum>>3&7), byte('0' + sum&7), 0, ' '})
	sparse.Write(h)
	sparse.Write(make([]byte, 1024))
	for name, c := range map[string]struct {
		data []byte
		lim  pkgfile.Limits
	}{
		"size":    {bomb, pkgfile.Limits{MaxSize: 1 << 19}},
		"entries": {writeSample(t, sampleInfo(), sampleEntries(), pkgfile.WriterOptions{}), pkgfile.Limits{MaxEntries: 5}},
		"sparse":  {sparse.Bytes(), pkgfile.Limits{MaxSize: 1 << 30}},
	} {
		if _, _, _, err := readAll(c.data, c.lim); !errors.Is(err, pkgfile.ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, _, err := readAll(bomb, pkgfile.Limits{MaxSize: 1<<20 + 10240}); err != nil {
		t.Errorf("within its limit: %v", err)
	}
}

func TestNoPackage(t *testing.T) {
	dir := t.TempDir()
	var noInfo bytes.Buffer
	w := tar.NewWriter(&noInfo)
	must(t, w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "etc/x"}))
	must(t, w.Close())
	for name, c := range map[string]struct {
		data []byte
		want error
	}{
		"an error page":       {[]byte("<html>" + strings.Repeat("not found ", 100)), pkgfile.ErrFormat},
		"a short error page":  {[]byte("404"), pkgfile.ErrFormat},
		"an empty file":       {nil, pkgfile.ErrTruncated},
		"a tar of other kind": {noInfo.Bytes(), pkgfile.ErrNoInfo},
	} {
		path := filepath.Join(dir, "x.pkg.tar.zst")
		must(t, os.WriteFile(path, c.data, 0o644))
		_, err := pkgfile.LoadInfo(path)
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if _, err := pkgfile.LoadInfo(filepath.Join(dir, "missing")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	var e *pkgfile.Error
	if _, err := pkgfile.LoadInfo(dir); !errors.As(err, &e) {
		t.Errorf("a directory: %v", err)
	}
}
