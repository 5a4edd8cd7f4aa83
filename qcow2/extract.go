// SPDX-License-Identifier: GPL-3.0-or-later

package qcow2

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
)

// Extract writes the disk of an image into the empty file dst, with holes where
// the image has nothing but zeros. dst is not synced.
func Extract(ctx context.Context, im *Image, dst *os.File) error {
	if err := dst.Truncate(im.Size); err != nil {
		return err
	}
	buf := make([]byte, chunkSize)
	const block = 64 << 10
	return eachChunk(im, im.Size, func(start, end int64) error {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if err := readFull(im, buf[:end-start], start); err != nil {
			return fmt.Errorf("read the disk at %d: %w", start, err)
		}
		for at := start; at < end; at += block {
			part := buf[at-start : min(at+block, end)-start]
			if len(part) >= 8 && isZero(part) {
				continue
			}
			if _, err := dst.WriteAt(part, at); err != nil {
				return err
			}
		}
		return nil
	})
}

// Stat is what an image holds, counted from its tables.
type Stat struct {
	Data       int64 // clusters with contents
	Compressed int64 // those of them that are compressed
	Zero       int64 // clusters that are said to be zeros
	Total      int64 // clusters of the disk
}

// Stat counts the clusters of the image itself, without its backing file.
func (im *Image) Stat() (Stat, error) {
	s := Stat{Total: (im.Size + im.ClusterSize() - 1) / im.ClusterSize()}
	for i := range im.l1Need() {
		table, err := im.table(i)
		if err != nil {
			return s, err
		}
		for at := int64(0); table != nil && at < im.perL2() && i*im.perL2()+at < s.Total; at++ {
			switch entry := binary.BigEndian.Uint64(table[at*8:]); {
			case entry&flagCompressed != 0:
				s.Data++
				s.Compressed++
			case entry&flagZero != 0 && im.Version >= 3:
				s.Zero++
			case entry&offsetMask != 0:
				s.Data++
			}
		}
	}
	return s, nil
}
