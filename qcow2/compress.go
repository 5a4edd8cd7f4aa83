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

func (p zstdPacker) pack(dst, cluster []byte) ([]byte, error) { return p.e.EncodeAll(cluster, dst), nil }

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

// unpack decompresses one cluster into dst, filling it. src may go on after
// the end of the data: the length in an image counts whole sectors.
func unpack(c Compression, dst, src []byte) error {
	var r io.Reader
	switch c {
	case Deflate:
		f := flate.NewReader(bytes.NewReader(src))
		defer f.Close()
		r = f
	case Zstd:
		d, err := zstd.NewReader(bytes.NewReader(src), zstd.WithDecoderConcurrency(1),
			zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(1<<maxClusterBits<<3))
		if err != nil {
			return badf("a compressed cluster: %v", err)
		}
		defer d.Close()
		r = d
	default:
		return fmt.Errorf("%w: %v", ErrUnsupported, c)
	}
	if _, err := io.ReadFull(r, dst); err != nil {
		return badf("a compressed cluster does not decompress: %v", err)
	}
	return nil
}
