// SPDX-License-Identifier: GPL-3.0-or-later

// Package pkgfile reads and writes package archives (.pkg.tar.zst and its
// like): a tar archive that starts with .BUILDINFO, .MTREE, .PKGINFO and
// perhaps .CHANGELOG and .INSTALL, followed by the files of the package.
//
// Reading takes zstd, gzip, xz, bzip2 and plain tar, found by content, and
// guards against archives that are cut off, damaged or unpack without end.
// What an entry may do to a file system is the business of alpm/extract.
// Writing makes zstd, gzip or plain tar, the same bytes from the same input;
// there is no xz encoder. Signatures are files beside the archive and not
// handled here.
//
// The format is what makepkg makes: PKGBUILD(5), BUILDINFO(5), mtree(5).
package pkgfile

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// Limits guard against decompression bombs. Zero means the default.
type Limits struct {
	MaxSize    int64 // bytes after decompression, and the sum of all entries' sizes; default 64 GiB
	MaxEntries int   // default 4 million
}

const (
	defaultMaxSize    = 64 << 30
	defaultMaxEntries = 4 << 20
)

func (l Limits) withDefaults() Limits {
	if l.MaxSize <= 0 {
		l.MaxSize = defaultMaxSize
	}
	if l.MaxEntries <= 0 {
		l.MaxEntries = defaultMaxEntries
	}
	return l
}

// Reader walks a package archive from its start to its end.
type Reader struct {
	plain   io.ReadCloser
	raw     *meter
	tar     *tar.Reader
	lim     Limits
	entries int
	sizes   int64
	current string
	err     error // what ended the walk; sticky
}

// NewReader starts reading the archive r. Its decoder is released at the end
// of the archive or by Close.
func NewReader(r io.Reader, lim Limits) (*Reader, error) { return new(Decoders).NewReader(r, lim) }

// Close releases the decoder before the end was reached. It may be called
// more than once.
func (r *Reader) Close() error {
	if r.plain == nil {
		return nil
	}
	plain := r.plain
	r.plain = nil
	if r.err == nil {
		r.err = errClosed
	}
	return plain.Close()
}

// Next goes on to the next entry, the dot files of the package's own
// included. At the end, which it checks to be complete, it returns io.EOF.
func (r *Reader) Next() (*tar.Header, error) {
	if r.err != nil {
		return nil, r.err
	}
	h, err := r.tar.Next()
	if err == io.EOF {
		return nil, r.end()
	}
	if err != nil {
		return nil, r.fail(err)
	}
	r.current = h.Name
	r.entries++
	if r.entries > r.lim.MaxEntries {
		return nil, r.fail(fmt.Errorf("%w: more than %d entries", ErrTooLarge, r.lim.MaxEntries))
	}
	// A sparse entry's size costs no bytes in the archive, so it is counted apart.
	if h.Size > r.lim.MaxSize-r.sizes {
		return nil, r.fail(fmt.Errorf("%w: more than %d bytes", ErrTooLarge, r.lim.MaxSize))
	}
	r.sizes += h.Size
	return h, nil
}

// Read reads the content of the entry that Next returned.
func (r *Reader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	n, err := r.tar.Read(p)
	if err != nil && err != io.EOF {
		err = r.fail(err)
	}
	return n, err
}

// end reads what follows the archive's last entry: the checksum of the
// compressed stream is there, and an archive without its end mark was cut off
// between two entries.
func (r *Reader) end() error {
	r.current = ""
	marked := r.raw.zeros >= blockSize && r.raw.total%blockSize == 0
	if _, err := io.Copy(io.Discard, r.raw); err != nil {
		return r.fail(err)
	}
	if !marked {
		if r.raw.total == 0 {
			return r.fail(fmt.Errorf("%w: it is empty", ErrTruncated))
		}
		return r.fail(ErrTruncated)
	}
	r.err = io.EOF
	if err := r.closeDecoder(); err != nil {
		return r.fail(err)
	}
	return io.EOF
}

func (r *Reader) closeDecoder() error {
	if r.plain == nil {
		return nil
	}
	plain := r.plain
	r.plain = nil
	return plain.Close()
}

func (r *Reader) fail(err error) error {
	switch {
	case r.entries == 0 && (errors.Is(err, tar.ErrHeader) || errors.Is(err, io.ErrUnexpectedEOF)):
		err = ErrFormat
	case errors.Is(err, tar.ErrHeader), errors.Is(err, tar.ErrFieldTooLong):
		err = fmt.Errorf("%w: %w", ErrCorrupt, err)
	case errors.Is(err, io.ErrUnexpectedEOF):
		err = ErrTruncated
	}
	r.err = &Error{Entry: r.current, Err: err}
	_ = r.closeDecoder() // the error above is the one to tell
	return r.err
}

// meter counts what a decoder gives and stops it at a limit. It also counts
// the zero bytes at the end, as a tar archive has them.
type meter struct {
	r     io.Reader
	left  int64
	total int64
	zeros int // at the end of what was read so far
}

func (m *meter) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if int64(len(p)) > m.left {
		if m.left == 0 { // at the limit there may still be the end, which is fine
			n, err := m.r.Read(p[:1])
			if n > 0 {
				return 0, ErrTooLarge
			}
			return 0, err
		}
		p = p[:m.left]
	}
	n, err := m.r.Read(p)
	m.left -= int64(n)
	m.total += int64(n)
	if rest := len(bytes.TrimRight(p[:n], "\x00")); rest > 0 {
		m.zeros = n - rest
	} else {
		m.zeros += n
	}
	return n, err
}

// blockSize is that of tar.
const blockSize = 512
