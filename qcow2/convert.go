// SPDX-License-Identifier: GPL-3.0-or-later

package qcow2

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"syscall"
)

// Options say how an image is written.
type Options struct {
	ClusterBits int         // 9 to 21; 0 means 16 (64 KiB)
	Compression Compression // None, Deflate or Zstd
	Workers     int         // 0 means 2, or fewer on a machine with fewer CPUs
	// Progress, when not nil, is told now and then how many bytes of the disk
	// are done. It is called by one goroutine at a time.
	Progress func(done int64)
}

// NextData is what a source with holes offers: the next range at or after off
// that may hold other than zeros. Files and Images have one.
type NextData interface {
	NextData(off int64) (start, end int64, ok bool, err error)
}

// chunkSize is what a worker takes at a time; a multiple of every cluster size.
const chunkSize = 2 << 20

// Convert writes the disk src of size bytes into the empty file dst as a qcow2
// image that stands alone. Clusters of zeros and holes of src are left out. The
// header is written last: until then dst is no image. dst is not synced.
//
// The result depends on src and the options alone, not on the workers.
func Convert(ctx context.Context, src io.ReaderAt, size int64, dst *os.File, o Options) error {
	if o.ClusterBits == 0 {
		o.ClusterBits = 16
	}
	if o.ClusterBits < minClusterBits || o.ClusterBits > maxClusterBits || size < 0 {
		return fmt.Errorf("convert to qcow2: clusters of 2^%d bytes, a disk of %d", o.ClusterBits, size)
	}
	if o.Workers <= 0 {
		o.Workers = min(2, runtime.GOMAXPROCS(0))
	}
	w, err := newWriter(dst, (size+511)/512*512, o)
	if err != nil {
		return fmt.Errorf("convert to qcow2: %w", err)
	}
	if err := copyChunks(ctx, src, size, w, o); err != nil {
		return fmt.Errorf("convert to qcow2: %w", err)
	}
	if err := w.finish(); err != nil {
		return fmt.Errorf("convert to qcow2: write the tables: %w", err)
	}
	return nil
}

// chunk is one stretch of the disk; seq is its place in the order in which
// chunks get room in the file.
type chunk struct {
	seq        int
	start, end int64
}

// copyChunks hands the chunks that hold data to the workers.
func copyChunks(ctx context.Context, src io.ReaderAt, size int64, w *writer, o Options) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	work := make(chan chunk)
	var wg sync.WaitGroup
	for range o.Workers {
		wg.Go(func() {
			if err := w.work(ctx, src, work); err != nil {
				cancel(err)
				w.turns.abandon()
			}
		})
	}
	seq := 0
	err := eachChunk(src, size, func(start, end int64) error {
		select {
		case work <- chunk{seq, start, end}:
			seq++
			return nil
		case <-ctx.Done():
			w.turns.abandon()
			return context.Cause(ctx)
		}
	})
	close(work)
	wg.Wait()
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// eachChunk calls fn for the chunks of the disk that are not holes, in order.
func eachChunk(src io.ReaderAt, size int64, fn func(start, end int64) error) error {
	next := nextData(src, size)
	for at := int64(0); at < size; {
		start, _, ok, err := next(at)
		if err != nil {
			return fmt.Errorf("look for data: %w", err)
		}
		if !ok || start >= size {
			return nil
		}
		at = start / chunkSize * chunkSize
		if err := fn(at, min(at+chunkSize, size)); err != nil {
			return err
		}
		at += chunkSize
	}
	return nil
}

// Values of whence in lseek(2) that package io does not name.
const (
	seekData = 3
	seekHole = 4
)

func nextData(src io.ReaderAt, size int64) func(int64) (int64, int64, bool, error) {
	all := func(off int64) (int64, int64, bool, error) { return off, size, off < size, nil }
	switch s := src.(type) {
	case NextData:
		return s.NextData
	case *os.File:
		if _, err := s.Seek(0, seekData); err != nil && !errors.Is(err, syscall.ENXIO) {
			return all // a block device, or a file system without holes
		}
		return func(off int64) (int64, int64, bool, error) {
			start, err := s.Seek(off, seekData)
			if errors.Is(err, syscall.ENXIO) {
				return 0, 0, false, nil
			}
			return start, size, err == nil, err
		}
	}
	return all
}

// turns lets chunks pass one after the other, in their order.
type turns struct {
	mu   sync.Mutex
	cond *sync.Cond
	next int
	gone bool
}

func newTurns() *turns {
	t := &turns{}
	t.cond = sync.NewCond(&t.mu)
	return t
}

// take waits for the turn of seq and runs fn in it; false when the work was
// abandoned.
func (t *turns) take(seq int, fn func()) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.next != seq && !t.gone {
		t.cond.Wait()
	}
	if t.gone {
		return false
	}
	fn()
	t.next++
	t.cond.Broadcast()
	return true
}

func (t *turns) abandon() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.gone = true
	t.cond.Broadcast()
}

// work does chunks until there are no more.
func (w *writer) work(ctx context.Context, src io.ReaderAt, work <-chan chunk) error {
	p, err := newPacker(w.o.Compression, w.h.ClusterSize())
	if err != nil {
		return err
	}
	buf := make([]byte, chunkSize)
	var b batch
	for c := range work {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		part := buf[:c.end-c.start]
		if err := readFull(src, part, c.start); err != nil {
			return fmt.Errorf("read the disk at %d: %w", c.start, err)
		}
		// The last cluster is filled up with zeros.
		padded := buf[:(int64(len(part))+w.h.ClusterSize()-1)/w.h.ClusterSize()*w.h.ClusterSize()]
		clear(padded[len(part):])
		if err := b.fill(padded, c.start, w.h.ClusterBits, p); err != nil {
			return err
		}
		if !w.turns.take(c.seq, func() { w.place(&b, c.end) }) {
			return context.Cause(ctx)
		}
		if err := b.write(w.dst); err != nil {
			return err
		}
	}
	return nil
}

// readFull reads all of p; what lies past the end of the source reads as zeros.
func readFull(src io.ReaderAt, p []byte, off int64) error {
	n, err := src.ReadAt(p, off)
	if errors.Is(err, io.EOF) {
		clear(p[n:])
		return nil
	}
	return err
}
