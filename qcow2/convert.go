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

// job is one stretch of the disk on its way: read and packed by a worker, then
// given its place and written, in the order of the disk. Jobs are used again.
type job struct {
	start, end int64
	buf        []byte
	batch      batch
	err        error
	ready      chan struct{}
}

// copyChunks reads and packs in parallel and writes in order. A few jobs more
// than workers are on their way, so that a slow one does not stop the others.
func copyChunks(ctx context.Context, src io.ReaderAt, size int64, w *writer, o Options) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	n := 3 * o.Workers
	free, work, order := make(chan *job, n), make(chan *job), make(chan *job, n)
	for range n {
		free <- &job{ready: make(chan struct{}, 1)}
	}
	var wg sync.WaitGroup
	for range o.Workers {
		p, err := newPacker(w.o.Compression, w.h.ClusterSize())
		if err != nil {
			close(work)
			return err
		}
		wg.Go(func() {
			for j := range work {
				j.err = j.read(ctx, src, w.h.ClusterBits, p)
				j.ready <- struct{}{}
			}
		})
	}
	wg.Go(func() {
		for j := range order {
			<-j.ready
			if err := w.write(ctx, j); err != nil {
				cancel(err)
			}
			free <- j
		}
	})
	err := eachChunk(src, size, func(start, end int64) error {
		select {
		case j := <-free:
			j.start, j.end = start, end
			order <- j
			work <- j
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	})
	close(work)
	close(order)
	wg.Wait()
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// read reads the stretch and packs what is not zero.
func (j *job) read(ctx context.Context, src io.ReaderAt, clusterBits int, p packer) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if j.buf == nil {
		j.buf = make([]byte, chunkSize)
	}
	size := int(j.end - j.start)
	if err := readFull(src, j.buf[:size], j.start); err != nil {
		return fmt.Errorf("read the disk at %d: %w", j.start, err)
	}
	// The last cluster of the disk is filled up with zeros.
	whole := (size + 1<<clusterBits - 1) >> clusterBits << clusterBits
	clear(j.buf[size:whole])
	return j.batch.fill(j.buf[:whole], j.start, clusterBits, p)
}

// write gives what a job found its place in the file.
func (w *writer) write(ctx context.Context, j *job) error {
	if j.err != nil {
		return j.err
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	w.place(&j.batch)
	if err := j.batch.write(w.dst); err != nil {
		return err
	}
	if w.o.Progress != nil {
		w.o.Progress(j.end)
	}
	return nil
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

// readFull reads all of p; what lies past the end of the source reads as zeros.
func readFull(src io.ReaderAt, p []byte, off int64) error {
	n, err := src.ReadAt(p, off)
	if errors.Is(err, io.EOF) {
		clear(p[n:])
		return nil
	}
	return err
}
