// SPDX-License-Identifier: GPL-3.0-or-later

package btrfs

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestBtrfsMountsOfAMountTable(t *testing.T) {
	table := `22 1 0:21 / / rw,relatime shared:1 - ext4 /dev/vda rw
40 22 0:33 /@rastos/nodes/1/root /mnt\040a/x\134y rw,noatime master:2 - btrfs /dev/loop0 rw,subvolid=257
41 22 0:34 / /btrfs rw - tmpfs btrfs rw
garbage
42 22 0:35 / /b rw - btrfs /dev/loop1 rw
`
	got, err := btrfsMounts(strings.NewReader(table))
	if want := []string{`/mnt a/x\y`, "/b"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
}

func TestUUIDText(t *testing.T) {
	u := UUID{0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0, 1, 2, 3, 4, 5, 6, 7}
	if got := u.String(); got != "01234567-89ab-cdef-0001-020304050607" || u.IsZero() || !(UUID{}).IsZero() {
		t.Errorf("%s", got)
	}
}

// FuzzItems decodes what a search returns, as if the kernel had gone mad.
func FuzzItems(f *testing.F) {
	root := make([]byte, 32+439)
	binary.NativeEndian.PutUint64(root[8:], 256)
	binary.NativeEndian.PutUint32(root[24:], rootItemType)
	binary.NativeEndian.PutUint32(root[28:], 439)
	f.Add(root, 1)
	ref := make([]byte, 32+18+4)
	binary.NativeEndian.PutUint32(ref[24:], rootBackRefType)
	binary.NativeEndian.PutUint32(ref[28:], 22)
	binary.LittleEndian.PutUint16(ref[32+16:], 4)
	f.Add(append(slices.Clone(root), ref...), 2)
	f.Fuzz(func(t *testing.T, buf []byte, n int) {
		var s Subvolume
		_, _ = visitItems(buf, n%64, rootItemType, rootBackRefType, func(it item) error {
			switch it.kind {
			case rootItemType:
				return s.decodeRootItem(it.data)
			case rootBackRefType:
				return s.decodeRootRef(it.data)
			}
			return nil
		})
		if len(s.Name) > len(buf) {
			t.Errorf("a name of %d bytes out of %d", len(s.Name), len(buf))
		}
	})
}

func TestNamesOfAnInodeItem(t *testing.T) {
	le := binary.LittleEndian
	ref := le.AppendUint16(le.AppendUint64(nil, 3), 1) // index, length
	ref = append(append(ref, 'a'), append(le.AppendUint16(le.AppendUint64(nil, 4), 2), "bc"...)...)
	ext := append(le.AppendUint16(le.AppendUint64(le.AppendUint64(nil, 300), 5), 3), "def"...)
	var got []string
	add := func(parent uint64, name string) error {
		got = append(got, fmt.Sprint(parent, " ", name))
		return nil
	}
	for _, it := range []item{{kind: inodeRefType, offset: 256, data: ref}, {kind: inodeExtRefType, offset: 99, data: ext}} {
		if err := eachName(it, add); err != nil {
			t.Fatal(err)
		}
		if err := eachName(item{kind: it.kind, data: it.data[:len(it.data)-1]}, add); err == nil {
			t.Error("a cut item was read")
		}
	}
	if want := []string{"256 a", "256 bc", "0 a", "300 def"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// FuzzNames decodes the names of an inode.
func FuzzNames(f *testing.F) {
	f.Add([]byte("\x03\x00\x00\x00\x00\x00\x00\x00\x01\x00a"), true)
	f.Add([]byte{}, false)
	f.Fuzz(func(t *testing.T, data []byte, extended bool) {
		it := item{kind: inodeRefType, data: data}
		if extended {
			it.kind = inodeExtRefType
		}
		total := 0
		_ = eachName(it, func(_ uint64, name string) error { total += len(name); return nil })
		if total > len(data) {
			t.Errorf("%d bytes of names out of %d", total, len(data))
		}
	})
}
