// SPDX-License-Identifier: GPL-3.0-or-later

package receive

import (
	"bytes"
	"compress/zlib"
	"errors"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/rastos/rastos/btrfs/stream"
)

func packed(tb testing.TB, how stream.Compression, plain []byte) []byte {
	tb.Helper()
	var buf bytes.Buffer
	switch how {
	case stream.Zlib:
		w := zlib.NewWriter(&buf)
		_, _ = w.Write(plain)
		w.Close()
	case stream.Zstd:
		w, err := zstd.NewWriter(&buf, zstd.WithWindowSize(maxDecoded))
		if err != nil {
			tb.Fatal(err)
		}
		_, _ = w.Write(plain)
		w.Close()
	default:
		buf.Write(plain)
	}
	return append(buf.Bytes(), make([]byte, (4096-buf.Len()%4096)%4096)...) // as on the disk
}

func TestDecodedIsThePartThatCounts(t *testing.T) {
	plain := bytes.Repeat([]byte("0123456789"), 5000)
	for _, how := range []stream.Compression{stream.NoCompression, stream.Zlib, stream.Zstd} {
		c := &stream.Command{Data: packed(t, how, plain), Compression: how, UnencodedLen: 53248, UnencodedOffset: 4096, UnencodedFileLen: 49152}
		got, err := decode(c)
		want := append(bytes.Clone(plain[4096:]), make([]byte, 49152-(50000-4096))...)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("compression %d: %d bytes, %v", how, len(got), err)
		}
	}
	for name, c := range map[string]*stream.Command{
		"more than there is":  {UnencodedLen: 4096, UnencodedOffset: 4096, UnencodedFileLen: 1},
		"an offset past it":   {UnencodedLen: 4096, UnencodedOffset: 8192},
		"more than btrfs can": {UnencodedLen: 1 << 40, UnencodedFileLen: 1},
	} {
		if _, err := decode(c); !errors.Is(err, errLength) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, c := range map[string]*stream.Command{
		"encrypted": {Encryption: 1}, "unknown": {Compression: 9}, "bad lzo": {Compression: stream.LZO4K, Data: []byte{9, 0, 0, 0, 1}, UnencodedLen: 9},
		"bad zlib": {Compression: stream.Zlib, Data: []byte("nothing"), UnencodedLen: 9},
	} {
		if _, err := decode(c); err == nil {
			t.Errorf("%s was decoded", name)
		}
	}
}

// FuzzDecode holds that no compressed data makes the decoders panic or exceed
// what they were asked for.
func FuzzDecode(f *testing.F) {
	plain := bytes.Repeat([]byte("abc"), 3000)
	for how := range stream.Compression(8) {
		f.Add(uint32(how), packed(f, how, plain), uint64(12288), uint64(0), uint64(9000))
	}
	f.Fuzz(func(t *testing.T, how uint32, data []byte, unencoded, skip, length uint64) {
		out, err := decode(&stream.Command{
			Compression: stream.Compression(how), Data: data, UnencodedLen: unencoded, UnencodedOffset: skip, UnencodedFileLen: length,
		})
		if err == nil && uint64(len(out)) != length {
			t.Errorf("%d bytes, not %d", len(out), length)
		}
	})
}
