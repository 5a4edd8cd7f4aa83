// SPDX-License-Identifier: GPL-3.0-or-later

package qcow2

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

const (
	fileMagic = 0x514649fb // "QFI\xfb"

	headerV2  = 72
	headerV3  = 104
	headerNow = 112 // with the compression type and its padding

	minClusterBits = 9
	maxClusterBits = 21

	maxL1Bytes = 32 << 20 // QEMU's own limit
	maxBacking = 1023

	incompatDirty       = 1 << 0
	incompatCorrupt     = 1 << 1
	incompatData        = 1 << 2
	incompatCompression = 1 << 3
	incompatExtendedL2  = 1 << 4

	extensionEnd     = 0
	extensionBacking = 0xe2792aca
)

// ErrFormat is a file that is no qcow2 image, or a damaged one.
var ErrFormat = errors.New("not a valid qcow2 image")

// ErrUnsupported is an image that uses what this package does not implement.
var ErrUnsupported = errors.New("unsupported qcow2 feature")

// Compression is how compressed clusters are packed.
type Compression int

// The kinds of compression. None is for writing only: an image always says
// what its compressed clusters would be.
const (
	None Compression = iota
	Deflate
	Zstd
)

// The numbers of the kinds in a header.
const (
	wireDeflate = 0
	wireZstd    = 1
)

// String names the kind as qemu-img does.
func (c Compression) String() string {
	switch c {
	case None:
		return "none"
	case Deflate:
		return "zlib"
	case Zstd:
		return "zstd"
	}
	return fmt.Sprintf("compression %d", int(c))
}

// Header is what an image says of itself.
type Header struct {
	Version       int
	ClusterBits   int
	Size          int64 // of the disk in bytes
	Compression   Compression
	BackingFile   string // as written; never opened from here
	BackingFormat string // "raw", "qcow2"; "" when it is not said
	Snapshots     int
	Dirty         bool // refcounts may be stale; the contents are not
	Corrupt       bool // QEMU has marked it damaged

	l1Entries     int
	l1Offset      int64
	refcountOrder int
	refOffset     int64
	refClusters   int64
}

// ClusterSize is the unit of allocation in bytes.
func (h *Header) ClusterSize() int64 { return 1 << h.ClusterBits }

// perL2 is how many clusters one second-level table maps.
func (h *Header) perL2() int64 { return h.ClusterSize() / 8 }

// l1Need is how many first-level entries a disk of this size takes.
func (h *Header) l1Need() int64 {
	span := h.ClusterSize() * h.perL2()
	n := h.Size / span
	if h.Size%span != 0 {
		n++
	}
	return n
}

func badf(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrFormat, fmt.Sprintf(format, args...))
}

// ReadHeader reads the header of an image file of fileSize bytes.
func ReadHeader(r io.ReaderAt, fileSize int64) (*Header, error) {
	b := make([]byte, min(fileSize, headerNow))
	if _, err := r.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read the qcow2 header: %w", err)
	}
	if len(b) < headerV2 || binary.BigEndian.Uint32(b) != fileMagic {
		return nil, badf("no qcow2 signature")
	}
	h, length, err := decodeHeader(b)
	if err != nil {
		return nil, err
	}
	if err := h.checkTables(fileSize); err != nil {
		return nil, err
	}
	return h, h.readNames(r, b, length, fileSize)
}

func decodeHeader(b []byte) (h *Header, length int64, err error) {
	be := binary.BigEndian
	h = &Header{
		Version: int(be.Uint32(b[4:])), Snapshots: int(be.Uint32(b[60:])), refcountOrder: 4, Compression: Deflate,
		refClusters: int64(be.Uint32(b[56:])),
	}
	bits, size, method := be.Uint32(b[20:]), be.Uint64(b[24:]), be.Uint32(b[32:])
	entries, l1, ref := be.Uint32(b[36:]), be.Uint64(b[40:]), be.Uint64(b[48:])
	if h.Version != 2 && h.Version != 3 {
		return nil, 0, fmt.Errorf("%w: version %d", ErrUnsupported, h.Version)
	}
	if bits < minClusterBits || bits > maxClusterBits {
		return nil, 0, badf("clusters of 2^%d bytes", bits)
	}
	if size > math.MaxInt64/2 || l1 > math.MaxInt64/2 || ref > math.MaxInt64/2 {
		return nil, 0, badf("a size or offset past 2^62")
	}
	if method != 0 {
		return nil, 0, fmt.Errorf("%w: encryption", ErrUnsupported)
	}
	h.ClusterBits, h.Size, h.l1Offset, h.refOffset = int(bits), int64(size), int64(l1), int64(ref)
	if uint64(entries)*8 > maxL1Bytes {
		return nil, 0, badf("%d entries in the first-level table", entries)
	}
	h.l1Entries = int(entries)
	length = headerV2
	if h.Version == 3 {
		if length, err = h.decodeV3(b); err != nil {
			return nil, 0, err
		}
	}
	return h, length, nil
}

func (h *Header) decodeV3(b []byte) (length int64, err error) {
	if len(b) < headerV3 {
		return 0, badf("a short header")
	}
	be := binary.BigEndian
	features := be.Uint64(b[72:])
	h.refcountOrder = int(be.Uint32(b[96:]))
	length = int64(be.Uint32(b[100:]))
	if h.refcountOrder > 6 || length < headerV3 || length > h.ClusterSize() || length%8 != 0 {
		return 0, badf("a header of %d bytes, refcounts of 2^%d bits", length, h.refcountOrder)
	}
	switch unknown := features &^ (incompatDirty | incompatCorrupt | incompatData | incompatCompression | incompatExtendedL2); {
	case features&incompatData != 0:
		return 0, fmt.Errorf("%w: an external data file", ErrUnsupported)
	case features&incompatExtendedL2 != 0:
		return 0, fmt.Errorf("%w: extended L2 entries", ErrUnsupported)
	case unknown != 0:
		return 0, fmt.Errorf("%w: incompatible features %#x", ErrUnsupported, unknown)
	}
	h.Dirty, h.Corrupt = features&incompatDirty != 0, features&incompatCorrupt != 0
	if features&incompatCompression != 0 {
		if length <= headerV3 || len(b) <= headerV3 {
			return 0, badf("a compression type without its field")
		}
		switch kind := b[headerV3]; kind {
		case wireDeflate:
		case wireZstd:
			h.Compression = Zstd
		default:
			return 0, fmt.Errorf("%w: compression type %d", ErrUnsupported, kind)
		}
	}
	return length, nil
}

// checkTables holds the first-level table against the disk and the file.
func (h *Header) checkTables(fileSize int64) error {
	if h.l1Need() > int64(h.l1Entries) {
		return badf("a disk of %d bytes needs %d first-level entries, there are %d", h.Size, h.l1Need(), h.l1Entries)
	}
	if h.l1Entries > 0 && (h.l1Offset%h.ClusterSize() != 0 || h.l1Offset == 0) {
		return badf("the first-level table lies at %d", h.l1Offset)
	}
	if h.l1Offset > fileSize || int64(h.l1Entries)*8 > fileSize-h.l1Offset {
		return badf("the first-level table ends after the file")
	}
	return nil
}

// readNames reads the name of the backing file and its format.
func (h *Header) readNames(r io.ReaderAt, b []byte, length, fileSize int64) error {
	be := binary.BigEndian
	offset, size := be.Uint64(b[8:]), int64(be.Uint32(b[16:]))
	end := min(h.ClusterSize(), fileSize)
	if offset != 0 {
		if size > maxBacking || offset > uint64(end) || size > end-int64(offset) {
			return badf("the name of the backing file lies outside of the first cluster")
		}
		name := make([]byte, size)
		if _, err := r.ReadAt(name, int64(offset)); err != nil {
			return fmt.Errorf("read the name of the backing file: %w", err)
		}
		h.BackingFile = string(name)
		end = min(end, int64(offset))
	}
	for at := length; at+8 <= end; {
		head := make([]byte, 8)
		if _, err := r.ReadAt(head, at); err != nil {
			return fmt.Errorf("read a header extension: %w", err)
		}
		kind, size := be.Uint32(head), int64(be.Uint32(head[4:]))
		if kind == extensionEnd {
			return nil
		}
		if size > end-at-8 {
			return badf("a header extension of %d bytes", size)
		}
		if kind == extensionBacking {
			data := make([]byte, min(size, 64))
			if _, err := r.ReadAt(data, at+8); err != nil {
				return fmt.Errorf("read a header extension: %w", err)
			}
			h.BackingFormat = string(data)
		}
		at += 8 + (size+7)/8*8
	}
	return nil
}

// encode writes the header of a version 3 image that fits this package's own
// layout; it is one cluster at most.
func (h *Header) encode() []byte {
	b := make([]byte, headerNow+8) // with the end of the extensions
	be := binary.BigEndian
	be.PutUint32(b, fileMagic)
	be.PutUint32(b[4:], 3)
	be.PutUint32(b[20:], uint32(h.ClusterBits))
	be.PutUint64(b[24:], uint64(h.Size))
	be.PutUint32(b[36:], uint32(h.l1Entries))
	be.PutUint64(b[40:], uint64(h.l1Offset))
	be.PutUint64(b[48:], uint64(h.refOffset))
	be.PutUint32(b[56:], uint32(h.refClusters))
	if h.Compression == Zstd {
		be.PutUint64(b[72:], incompatCompression)
		b[headerV3] = wireZstd
	}
	be.PutUint32(b[96:], uint32(h.refcountOrder))
	be.PutUint32(b[100:], headerNow)
	return b
}
