// SPDX-License-Identifier: GPL-3.0-or-later

package fat32

import (
	"encoding/binary"
	"errors"
	"fmt"
	"syscall"
)

const (
	entryMask  = 0x0fffffff // the upper four bits belong to nobody
	endOfChain = 0x0fffffff
	chainEnds  = 0x0ffffff8 // this and all above
)

// ErrDamaged is a file system whose tables contradict themselves.
var ErrDamaged = errors.New("the FAT32 file system is damaged (fsck.fat says more)")

func (f *FS) write(offset int64, b []byte) error {
	_, err := f.dev.WriteAt(b, offset)
	return err
}

func (f *FS) writeZeros(offset, size int64) error {
	zeros := make([]byte, min(size, 1<<20))
	for size > 0 {
		n := min(size, int64(len(zeros)))
		if err := f.write(offset, zeros[:n]); err != nil {
			return err
		}
		offset, size = offset+n, size-n
	}
	return nil
}

// loadTable reads the table in use into memory: 1 MiB for a gigabyte.
func (f *FS) loadTable() error {
	f.fat = make([]uint32, f.g.clusters+2)
	buf := make([]byte, 1<<16)
	start := int64(f.g.reserved+f.g.activeFAT*f.g.fatSectors) * sectorSize
	for i := 0; i < len(f.fat); {
		n := min(len(buf), 4*(len(f.fat)-i))
		if _, err := f.dev.ReadAt(buf[:n], start+4*int64(i)); err != nil {
			return fmt.Errorf("read the table: %w", err)
		}
		for j := 0; j < n; j += 4 {
			f.fat[i] = binary.LittleEndian.Uint32(buf[j:])
			i++
		}
	}
	f.free = 0
	for _, e := range f.fat[2:] {
		if e&entryMask == 0 {
			f.free++
		}
	}
	f.next = 2
	return nil
}

func (f *FS) set(cluster, value uint32) {
	old := f.fat[cluster]
	switch {
	case old&entryMask == 0 && value != 0:
		f.free--
	case old&entryMask != 0 && value == 0:
		f.free++
		f.next = min(f.next, cluster)
	}
	f.fat[cluster] = old&^entryMask | value
	f.dirty[cluster/128] = struct{}{}
}

func (f *FS) dirtyAll() {
	f.dirty = map[uint32]struct{}{}
	for i := range uint32(len(f.fat)+127) / 128 {
		f.dirty[i] = struct{}{}
	}
}

// flush writes the changed sectors of the table, in every copy, and the summary.
func (f *FS) flush() error {
	if len(f.dirty) == 0 {
		return nil
	}
	sector := make([]byte, sectorSize)
	for i := range f.dirty {
		clear(sector)
		for j, e := range f.fat[i*128 : min(int(i*128+128), len(f.fat))] {
			binary.LittleEndian.PutUint32(sector[4*j:], e)
		}
		for n := range f.g.fatCount {
			if !f.g.mirrorFATs && n != f.g.activeFAT {
				continue
			}
			if err := f.write(int64(f.g.reserved+n*f.g.fatSectors+i)*sectorSize, sector); err != nil {
				return fmt.Errorf("write the table: %w", err)
			}
		}
	}
	clear(f.dirty)
	if f.g.info == 0 {
		return nil
	}
	if err := f.write(int64(f.g.info)*sectorSize, infoBytes(f.free, f.next)); err != nil {
		return fmt.Errorf("write the summary: %w", err)
	}
	return nil
}

// chain lists the clusters of a file. limit bounds it: a loop in the table is
// longer than any file.
func (f *FS) chain(first uint32, limit int64) ([]uint32, error) {
	var out []uint32
	for c := first; c < chainEnds; c = f.fat[c] & entryMask {
		if c < 2 || int64(c) >= int64(len(f.fat)) || int64(len(out)) >= min(limit, int64(f.g.clusters)) {
			return nil, fmt.Errorf("%w: the chain from cluster %d breaks after %d", ErrDamaged, first, len(out))
		}
		out = append(out, c)
	}
	return out, nil
}

// allocate takes n free clusters, the lowest first, and links them. All or none.
func (f *FS) allocate(n int) ([]uint32, error) {
	if n == 0 {
		return nil, nil
	}
	if int64(n) > int64(f.free) {
		return nil, syscall.ENOSPC
	}
	out := make([]uint32, 0, n)
	for c := f.next; len(out) < n && int(c) < len(f.fat); c++ {
		if f.fat[c]&entryMask == 0 {
			out = append(out, c)
		}
	}
	if len(out) < n {
		return nil, syscall.ENOSPC
	}
	for i, c := range out {
		if i+1 < n {
			f.set(c, out[i+1])
		} else {
			f.set(c, endOfChain)
		}
	}
	f.next = out[n-1] + 1
	return out, nil
}

func (f *FS) release(clusters []uint32) {
	for _, c := range clusters {
		f.set(c, 0)
	}
}

// runs calls fn for each stretch of neighbours in a chain: its offset on the
// device and where it lies in the file.
func (f *FS) runs(clusters []uint32, fn func(offset int64, from, to int) error) error {
	for i := 0; i < len(clusters); {
		j := i + 1
		for j < len(clusters) && clusters[j] == clusters[j-1]+1 {
			j++
		}
		if err := fn(f.g.clusterOffset(clusters[i]), i*f.g.clusterSize, j*f.g.clusterSize); err != nil {
			return err
		}
		i = j
	}
	return nil
}

func (f *FS) readClusters(clusters []uint32, size int) ([]byte, error) {
	data := make([]byte, size)
	err := f.runs(clusters, func(offset int64, from, to int) error {
		if from >= size {
			return nil
		}
		_, err := f.dev.ReadAt(data[from:min(to, size)], offset)
		return err
	})
	return data, err
}

// writeClusters writes data and zeros up to the end of the last cluster.
func (f *FS) writeClusters(clusters []uint32, data []byte) error {
	return f.runs(clusters, func(offset int64, from, to int) error {
		part := data[min(from, len(data)):min(to, len(data))]
		if err := f.write(offset, part); err != nil {
			return err
		}
		if rest := (to - from) - len(part); rest > 0 {
			return f.writeZeros(offset+int64(len(part)), int64(rest))
		}
		return nil
	})
}
