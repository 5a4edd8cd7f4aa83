// SPDX-License-Identifier: GPL-3.0-or-later

package stream

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// every is one command of each kind, with all attributes that it can have.
func every(version int) []Command {
	at := time.Unix(1700000000, 123456789)
	full := Command{
		Path: "usr/lib/a b", PathTo: "usr/lib/c", PathLink: "../x",
		UUID: UUID{1, 2, 3, 15: 9}, Ctransid: 7, Ino: 257, Size: 1 << 40, Mode: 0o104755, UID: 1000, GID: 1001, Rdev: 0x801,
		Atime: at, Mtime: at.Add(time.Hour), Ctime: at.Add(time.Minute), Otime: time.Unix(-5, 0),
		XattrName: "user.x", XattrData: []byte{0, 1, 2}, FileOffset: 4096, Data: []byte("some data"),
		CloneUUID: UUID{7}, CloneCtransid: 8, ClonePath: "other", CloneOffset: 12288, CloneLen: 4096,
		FallocateMode: 3, FileAttr: 16, UnencodedFileLen: 9, UnencodedLen: 131072, UnencodedOffset: 1, Compression: Zstd,
	}
	kinds := slices.Sorted(func(yield func(Kind) bool) {
		for k := range layouts {
			if layouts[k].version <= version && k != End && !yield(k) {
				return
			}
		}
	})
	var out []Command
	for _, k := range append(kinds, End) {
		c := Command{Kind: k}
		l := layouts[k]
		for _, a := range append(slices.Clone(l.optional), l.required...) {
			if a == AData {
				continue
			}
			c.Attrs = append(c.Attrs, a)
		}
		if slices.Contains(l.required, AData) {
			c.Attrs = append(c.Attrs, AData)
		}
		only(&c, &full)
		out = append(out, c)
	}
	return out
}

// only copies the fields of the attributes of c.
func only(c, from *Command) {
	for _, a := range c.Attrs {
		switch to := c.field(a).(type) {
		case *UUID:
			*to = *from.field(a).(*UUID)
		case *string:
			*to = *from.field(a).(*string)
		case *[]byte:
			*to = *from.field(a).(*[]byte)
		case *time.Time:
			*to = *from.field(a).(*time.Time)
		case *uint32:
			*to = *from.field(a).(*uint32)
		case *uint64:
			*to = *from.field(a).(*uint64)
		}
	}
}

func encode(t *testing.T, version int, cmds []Command) []byte {
	t.Helper()
	var buf bytes.Buffer
	w, err := NewWriter(&buf, version)
	if err != nil {
		t.Fatal(err)
	}
	for i := range cmds {
		if err := w.Write(&cmds[i]); err != nil {
			t.Fatal(err)
		}
	}
	return buf.Bytes()
}

// decodeAll reads a stream to its end; the commands are copies.
func decodeAll(data []byte) (version int, cmds []Command, err error) {
	r, err := NewReader(bytes.NewReader(data))
	if err != nil {
		return 0, nil, err
	}
	for {
		c, err := r.Next()
		if err == io.EOF {
			return r.Version(), cmds, nil
		}
		if err != nil {
			return r.Version(), cmds, err
		}
		own := *c
		own.Attrs, own.Data, own.XattrData = slices.Clone(c.Attrs), bytes.Clone(c.Data), bytes.Clone(c.XattrData)
		cmds = append(cmds, own)
	}
}

func TestEveryCommandComesBack(t *testing.T) {
	for version := MinVersion; version <= MaxVersion; version++ {
		want := every(version)
		data := encode(t, version, want)
		v, got, err := decodeAll(data)
		if err != nil || v != version {
			t.Fatalf("version %d: %d, %v", version, v, err)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("version %d: -written +read:\n%s", version, diff)
		}
	}
}

func TestDataOfVersion2HasNoLimitOf64K(t *testing.T) {
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<15) // 512 KiB
	cmds := []Command{{Kind: Write, Path: "f", Data: big}, {Kind: End}}
	_, got, err := decodeAll(encode(t, 2, cmds))
	if err != nil || !bytes.Equal(got[0].Data, big) {
		t.Fatalf("%v", err)
	}
	w, err := NewWriter(io.Discard, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(&cmds[0]); err == nil {
		t.Error("version 1 took data longer than its length can say")
	}
	if err := w.Write(&Command{Kind: EncodedWrite}); err == nil {
		t.Error("version 1 took a command of version 2")
	}
}

func TestBytesOfTheKernel(t *testing.T) {
	data, err := hex.DecodeString(kernelStream)
	if err != nil {
		t.Fatal(err)
	}
	_, cmds, err := decodeAll(data)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, c := range cmds {
		kinds = append(kinds, c.Kind.String()+" "+c.Path)
	}
	if got := strings.Join(kinds, "; "); got != kernelSays {
		t.Errorf("%s", got)
	}
	if again := encode(t, 1, cmds); !bytes.Equal(again, data) {
		t.Errorf("written again:\n%x\nthe kernel's:\n%x", again, data)
	}
}

func TestWhatIsDamagedIsRefused(t *testing.T) {
	good := encode(t, 2, every(2))
	for n := range good {
		if _, _, err := decodeAll(good[:n]); !isFormat(err) {
			t.Fatalf("cut after %d bytes: %v", n, err)
		}
	}
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 0x10
		if _, _, err := decodeAll(bad); !isFormat(err) {
			t.Fatalf("byte %d flipped: %v", i, err)
		}
	}
	for name, cmds := range map[string][]Command{
		"no path":       {{Kind: Mkdir, Attrs: []Attr{AIno}}},
		"unknown":       {{Kind: 99, Attrs: []Attr{}}},
		"NUL in a path": {{Kind: Mkdir, Path: "a\x00b"}},
		"twice":         {{Kind: Mkdir, Attrs: []Attr{APath, APath}}},
	} {
		var raw []byte
		for i := range cmds {
			b, err := cmds[i].append(nil, 2)
			if err != nil {
				t.Fatal(err)
			}
			raw = append(raw, b...)
		}
		if _, _, err := decodeAll(append([]byte(magic+"\x02\x00\x00\x00"), raw...)); !isFormat(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, head := range []string{"", "btrfs", magic + "\x03\x00\x00\x00", magic + "\x00\x00\x00\x00"} {
		if _, err := NewReader(strings.NewReader(head)); !isFormat(err) {
			t.Errorf("header %q: %v", head, err)
		}
	}
	// A length is a claim: nothing may be allocated for it.
	huge := []byte(magic + "\x02\x00\x00\x00\xff\xff\xff\xff\x0f\x00\x00\x00\x00\x00")
	if _, _, err := decodeAll(huge); !isFormat(err) {
		t.Errorf("a command of 4 GiB: %v", err)
	}
}

func isFormat(err error) bool {
	var f *FormatError
	return errors.As(err, &f)
}

func TestStreamsOneAfterTheOther(t *testing.T) {
	one := encode(t, 1, []Command{{Kind: Mkdir, Path: "a"}, {Kind: End}})
	two := encode(t, 2, []Command{{Kind: Mkdir, Path: "b"}, {Kind: End}})
	r, err := NewReader(bytes.NewReader(append(one, two...)))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for more := true; more; {
		for {
			c, err := r.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, c.Kind.String()+c.Path)
		}
		if more, err = r.NextStream(); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"mkdira", "end", "mkdirb", "end"}; !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
}

// FuzzReader holds that no input makes the reader panic, and that what it
// accepts is the same when it is written and read again.
func FuzzReader(f *testing.F) {
	for version := MinVersion; version <= MaxVersion; version++ {
		var buf bytes.Buffer
		w, _ := NewWriter(&buf, version)
		cmds := every(version)
		for i := range cmds {
			_ = w.Write(&cmds[i])
		}
		f.Add(buf.Bytes())
	}
	if data, err := hex.DecodeString(kernelStream); err == nil {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		version, cmds, err := decodeAll(resum(data))
		if err != nil {
			return
		}
		again := encode(t, version, cmds)
		_, got, err := decodeAll(again)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(cmds, got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("-first +again:\n%s", diff)
		}
	})
}

// resum sets the checksums right, so that a fuzzer gets past them.
func resum(data []byte) []byte {
	data = bytes.Clone(data)
	for at := len(magic) + 4; at+headerSize <= len(data); {
		size := int(uint32(data[at]) | uint32(data[at+1])<<8 | uint32(data[at+2])<<16 | uint32(data[at+3])<<24)
		end := at + headerSize + size
		if end > len(data) || end < at {
			break
		}
		sum := checksum(data[at:end])
		data[at+6], data[at+7], data[at+8], data[at+9] = byte(sum), byte(sum>>8), byte(sum>>16), byte(sum>>24)
		at = end
	}
	return data
}
