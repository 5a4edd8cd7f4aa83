// SPDX-License-Identifier: GPL-3.0-or-later

package pkgfile

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/therootcompany/xz"
)

// maxWindow is the largest zstd window accepted: what `zstd --ultra -22`
// makes, and the largest that the zstd program itself takes unasked.
const maxWindow = 128 << 20

// maxXZDictionary is the same for xz: the dictionary of `xz -9`.
const maxXZDictionary = 64 << 20

// Decompress returns the content of r, unpacked if it starts like gzip, zstd,
// xz or bzip2, and as it is otherwise; names play no part. It decodes in the
// calling goroutine, since packages are worth decoding side by side but not
// inside. Close releases the decoder and leaves r open.
func Decompress(r io.Reader) (io.ReadCloser, error) { return new(Decoders).Decompress(r) }

// Decoders keeps decoders for the next archive: over many small packages, a
// quarter of the processor time and nearly all garbage go into new ones. The
// zero value is ready, and several goroutines may use it at once.
type Decoders struct {
	// Proven says that a checksum or signature of every archive was verified
	// just before: the weak one inside a zstd stream is then not computed once
	// more. It is set before the first use.
	Proven bool

	zstd sync.Pool
}

// NewReader is the function NewReader with decoders kept.
func (d *Decoders) NewReader(r io.Reader, lim Limits) (*Reader, error) {
	plain, err := d.Decompress(r)
	if err != nil {
		return nil, &Error{Err: err}
	}
	lim = lim.withDefaults()
	raw := &meter{r: plain, left: lim.MaxSize}
	return &Reader{plain: plain, raw: raw, tar: tar.NewReader(raw), lim: lim}, nil
}

// Decompress is the function Decompress with decoders kept.
func (d *Decoders) Decompress(r io.Reader) (io.ReadCloser, error) {
	src := &source{r: r}
	br := bufio.NewReaderSize(src, 64<<10)
	magic, err := br.Peek(6)
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("read the start of the archive: %w", err)
	}
	err = nil // a short file is for those to judge who know what it should be
	out := &decoder{src: src}
	switch {
	case bytes.HasPrefix(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}), isSkippable(magic):
		err = d.openZstd(out, br)
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		out.r, err = gzip.NewReader(br)
	case bytes.HasPrefix(magic, []byte{0xfd, '7', 'z', 'X', 'Z', 0}):
		out.r, err = xz.NewReader(br, maxXZDictionary)
	case bytes.HasPrefix(magic, []byte("BZh")):
		out.r = bzip2.NewReader(br)
	default:
		out.r, out.plain = br, true
	}
	if err != nil {
		return nil, fmt.Errorf("read the compressed stream's header: %w", src.classify(err))
	}
	return out, nil
}

func (d *Decoders) openZstd(out *decoder, r io.Reader) error {
	z, _ := d.zstd.Get().(*zstd.Decoder)
	if z == nil {
		var err error
		if z, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(maxWindow), zstd.IgnoreChecksum(d.Proven)); err != nil {
			return err
		}
	}
	if err := z.Reset(r); err != nil {
		return err
	}
	out.r = z
	out.release = func() {
		_ = z.Reset(nil) // lets go of the reader; its error is that there is none
		d.zstd.Put(z)
	}
	return nil
}

// isSkippable recognises the zstd frame that pzstd puts first.
func isSkippable(magic []byte) bool {
	return len(magic) >= 4 && magic[0]&0xf0 == 0x50 && magic[1] == 0x2a && magic[2] == 0x4d && magic[3] == 0x18
}

// source remembers an error of the file below a decoder, so that a failing
// disk is not taken for a damaged archive.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// classify turns the errors of the several decoders into those of this package.
func (s *source) classify(err error) error {
	switch {
	case s.err != nil:
		return s.err
	case errors.Is(err, io.ErrUnexpectedEOF), err == io.EOF, errors.Is(err, xz.ErrBuf):
		return ErrTruncated
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded),
		errors.Is(err, xz.ErrMemlimit):
		return fmt.Errorf("%w: %w", ErrTooLarge, err)
	}
	return fmt.Errorf("%w: %w", ErrCorrupt, err)
}

type decoder struct {
	r       io.Reader
	src     *source
	plain   bool // not compressed: errors are the file's
	release func()
	closed  bool
}

var errClosed = errors.New("read from a closed archive")

func (d *decoder) Read(p []byte) (int, error) {
	if d.closed {
		return 0, errClosed
	}
	n, err := d.r.Read(p)
	if err != nil && err != io.EOF && !d.plain {
		err = d.src.classify(err)
	}
	return n, err
}

func (d *decoder) Close() error {
	if !d.closed {
		d.closed = true // the decoder may be another's from here on
		if d.release != nil {
			d.release()
		}
	}
	return nil
}
