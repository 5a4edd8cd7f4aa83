// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// The superblock of btrfs (btrfs.readthedocs.io, "On-disk format").
const (
	superOffset  = 64 << 10
	superSize    = 4096
	superFSID    = 0x20
	superMagic   = 0x40
	superDevices = 0x88
	superLabel   = 0x12b
	labelSize    = 256
	btrfsMagic   = "_BHRfS_M"
)

// super is what we need of it.
type super struct {
	uuid    string
	label   string
	devices uint64
}

// readSuper returns false where there is no btrfs.
func readSuper(r io.ReaderAt) (super, bool) {
	block := make([]byte, superSize)
	if _, err := r.ReadAt(block, superOffset); err != nil {
		return super{}, false
	}
	if string(block[superMagic:superMagic+len(btrfsMagic)]) != btrfsMagic {
		return super{}, false
	}
	label, _, _ := bytes.Cut(block[superLabel:superLabel+labelSize], []byte{0})
	return super{
		uuid:    formatUUID(block[superFSID : superFSID+16]),
		label:   string(label),
		devices: binary.LittleEndian.Uint64(block[superDevices:]),
	}, true
}

func formatUUID(b []byte) string {
	s := hex.EncodeToString(b)
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

// devices are the block devices of this machine.
type devices struct {
	sys  fs.FS // /sys
	open func(name string) (device, error)
}

type device interface {
	io.ReaderAt
	io.Closer
}

// names lists the block devices that may hold a root. Reading others takes long
// (drives without a disk in them) or makes no sense.
func (d devices) names() []string {
	entries, err := fs.ReadDir(d.sys, "class/block")
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		name := e.Name()
		if !strings.HasPrefix(name, "ram") && !strings.HasPrefix(name, "loop") &&
			!strings.HasPrefix(name, "sr") && !strings.HasPrefix(name, "fd") && !strings.HasPrefix(name, "zram") {
			names = append(names, name)
		}
	}
	return names
}

// find returns the name of the device that root= means; false if it is not
// there (yet). An error is for what waiting does not mend.
func (d devices) find(root string) (name string, found bool, err error) {
	kind, value, _ := strings.Cut(root, "=")
	switch kind {
	case "UUID", "LABEL":
		return d.findSuper(kind, value)
	case "PARTUUID":
		name, found = d.findPartition(value)
		return name, found, nil
	}
	dev, ok := strings.CutPrefix(root, "/dev/")
	if !ok || strings.Contains(dev, "/") {
		return "", false, fmt.Errorf("root=%s: give UUID=, LABEL=, PARTUUID= or a device such as /dev/vda2", root)
	}
	_, err = fs.Stat(d.sys, path.Join("class/block", dev))
	return dev, err == nil, nil
}

func (d devices) findSuper(kind, value string) (string, bool, error) {
	for _, name := range d.names() {
		s, ok := d.super(name)
		if !ok || kind == "UUID" && !strings.EqualFold(s.uuid, value) || kind == "LABEL" && s.label != value {
			continue
		}
		if s.devices != 1 {
			return "", false, fmt.Errorf("root=%s=%s: the file system on %s has %d devices; only one is supported", kind, value, name, s.devices)
		}
		return name, true, nil
	}
	return "", false, nil
}

func (d devices) super(name string) (super, bool) {
	f, err := d.open(name)
	if err != nil {
		return super{}, false
	}
	defer f.Close()
	return readSuper(f)
}

// findPartition looks for a partition's GUID. sysfs does not show it, so the
// partition table of the disk is read.
func (d devices) findPartition(guid string) (string, bool) {
	for _, name := range d.names() {
		number, err := fs.ReadFile(d.sys, path.Join("class/block", name, "partition"))
		if err != nil {
			continue // a whole disk
		}
		n, err := strconv.Atoi(strings.TrimSpace(string(number)))
		if err != nil {
			continue
		}
		if got, ok := d.partitionGUID(diskOf(name), n); ok && strings.EqualFold(got, guid) {
			return name, true
		}
	}
	return "", false
}

// diskOf is the disk of a partition: sda2 → sda, nvme0n1p2 → nvme0n1.
func diskOf(partition string) string {
	disk := strings.TrimRight(partition, "0123456789")
	if cut, ok := strings.CutSuffix(disk, "p"); ok && strings.TrimRight(cut, "0123456789") != cut {
		return cut
	}
	return disk
}

// partitionGUID reads entry n of a GPT (UEFI specification, chapter 5).
func (d devices) partitionGUID(disk string, n int) (string, bool) {
	f, err := d.open(disk)
	if err != nil {
		return "", false
	}
	defer f.Close()
	for _, sector := range []int64{512, 4096} {
		header := make([]byte, 92)
		if _, err := f.ReadAt(header, sector); err != nil || string(header[:8]) != "EFI PART" {
			continue
		}
		le := binary.LittleEndian
		table, count, size := le.Uint64(header[72:]), le.Uint32(header[80:]), le.Uint32(header[84:])
		if n < 1 || uint32(n) > count || size < 128 || size > 4096 || table > 1<<40 {
			return "", false
		}
		entry := make([]byte, 128)
		if _, err := f.ReadAt(entry, int64(table)*sector+int64(n-1)*int64(size)); err != nil {
			return "", false
		}
		return formatGUID(entry[16:32]), true
	}
	return "", false
}

// formatGUID writes a GUID of GPT, whose first three fields are little-endian.
func formatGUID(b []byte) string {
	return formatUUID([]byte{b[3], b[2], b[1], b[0], b[5], b[4], b[7], b[6],
		b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]})
}
