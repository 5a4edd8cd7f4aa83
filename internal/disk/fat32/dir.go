// SPDX-License-Identifier: GPL-3.0-or-later

package fat32

import (
	"encoding/binary"
	"fmt"
	"slices"
	"syscall"
	"time"
	"unicode/utf16"
)

const (
	slotSize = 32
	deleted  = 0xe5
	maxSlots = 65536 // of one directory, by the specification

	attrReadOnly = 0x01
	attrHidden   = 0x02
	attrSystem   = 0x04
	attrLabel    = 0x08
	attrDir      = 0x10
	attrArchive  = 0x20
	attrLong     = attrReadOnly | attrHidden | attrSystem | attrLabel
)

// entry is one file or directory of a directory.
type entry struct {
	name    string // the long name, or the short one
	short   [11]byte
	attr    byte
	cluster uint32 // first; 0: none
	size    uint32
	mtime   time.Time
	// slots of the directory: the parts of the long name and the short entry last
	from, to int
}

func (e *entry) isDir() bool { return e.attr&attrDir != 0 }

// alsoShort is the entry's other name, by which it is found too.
func (e *entry) alsoShort() string { return unpack(e.short[:], 0) }

// dir is a directory read into memory.
type dir struct {
	f        *FS
	cluster  uint32 // first
	clusters []uint32
	raw      []byte
	entries  []*entry
}

func (f *FS) readDir(first uint32) (*dir, error) {
	d := &dir{f: f, cluster: first}
	var err error
	limit := int64(maxSlots*slotSize/f.g.clusterSize + 1)
	if d.clusters, err = f.chain(first, limit); err != nil {
		return nil, err
	}
	if len(d.clusters) == 0 {
		return nil, fmt.Errorf("%w: a directory without clusters", ErrDamaged)
	}
	if d.raw, err = f.readClusters(d.clusters, len(d.clusters)*f.g.clusterSize); err != nil {
		return nil, err
	}
	d.parse()
	return d, nil
}

func (d *dir) slot(i int) []byte { return d.raw[i*slotSize : (i+1)*slotSize] }
func (d *dir) slots() int        { return len(d.raw) / slotSize }

// parse collects the entries. Parts of long names without their short entry
// are what an old DOS left behind: they are passed over.
func (d *dir) parse() {
	d.entries = nil
	var long longName
	for i := range d.slots() {
		b := d.slot(i)
		switch {
		case b[0] == 0:
			return
		case b[0] == deleted:
			long = longName{}
		case b[11]&0x3f == attrLong:
			long.add(b, i)
		case b[11]&attrLabel != 0:
			long = longName{}
		default:
			d.add(b, i, &long)
			long = longName{}
		}
	}
}

func (d *dir) add(b []byte, i int, long *longName) {
	le := binary.LittleEndian
	e := &entry{
		short: [11]byte(b[:11]), attr: b[11], from: i, to: i + 1,
		cluster: uint32(le.Uint16(b[20:]))<<16 | uint32(le.Uint16(b[26:])),
		size:    le.Uint32(b[28:]), mtime: decodeTime(le.Uint16(b[24:]), le.Uint16(b[22:])),
	}
	if name, from, ok := long.name(e.short, i); ok {
		e.name, e.from = name, from
	} else {
		e.name = unpack(b[:11], b[12])
	}
	if e.name != "." && e.name != ".." {
		d.entries = append(d.entries, e)
	}
}

// longName gathers the parts of a long name, which come last part first.
type longName struct {
	units []uint16
	want  int // number of the next part; 0: complete
	sum   byte
	from  int
	ok    bool
}

func (l *longName) add(b []byte, i int) {
	n := int(b[0] & 0x3f)
	if b[0]&0x40 != 0 { // the last part, first in order
		*l = longName{want: n, sum: b[13], from: i, ok: n >= 1 && n <= 20}
		if l.ok {
			l.units = make([]uint16, 13*n)
		}
	}
	if !l.ok || n != l.want || n == 0 || b[13] != l.sum {
		*l = longName{}
		return
	}
	at := l.units[13*(n-1):]
	for j, off := range longOffsets {
		at[j] = binary.LittleEndian.Uint16(b[off:])
	}
	l.want--
}

// longOffsets are where the 13 units of a part lie in its slot.
var longOffsets = [13]int{1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30}

func (l *longName) name(short [11]byte, i int) (string, int, bool) {
	if !l.ok || l.want != 0 || l.sum != checksum(short) {
		return "", 0, false
	}
	units := l.units
	if end := slices.Index(units, 0); end >= 0 {
		units = units[:end]
	}
	if len(units) == 0 {
		return "", 0, false
	}
	return string(utf16.Decode(units)), l.from, true
}

func (d *dir) find(name string) *entry {
	for _, e := range d.entries {
		if sameName(e.name, name) {
			return e
		}
	}
	for _, e := range d.entries {
		if sameName(e.alsoShort(), name) {
			return e
		}
	}
	return nil
}

// insert adds an entry, making the directory longer where it must.
func (d *dir) insert(name string, attr byte, cluster, size uint32, now time.Time) error {
	units, err := encodeName(name)
	if err != nil {
		return err
	}
	short, exact := exactShort(name)
	if !exact {
		if short, err = alias(name, d.taken); err != nil {
			return err
		}
	}
	var slots []byte
	if !exact {
		slots = longSlots(units, checksum(short))
	}
	slots = append(slots, shortEntry(short, attr, cluster, size, now)...)
	at, err := d.room(len(slots) / slotSize)
	if err != nil {
		return err
	}
	return d.put(at, slots)
}

func (d *dir) taken(short [11]byte) bool {
	name := unpack(short[:], 0)
	return slices.ContainsFunc(d.entries, func(e *entry) bool { return e.short == short || sameName(e.name, name) })
}

func longSlots(units []uint16, sum byte) []byte {
	n := (len(units) + 12) / 13
	out := make([]byte, n*slotSize)
	for part := n; part >= 1; part-- {
		b := out[(n-part)*slotSize:]
		b[0] = byte(part)
		if part == n {
			b[0] |= 0x40
		}
		b[11], b[13] = attrLong, sum
		for j, off := range longOffsets {
			u := uint16(0xffff)
			switch i := (part-1)*13 + j; {
			case i < len(units):
				u = units[i]
			case i == len(units):
				u = 0
			}
			binary.LittleEndian.PutUint16(b[off:], u)
		}
	}
	return out
}

func shortEntry(short [11]byte, attr byte, cluster, size uint32, now time.Time) []byte {
	b := make([]byte, slotSize)
	le := binary.LittleEndian
	copy(b, short[:])
	b[11] = attr
	date, clock := encodeTime(now)
	le.PutUint16(b[14:], clock) // created
	le.PutUint16(b[16:], date)
	le.PutUint16(b[18:], date) // read
	le.PutUint16(b[22:], clock)
	le.PutUint16(b[24:], date)
	setCluster(b, cluster)
	le.PutUint32(b[28:], size)
	return b
}

func setCluster(slot []byte, cluster uint32) {
	binary.LittleEndian.PutUint16(slot[20:], uint16(cluster>>16))
	binary.LittleEndian.PutUint16(slot[26:], uint16(cluster))
}

// room finds n free slots in a row and returns the first.
func (d *dir) room(n int) (int, error) {
	run, past := 0, false
	for i := range d.slots() {
		past = past || d.slot(i)[0] == 0 // nothing after the end is in use
		if past || d.slot(i)[0] == deleted {
			run++
		} else {
			run = 0
		}
		if run == n {
			return i - n + 1, nil
		}
	}
	first := d.slots() - run
	if first+n > maxSlots {
		return 0, fmt.Errorf("the directory is full: %w", syscall.ENOSPC)
	}
	return first, d.grow(((n-run)*slotSize + d.f.g.clusterSize - 1) / d.f.g.clusterSize)
}

func (d *dir) grow(n int) error {
	more, err := d.f.allocate(n)
	if err != nil {
		return err
	}
	zeros := make([]byte, n*d.f.g.clusterSize)
	if err := d.f.writeClusters(more, zeros); err != nil {
		return err
	}
	d.f.set(d.clusters[len(d.clusters)-1], more[0])
	d.clusters, d.raw = append(d.clusters, more...), append(d.raw, zeros...)
	return nil
}

// put changes slots and writes them out. The table goes first: an entry never
// names clusters that the table calls free.
func (d *dir) put(at int, slots []byte) error {
	if err := d.f.flush(); err != nil {
		return err
	}
	// What lay after the old end of the directory must still end there.
	end := at + len(slots)/slotSize
	ended := false
	for i := at; i < end; i++ {
		ended = ended || d.slot(i)[0] == 0
	}
	copy(d.raw[at*slotSize:], slots)
	if ended && end < d.slots() && d.slot(end)[0] != 0 {
		clear(d.slot(end))
		end++
	}
	err := d.writeBack(at, end)
	d.parse()
	return err
}

func (d *dir) writeBack(from, to int) error {
	lo, hi := from*slotSize, to*slotSize
	return d.f.runs(d.clusters, func(offset int64, a, b int) error {
		a2, b2 := max(a, lo), min(b, hi)
		if a2 >= b2 {
			return nil
		}
		return d.f.write(offset+int64(a2-a), d.raw[a2:b2])
	})
}

// erase removes the slots of an entry.
func (d *dir) erase(e *entry) error {
	slots := slices.Clone(d.raw[e.from*slotSize : e.to*slotSize])
	for i := 0; i < len(slots); i += slotSize {
		slots[i] = deleted
	}
	return d.put(e.from, slots)
}

// point makes an entry lead to other contents: one write of one slot.
func (d *dir) point(e *entry, cluster, size uint32, now time.Time) error {
	slot := shortEntry(e.short, e.attr|attrArchive, cluster, size, now)
	old := d.slot(e.to - 1)
	copy(slot[12:18], old[12:18]) // case flags and creation stay
	return d.put(e.to-1, slot)
}

// FAT's time: local by tradition, UTC here; two seconds; 1980 to 2107.
func encodeTime(t time.Time) (date, clock uint16) {
	t = t.UTC()
	if t.Year() < 1980 {
		t = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	if t.Year() > 2107 {
		t = time.Date(2107, 12, 31, 23, 59, 58, 0, time.UTC)
	}
	date = uint16(t.Year()-1980)<<9 | uint16(t.Month())<<5 | uint16(t.Day())
	return date, uint16(t.Hour())<<11 | uint16(t.Minute())<<5 | uint16(t.Second()/2)
}

func decodeTime(date, clock uint16) time.Time {
	return time.Date(int(date>>9)+1980, time.Month(date>>5&0xf), int(date&0x1f),
		int(clock>>11), int(clock>>5&0x3f), int(clock&0x1f)*2, 0, time.UTC)
}
