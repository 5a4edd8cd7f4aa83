// SPDX-License-Identifier: GPL-3.0-or-later

package pkgfile

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"

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
func Decompress(r io.Reader) (io.ReadCloser, error) {
	src := &source{r: r}
	br := bufio.NewReaderSize(src, 64<<10)
	magic, err := br.Peek(6)
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("read the start of the archive: %w", err)
	}
	var (
		d       io.Reader
		release = io.NopCloser(nil)
	)
	switch {
	case bytes.HasPrefix(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}), isSkippable(magic):
		var z *zstd.Decoder
		if z, err = zstd.NewReader(br, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(maxWindow)); err == nil {
			d, release = z, z.IOReadCloser()
		}
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		d, err = gzip.NewReader(br)
	case bytes.HasPrefix(magic, []byte{0xfd, '7', 'z', 'X', 'Z', 0}):
		d, err = xz.NewReader(br, maxXZDictionary)
	case bytes.HasPrefix(magic, []byte("BZh")):
		d = bzip2.NewReader(br)
	default:
		return io.NopCloser(br), nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the compressed stream's header: %w", src.classify(err))
	}
	return decoder{d, release, src}, nil
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
	r io.Reader
	io.Closer
	src *source
}

func (d decoder) Read(p []byte) (int, error) {
	n, err := d.r.Read(p)
	if err != nil && err != io.EOF {
		err = d.src.classify(err)
	}
	return n, err
}
