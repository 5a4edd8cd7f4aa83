// SPDX-License-Identifier: GPL-3.0-or-later

package qcow2

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"os"
)

// writer lays a new image out: header, first-level table, data in the order of
// the disk, then second-level tables, refcount table and refcount blocks.
type writer struct {
	dst *os.File
	o   Options
	h   Header

	next   int64            // first cluster of the file that is not in use
	refs   []uint16         // of the clusters of the file
	l2     map[int64][]byte // second-level tables by index
	packed int64            // where the next compressed data go, inside a cluster in use; 0: nowhere
}

func newWriter(dst *os.File, size int64, o Options) (*writer, error) {
	w := &writer{dst: dst, o: o, l2: map[int64][]byte{}}
	w.h = Header{Version: 3, ClusterBits: o.ClusterBits, Size: size, Compression: o.Compression, refcountOrder: 4}
	need := w.h.l1Need()
	if need*8 > maxL1Bytes {
		return nil, errors.New("the disk is too large for clusters of this size")
	}
	w.h.l1Entries = int(need)
	w.h.l1Offset = w.h.ClusterSize()
	w.take(1 + w.clustersFor(need*8))
	return w, nil
}

func (w *writer) clustersFor(size int64) int64 {
	return (size + w.h.ClusterSize() - 1) >> w.h.ClusterBits
}

// take puts n clusters into use and returns the offset of the first.
func (w *writer) take(n int64) int64 {
	first := w.next
	for range n {
		w.refs = append(w.refs, 1)
	}
	w.next += n
	return first << w.h.ClusterBits
}

// piece is one cluster with something in it.
type piece struct {
	cluster int64  // of the disk
	data    []byte // the cluster, or its compressed form
	packed  bool
	offset  int64 // in the file, once it has a place
}

// batch is the pieces of one chunk; its buffers are used again and again.
type batch struct {
	pieces []piece
	room   []byte // the compressed forms
}

// fill compresses what is not zero.
func (b *batch) fill(data []byte, start int64, clusterBits int, p packer) error {
	b.pieces = b.pieces[:0]
	if p != nil && b.room == nil {
		// Room for everything that is worth keeping, so that appends never move
		// it: a compressed form of the size of a cluster is thrown away.
		b.room = make([]byte, 0, chunkSize+2<<maxClusterBits)
	}
	b.room = b.room[:0]
	size := 1 << clusterBits
	for at := 0; at < len(data); at += size {
		cluster := data[at : at+size]
		if isZero(cluster) {
			continue
		}
		pc := piece{cluster: (start + int64(at)) >> clusterBits, data: cluster}
		if p != nil {
			used := len(b.room)
			out, err := p.pack(b.room[used:used:cap(b.room)], cluster)
			if err != nil {
				return err
			}
			if len(out) < size {
				pc.data, pc.packed = out, true
				if cap(b.room)-used >= len(out) && &out[0] == &b.room[:used+1][used] {
					b.room = b.room[:used+len(out)]
				}
			}
		}
		b.pieces = append(b.pieces, pc)
	}
	return nil
}

// isZero looks at the first word before it compares the whole: most clusters
// that hold data differ there.
func isZero(b []byte) bool {
	if binary.NativeEndian.Uint64(b) != 0 {
		return false
	}
	return bytes.Equal(b[8:], b[:len(b)-8])
}

// place gives each piece of a batch its place in the file. It is called in the
// order of the disk.
func (w *writer) place(b *batch) {
	for i := range b.pieces {
		p := &b.pieces[i]
		if p.packed {
			w.placePacked(p)
			continue
		}
		p.offset = w.take(1)
		w.setEntry(p.cluster, uint64(p.offset)|flagCopied)
	}
}

// placePacked puts compressed data behind the last ones, over the end of a
// cluster too if the next one is free.
func (w *writer) placePacked(p *piece) {
	cs, size := w.h.ClusterSize(), int64(len(p.data))
	room := int64(0)
	if w.packed != 0 {
		room = cs - w.packed%cs
	}
	last := w.packed >> w.h.ClusterBits
	switch {
	case w.packed != 0 && w.refs[last] == math.MaxUint16:
		room, w.packed = 0, 0 // as many pieces as can be counted
	case size > room && last != w.next-1:
		room, w.packed = 0, 0 // it would have to go on in a cluster that is taken
	}
	if w.packed == 0 {
		w.packed = w.take(1)
		room = cs
	} else {
		w.refs[last]++
	}
	p.offset = w.packed
	if size > room {
		w.take(1) // a compressed cluster is smaller than a cluster
	}
	w.packed += size
	if w.packed%cs == 0 {
		w.packed = 0
	}
	x := 62 - (w.h.ClusterBits - 8)
	sectors := uint64((p.offset+size-1)>>9 - p.offset>>9)
	w.setEntry(p.cluster, flagCompressed|sectors<<x|uint64(p.offset))
}

func (w *writer) setEntry(cluster int64, entry uint64) {
	index := cluster / w.h.perL2()
	table := w.l2[index]
	if table == nil {
		table = make([]byte, w.h.ClusterSize())
		w.l2[index] = table
	}
	binary.BigEndian.PutUint64(table[cluster%w.h.perL2()*8:], entry)
}

// write writes the pieces to their places, neighbours in one call.
func (b *batch) write(dst *os.File) error {
	for i := 0; i < len(b.pieces); {
		j, end := i+1, b.pieces[i].offset+int64(len(b.pieces[i].data))
		data := b.pieces[i].data
		for j < len(b.pieces) && b.pieces[j].offset == end && adjacent(data, b.pieces[j].data) {
			data = data[:len(data)+len(b.pieces[j].data)]
			end += int64(len(b.pieces[j].data))
			j++
		}
		if _, err := dst.WriteAt(data, b.pieces[i].offset); err != nil {
			return err
		}
		i = j
	}
	return nil
}

// adjacent tells whether b lies right behind a in memory.
func adjacent(a, b []byte) bool {
	if cap(a) < len(a)+len(b) || len(b) == 0 {
		return false
	}
	return &a[:len(a)+1][len(a)] == &b[0]
}

// finish writes the tables behind the data and the header before it.
func (w *writer) finish() error {
	l1 := make([]byte, w.h.l1Entries*8)
	for i := range int64(w.h.l1Entries) {
		table := w.l2[i]
		if table == nil {
			continue
		}
		offset := w.take(1)
		binary.BigEndian.PutUint64(l1[i*8:], uint64(offset)|flagCopied)
		if _, err := w.dst.WriteAt(table, offset); err != nil {
			return err
		}
	}
	if _, err := w.dst.WriteAt(l1, w.h.l1Offset); err != nil {
		return err
	}
	if err := w.writeRefcounts(); err != nil {
		return err
	}
	// Compressed data may end inside the last cluster of the file.
	if err := w.dst.Truncate(w.next << w.h.ClusterBits); err != nil {
		return err
	}
	_, err := w.dst.WriteAt(w.h.encode(), 0)
	return err
}

// writeRefcounts writes the refcount table and its blocks, which count
// themselves too.
func (w *writer) writeRefcounts() error {
	perBlock := w.h.ClusterSize() / 2
	var blocks, table int64
	for {
		total := w.next + blocks + table
		b := (total + perBlock - 1) / perBlock
		t := w.clustersFor(b * 8)
		if b == blocks && t == table {
			break
		}
		blocks, table = b, t
	}
	w.h.refClusters = table
	w.h.refOffset = w.take(table)
	first := w.take(blocks)
	tab := make([]byte, table<<w.h.ClusterBits)
	for i := range blocks {
		binary.BigEndian.PutUint64(tab[i*8:], uint64(first+i<<w.h.ClusterBits))
	}
	if _, err := w.dst.WriteAt(tab, w.h.refOffset); err != nil {
		return err
	}
	counts := make([]byte, blocks<<w.h.ClusterBits)
	for i, n := range w.refs {
		binary.BigEndian.PutUint16(counts[i*2:], n)
	}
	_, err := w.dst.WriteAt(counts, first)
	return err
}
