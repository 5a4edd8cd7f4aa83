// SPDX-License-Identifier: GPL-3.0-or-later

package qcow2

import (
	"bytes"
	"fmt"
	"io"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zstd"
)

// deflateWindow is all that QEMU's reader keeps (inflateInit2 with 12 bits).
const deflateWindow = 4096

// packer compresses one cluster after the other; it belongs to one goroutine.
type packer interface {
	// pack appends the compressed form of a cluster to dst.
	pack(dst, cluster []byte) ([]byte, error)
}

func newPacker(c Compression, clusterSize int64) (packer, error) {
	switch c {
	case Deflate:
		w, err := flate.NewWriterWindow(nil, deflateWindow)
		if err != nil {
			return nil, err
		}
		return &deflatePacker{w}, nil
	case Zstd:
		// No checksum: QEMU wants the frame to end with its contents.
		e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false),
			zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(int(max(clusterSize, zstd.MinWindowSize))), zstd.WithSingleSegment(true))
		if err != nil {
			return nil, err
		}
		return zstdPacker{e}, nil
	}
	return nil, nil
}

type zstdPacker struct{ e *zstd.Encoder }

func (p zstdPacker) pack(dst, cluster []byte) ([]byte, error) {
	return p.e.EncodeAll(cluster, dst), nil
}

type deflatePacker struct{ w *flate.Writer }

func (p *deflatePacker) pack(dst, cluster []byte) ([]byte, error) {
	buf := bytes.NewBuffer(dst)
	p.w.Reset(buf)
	if _, err := p.w.Write(cluster); err != nil {
		return nil, err
	}
	if err := p.w.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// unpacker decompresses clusters; it belongs to one goroutine at a time.
type unpacker struct {
	flate io.ReadCloser
	zstd  *zstd.Decoder
}

func newUnpacker(c Compression) (*unpacker, error) {
	switch c {
	case Deflate:
		return &unpacker{flate: flate.NewReader(nil)}, nil
	case Zstd:
		// The window is bounded, so that a frame cannot ask for gigabytes.
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		return &unpacker{zstd: d}, err
	}
	return nil, fmt.Errorf("%w: %v", ErrUnsupported, c)
}

const maxWindow = 16 << 20

// unpack decompresses one cluster into dst, filling it. src may go on after
// the end of the data: the length in an image counts whole sectors.
func (u *unpacker) unpack(dst, src []byte) error {
	var r io.Reader = u.zstd
	var err error
	if u.flate != nil {
		r, err = u.flate, u.flate.(flate.Resetter).Reset(bytes.NewReader(src), nil)
	} else {
		err = u.zstd.Reset(bytes.NewReader(src))
	}
	if err == nil {
		_, err = io.ReadFull(r, dst)
	}
	if err != nil {
		return badf("a compressed cluster does not decompress: %v", err)
	}
	return nil
}
