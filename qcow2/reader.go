// SPDX-License-Identifier: GPL-3.0-or-later

package qcow2

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
)

const (
	offsetMask     = 0x00fffffffffffe00
	flagCopied     = 1 << 63
	flagCompressed = 1 << 62
	flagZero       = 1 << 0

	maxTables = 64 // second-level tables kept in memory
)

// Backing is the disk below an image. Reads past its size are zeros.
type Backing struct {
	io.ReaderAt
	Size int64
}

// Image is an open image: an io.ReaderAt of the disk in it. It may be used by
// many goroutines.
type Image struct {
	Header
	r        io.ReaderAt
	fileSize int64
	backing  *Backing
	l1       []byte

	mu     sync.Mutex
	tables map[int64][]byte // second-level tables by offset
	order  []int64          // of tables, the oldest first
	last   unpacked
	idle   []*unpacker
}

// unpacked is the compressed cluster that was read last: sequential reads with
// small buffers would otherwise decompress each cluster many times.
type unpacked struct {
	entry uint64
	data  []byte
}

// Open opens an image file of fileSize bytes. backing is the disk below; it is
// needed when the header names one, and it must be nil otherwise.
func Open(r io.ReaderAt, fileSize int64, backing *Backing) (*Image, error) {
	h, err := ReadHeader(r, fileSize)
	if err != nil {
		return nil, err
	}
	if h.BackingFile != "" && backing == nil {
		return nil, &BackingError{Name: h.BackingFile}
	}
	if h.BackingFile == "" && backing != nil {
		return nil, errors.New("open qcow2 image: it has no backing file, one was given")
	}
	im := &Image{Header: *h, r: r, fileSize: fileSize, backing: backing, tables: map[int64][]byte{}}
	im.l1 = make([]byte, h.l1Need()*8) // checked against the size of the file
	if _, err := r.ReadAt(im.l1, h.l1Offset); err != nil && len(im.l1) > 0 {
		return nil, fmt.Errorf("read the first-level table: %w", err)
	}
	return im, nil
}

// BackingError is an image that rests on another one, which was not given.
type BackingError struct{ Name string }

func (e *BackingError) Error() string {
	return fmt.Sprintf("the image rests on the file %q", e.Name)
}

// Hint says what to do.
func (e *BackingError) Hint() string {
	return "make it stand alone first (qemu-img convert), or name the file below it: rastOS opens none that an image names by itself"
}

// ReadAt reads from the disk. At its end it gives io.EOF.
func (im *Image) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errors.New("qcow2: a negative offset")
	}
	if off >= im.Size {
		return 0, io.EOF
	}
	var eof error
	if int64(len(p)) > im.Size-off {
		p, eof = p[:im.Size-off], io.EOF
	}
	cs := im.ClusterSize()
	for n := 0; n < len(p); {
		at := off + int64(n)
		within := at % cs
		part := p[n:min(int64(len(p)), int64(n)+cs-within)]
		entry, err := im.entry(at / cs)
		if err != nil {
			return n, err
		}
		if err := im.readCluster(part, entry, at, within); err != nil {
			return n, fmt.Errorf("read the disk at %d: %w", at, err)
		}
		n += len(part)
	}
	return len(p), eof
}

// entry looks up the second-level entry of a cluster; 0 when there is no table.
func (im *Image) entry(cluster int64) (uint64, error) {
	table, err := im.table(cluster / im.perL2())
	if err != nil || table == nil {
		return 0, err
	}
	return binary.BigEndian.Uint64(table[cluster%im.perL2()*8:]), nil
}

func (im *Image) table(index int64) ([]byte, error) {
	offset := int64(binary.BigEndian.Uint64(im.l1[index*8:]) & offsetMask)
	if offset == 0 {
		return nil, nil
	}
	if offset%im.ClusterSize() != 0 || offset > im.fileSize-im.ClusterSize() {
		return nil, badf("a second-level table lies at %d of %d bytes", offset, im.fileSize)
	}
	im.mu.Lock()
	defer im.mu.Unlock()
	if t := im.tables[offset]; t != nil {
		return t, nil
	}
	t := make([]byte, im.ClusterSize())
	if _, err := im.r.ReadAt(t, offset); err != nil {
		return nil, fmt.Errorf("read a second-level table: %w", err)
	}
	if len(im.order) == maxTables {
		delete(im.tables, im.order[0])
		im.order = im.order[1:]
	}
	im.tables[offset], im.order = t, append(im.order, offset)
	return t, nil
}

func (im *Image) readCluster(p []byte, entry uint64, at, within int64) error {
	switch {
	case entry&flagCompressed != 0:
		return im.readCompressed(p, entry, within)
	case entry&flagZero != 0 && im.Version >= 3:
		clear(p)
		return nil
	case entry&offsetMask == 0:
		return im.readBacking(p, at)
	}
	offset := int64(entry & offsetMask)
	if offset%im.ClusterSize() != 0 {
		return badf("a cluster lies at %d", offset)
	}
	if offset >= im.fileSize {
		return badf("a cluster lies at %d of %d bytes", offset, im.fileSize)
	}
	n, err := im.r.ReadAt(p, offset+within)
	if errors.Is(err, io.EOF) {
		clear(p[n:]) // the last cluster of a file may be cut short
		return nil
	}
	return err
}

func (im *Image) readBacking(p []byte, at int64) error {
	if im.backing == nil || at >= im.backing.Size {
		clear(p)
		return nil
	}
	part := p[:min(int64(len(p)), im.backing.Size-at)]
	clear(p[len(part):])
	n, err := im.backing.ReadAt(part, at)
	if errors.Is(err, io.EOF) {
		clear(part[n:])
		return nil
	}
	return err
}

// compressedRange is where the data of a compressed cluster lie. The length
// counts whole sectors, and so may be too long.
func compressedRange(entry uint64, clusterBits int) (offset, size int64) {
	x := 62 - (clusterBits - 8)
	offset = int64(entry & (1<<x - 1) & 0x00ffffffffffffff)
	sectors := int64(entry&^uint64(flagCopied|flagCompressed)>>x) + 1
	return offset, sectors*512 - offset%512
}

func (im *Image) readCompressed(p []byte, entry uint64, within int64) error {
	im.mu.Lock()
	if im.last.data != nil && im.last.entry == entry {
		copy(p, im.last.data[within:])
		im.mu.Unlock()
		return nil
	}
	im.mu.Unlock()
	offset, size := compressedRange(entry, im.ClusterBits)
	if offset >= im.fileSize {
		return badf("a compressed cluster lies at %d of %d bytes", offset, im.fileSize)
	}
	packed := make([]byte, min(size, im.fileSize-offset)) // two clusters at most
	if _, err := im.r.ReadAt(packed, offset); err != nil {
		return err
	}
	u, err := im.unpacker()
	if err != nil {
		return err
	}
	data := make([]byte, im.ClusterSize())
	err = u.unpack(data, packed)
	im.mu.Lock()
	defer im.mu.Unlock()
	im.idle = append(im.idle, u)
	if err != nil {
		return err
	}
	copy(p, data[within:])
	im.last = unpacked{entry, data}
	return nil
}

// unpacker takes an idle decompressor; there are as many as readers at once.
func (im *Image) unpacker() (*unpacker, error) {
	im.mu.Lock()
	defer im.mu.Unlock()
	if n := len(im.idle); n > 0 {
		u := im.idle[n-1]
		im.idle = im.idle[:n-1]
		return u, nil
	}
	return newUnpacker(im.Compression)
}

// NextData finds the next range of the disk at or after off, in whole clusters,
// that is not known to be zeros; ok is false when there is none.
func (im *Image) NextData(off int64) (start, end int64, ok bool, err error) {
	if off < 0 || off >= im.Size {
		return 0, 0, false, nil
	}
	cs := im.ClusterSize()
	start = -1
	for c := off / cs; c*cs < im.Size; c++ {
		data, skip, err := im.holds(c)
		if err != nil {
			return 0, 0, false, err
		}
		switch {
		case data && start < 0:
			start = max(off, c*cs)
		case !data && start >= 0:
			return start, c * cs, true, nil
		case skip:
			c += im.perL2() - c%im.perL2() - 1
		}
	}
	if start < 0 {
		return 0, 0, false, nil
	}
	return start, im.Size, true, nil
}

// holds tells whether a cluster may be other than zeros; skip says that the
// whole second-level table of it is missing.
func (im *Image) holds(c int64) (data, skip bool, err error) {
	below := im.backing != nil && c*im.ClusterSize() < im.backing.Size
	table, err := im.table(c / im.perL2())
	if err != nil {
		return false, false, err
	}
	if table == nil {
		return below, !below, nil
	}
	entry := binary.BigEndian.Uint64(table[c%im.perL2()*8:])
	switch {
	case entry&flagCompressed != 0:
		return true, false, nil
	case entry&flagZero != 0 && im.Version >= 3:
		return false, false, nil
	}
	return entry&offsetMask != 0 || below, false, nil
}
