// SPDX-License-Identifier: GPL-3.0-or-later

package fat32

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Device is where the file system lies, from offset 0 on.
type Device interface {
	io.ReaderAt
	io.WriterAt
}

const (
	sectorSize  = 512
	minClusters = 65525 // fewer means FAT16 to every reader
	maxClusters = 0x0ffffff5
	fats        = 2
	infoSector  = 1
	backupBoot  = 6
	media       = 0xf8
)

// ErrTooSmall is a size in which FAT32 cannot be.
var ErrTooSmall = errors.New("too small for FAT32, which needs at least 34 MiB")

// ErrNotFAT32 is a device that holds something else, or a damaged boot sector.
var ErrNotFAT32 = errors.New("not a FAT32 file system")

// Options are what a new file system is told.
type Options struct {
	Label string // up to 11 characters of upper-case ASCII; "" for none
	// Serial is the volume id, which Linux shows as UUID (XXXX-XXXX).
	Serial uint32
	// HiddenSectors is the partition's first sector.
	HiddenSectors uint32
	// Time is when the label was written.
	Time time.Time
}

// geometry is the layout that a boot sector describes; sectors are of 512 bytes.
type geometry struct {
	total       uint32 // sectors
	reserved    uint32
	fatSectors  uint32 // of one copy
	perCluster  uint32 // sectors
	clusters    uint32 // of data, numbered from 2 on
	root        uint32 // first cluster of the root directory
	info        uint32 // sector of the summary; 0 or 0xffff: none
	fatCount    uint32
	activeFAT   uint32
	mirrorFATs  bool
	clusterSize int
}

func (g geometry) data() uint32 { return g.reserved + g.fatCount*g.fatSectors }

func (g geometry) clusterOffset(c uint32) int64 {
	return (int64(g.data()) + int64(c-2)*int64(g.perCluster)) * sectorSize
}

// clusterSectors is what mkfs.fat takes for a size, and what firmware is used to.
func clusterSectors(size int64) uint32 {
	switch {
	case size <= 260<<20:
		return 1
	case size <= 8<<30:
		return 8
	case size <= 16<<30:
		return 16
	case size <= 32<<30:
		return 32
	}
	return 64
}

func newGeometry(size int64) (geometry, error) {
	total := size / sectorSize
	if total >= 1<<32 {
		return geometry{}, errors.New("too large for FAT32, which ends at 2 TiB")
	}
	g := geometry{total: uint32(total), reserved: 32, perCluster: clusterSectors(size), root: 2, info: infoSector, fatCount: fats, mirrorFATs: true}
	g.clusterSize = int(g.perCluster) * sectorSize
	if total < 34<<11 {
		return geometry{}, ErrTooSmall
	}
	// A table for all sectors is never too short; the few entries too many cost
	// less than the search for the exact number.
	g.fatSectors = ((g.total-g.reserved)/g.perCluster + 2 + 127) / 128
	// Data begins at a multiple of 4 KiB or of the cluster.
	align := max(g.perCluster, 8)
	if over := g.data() % align; over != 0 {
		g.reserved += align - over
	}
	g.clusters = (g.total - g.data()) / g.perCluster
	if g.clusters < minClusters {
		return geometry{}, ErrTooSmall
	}
	if g.clusters > maxClusters {
		return geometry{}, errors.New("too many clusters for FAT32")
	}
	return g, nil
}

func (g geometry) bootSector(o Options) []byte {
	b := make([]byte, sectorSize)
	le := binary.LittleEndian
	copy(b, []byte{0xeb, 0x58, 0x90})
	copy(b[3:], "MSWIN4.1") // the name that all readers accept
	le.PutUint16(b[11:], sectorSize)
	b[13] = byte(g.perCluster)
	le.PutUint16(b[14:], uint16(g.reserved))
	b[16] = fats
	b[21] = media
	le.PutUint16(b[24:], 63)  // sectors per track
	le.PutUint16(b[26:], 255) // heads
	le.PutUint32(b[28:], o.HiddenSectors)
	le.PutUint32(b[32:], g.total)
	le.PutUint32(b[36:], g.fatSectors)
	le.PutUint32(b[44:], g.root)
	le.PutUint16(b[48:], infoSector)
	le.PutUint16(b[50:], backupBoot)
	b[64] = 0x80 // drive
	b[66] = 0x29 // the next three fields are there
	le.PutUint32(b[67:], o.Serial)
	copy(b[71:82], padded(o.Label, "NO NAME"))
	copy(b[82:90], "FAT32   ")
	copy(b[90:], []byte{0xf4, 0xeb, 0xfd}) // whoever boots it the old way: halt
	le.PutUint16(b[510:], 0xaa55)
	return b
}

func padded(label, none string) []byte {
	if label == "" {
		label = none
	}
	return []byte(fmt.Sprintf("%-11s", label))
}

func checkLabel(label string) error {
	if len(label) > 11 || strings.TrimSpace(label) != label {
		return fmt.Errorf("the label %q is longer than 11 characters, or begins or ends in spaces", label)
	}
	for _, c := range []byte(label) {
		if c < 0x20 || c > 0x7e || c >= 'a' && c <= 'z' || strings.IndexByte(`"*+,./:;<=>?[\]|`, c) >= 0 {
			return fmt.Errorf("the label %q has the character %q: only upper-case letters, digits, spaces and a few signs are allowed", label, c)
		}
	}
	return nil
}

// parseBoot reads a boot sector written by anybody. size bounds everything, so
// that no number in it can make us allocate or read more than there is.
func parseBoot(b []byte, size int64) (geometry, error) {
	le := binary.LittleEndian
	bad := func(format string, args ...any) (geometry, error) {
		return geometry{}, fmt.Errorf("%w: %s", ErrNotFAT32, fmt.Sprintf(format, args...))
	}
	if le.Uint16(b[510:]) != 0xaa55 {
		return bad("no boot signature")
	}
	if n := le.Uint16(b[11:]); n != sectorSize {
		return bad("sectors of %d bytes", n)
	}
	g := geometry{
		perCluster: uint32(b[13]), reserved: uint32(le.Uint16(b[14:])), fatCount: uint32(b[16]),
		total: le.Uint32(b[32:]), fatSectors: le.Uint32(b[36:]), root: le.Uint32(b[44:]), info: uint32(le.Uint16(b[48:])),
	}
	if g.perCluster == 0 || g.perCluster&(g.perCluster-1) != 0 {
		return bad("%d sectors in a cluster", g.perCluster)
	}
	if le.Uint16(b[17:]) != 0 || le.Uint16(b[22:]) != 0 || g.reserved == 0 || g.fatCount == 0 || g.fatCount > 2 {
		return bad("the fields of FAT12 or FAT16 are in use")
	}
	g.clusterSize = int(g.perCluster) * sectorSize
	flags := le.Uint16(b[40:])
	g.mirrorFATs, g.activeFAT = flags&0x80 == 0, uint32(flags&0xf)
	if g.mirrorFATs {
		g.activeFAT = 0
	}
	if g.activeFAT >= g.fatCount {
		return bad("table %d of %d is in use", g.activeFAT, g.fatCount)
	}
	head := uint64(g.reserved) + uint64(g.fatCount)*uint64(g.fatSectors)
	if int64(g.total) > size/sectorSize || head >= uint64(g.total) {
		return bad("%d sectors, %d of them before the data, on a device of %d", g.total, head, size/sectorSize)
	}
	g.clusters = (g.total - uint32(head)) / g.perCluster
	if g.clusters > maxClusters || uint64(g.clusters)+2 > uint64(g.fatSectors)*128 {
		return bad("%d clusters and a table for %d", g.clusters, uint64(g.fatSectors)*128)
	}
	if g.clusters < minClusters {
		return bad("%d clusters: FAT16", g.clusters)
	}
	if g.root < 2 || g.root-2 >= g.clusters {
		return bad("the root directory is in cluster %d of %d", g.root, g.clusters)
	}
	if g.info >= g.reserved {
		g.info = 0
	}
	return g, nil
}

// infoBytes is the free-cluster summary (FSInfo).
func infoBytes(free, next uint32) []byte {
	b := make([]byte, sectorSize)
	le := binary.LittleEndian
	le.PutUint32(b, 0x41615252)
	le.PutUint32(b[484:], 0x61417272)
	le.PutUint32(b[488:], free)
	le.PutUint32(b[492:], next)
	le.PutUint32(b[508:], 0xaa550000)
	return b
}

// Format makes an empty file system of size bytes. What the device held before
// must read as zeros in the tables and the root directory: they are written.
func Format(dev Device, size int64, o Options) error {
	if err := checkLabel(o.Label); err != nil {
		return err
	}
	g, err := newGeometry(size)
	if err != nil {
		return fmt.Errorf("make a FAT32 file system of %d bytes: %w", size, err)
	}
	f := &FS{dev: dev, g: g, fat: make([]uint32, g.clusters+2), now: func() time.Time { return o.Time }}
	f.fat[0], f.fat[1] = 0x0fffff00|media, endOfChain
	f.fat[g.root] = endOfChain
	f.free, f.next = g.clusters-1, g.root+1
	if err := f.writeZeros(0, int64(g.data()+g.perCluster)*sectorSize); err != nil {
		return err
	}
	if o.Label != "" {
		entry := shortEntry([11]byte(padded(o.Label, "")), attrLabel, 0, 0, o.Time)
		if err := f.write(g.clusterOffset(g.root), entry); err != nil {
			return err
		}
	}
	f.dirtyAll()
	if err := f.flush(); err != nil {
		return err
	}
	boot := g.bootSector(o)
	if err := f.write(infoSector*sectorSize+backupBoot*sectorSize, infoBytes(f.free, f.next)); err != nil {
		return err
	}
	if err := f.write(backupBoot*sectorSize, boot); err != nil {
		return err
	}
	return f.write(0, boot) // last: before it, nothing takes this for a file system
}
