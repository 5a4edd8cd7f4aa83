// SPDX-License-Identifier: GPL-3.0-or-later

package receive

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	lzo "github.com/anchore/go-lzo"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"

	"github.com/rastos/rastos/btrfs"
	"github.com/rastos/rastos/btrfs/stream"
)

var errLength = errors.New("an offset or a length is beyond what a file can have")

// content carries out what changes what a file contains.
func (a *applier) content(c *stream.Command) error {
	for _, n := range []uint64{c.FileOffset, c.Size, c.CloneLen, c.CloneOffset, c.UnencodedFileLen} {
		if n > math.MaxInt64/2 {
			return errLength
		}
	}
	f, err := a.file(c.Path)
	if err != nil {
		return err
	}
	switch c.Kind {
	case stream.Write:
		return a.write(f, c.Data, int64(c.FileOffset))
	case stream.EncodedWrite:
		return a.encoded(f, c)
	case stream.Truncate:
		return f.Truncate(int64(c.Size))
	case stream.Fallocate:
		return unix.Fallocate(int(f.Fd()), c.FallocateMode, int64(c.FileOffset), int64(c.Size))
	}
	root, known := a.sources[c.CloneUUID]
	if !known {
		return errSource
	}
	src, err := a.source(root, c.ClonePath)
	if err != nil {
		return fmt.Errorf("clone from %q: %w", c.ClonePath, err)
	}
	defer src.Close()
	return unix.IoctlFileCloneRange(int(f.Fd()), &unix.FileCloneRange{
		Src_fd: int64(src.Fd()), Src_offset: c.CloneOffset, Src_length: c.CloneLen, Dest_offset: c.FileOffset,
	})
}

func (a *applier) write(f *os.File, data []byte, offset int64) error {
	n, err := f.WriteAt(data, offset)
	a.written += int64(n)
	return err
}

// encoded hands compressed data to the kernel, or decodes it.
func (a *applier) encoded(f *os.File, c *stream.Command) error {
	if !a.decode {
		err := btrfs.WriteEncoded(f, btrfs.Encoded{
			Data: c.Data, Offset: int64(c.FileOffset), Length: c.UnencodedFileLen,
			Unencoded: c.UnencodedLen, Skip: c.UnencodedOffset,
			Compression: uint32(c.Compression), Encryption: c.Encryption,
		})
		if err == nil {
			a.written += int64(c.UnencodedFileLen)
			return nil
		}
		// An older kernel, other sectors, no room for the extent in one piece.
		if !errors.Is(err, unix.ENOTTY) && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOSPC) {
			return err
		}
	}
	plain, err := decode(c)
	if err != nil {
		return err
	}
	return a.write(f, plain, int64(c.FileOffset))
}

// maxDecoded is what btrfs compresses in one piece.
const maxDecoded = 128 << 10

// decode returns the bytes of the file that a command stands for. What the
// compressed data does not reach is zero.
func decode(c *stream.Command) ([]byte, error) {
	if c.Encryption != 0 {
		return nil, errors.New("encrypted data is not known")
	}
	if c.UnencodedLen > maxDecoded || c.UnencodedOffset > c.UnencodedLen || c.UnencodedFileLen > c.UnencodedLen-c.UnencodedOffset {
		return nil, errLength
	}
	out := make([]byte, c.UnencodedLen)
	var err error
	switch {
	case c.Compression == stream.NoCompression:
		copy(out, c.Data)
	case c.Compression == stream.Zlib:
		var r io.ReadCloser
		if r, err = zlib.NewReader(bytes.NewReader(c.Data)); err == nil {
			err = readUpTo(r, out)
		}
	case c.Compression == stream.Zstd:
		var r *zstd.Decoder
		if r, err = zstd.NewReader(bytes.NewReader(c.Data), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxDecoded)); err == nil {
			err = readUpTo(r, out)
			r.Close()
		}
	case c.Compression >= stream.LZO4K && c.Compression <= stream.LZO64K:
		err = unLZO(c.Data, out, 4096<<(c.Compression-stream.LZO4K))
	default:
		err = fmt.Errorf("compression %d is not known", c.Compression)
	}
	if err != nil {
		return nil, fmt.Errorf("decode: %w", err)
	}
	return out[c.UnencodedOffset : c.UnencodedOffset+c.UnencodedFileLen], nil
}

// readUpTo fills out as far as there is something.
func readUpTo(r io.Reader, out []byte) error {
	_, err := io.ReadFull(r, out)
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || errors.Is(err, zstd.ErrMagicMismatch) {
		return nil // what pads the data to whole sectors looks like a bad frame
	}
	return err
}

var errLZO = errors.New("the lzo data is damaged")

// unLZO undoes the kernel's framing (fs/btrfs/lzo.c): the whole length, then
// pieces of a sector each behind their lengths; a length never crosses the end of
// a sector.
func unLZO(data, out []byte, sector int) error {
	le := binary.LittleEndian
	if len(data) < 4 {
		return errLZO
	}
	total := int(le.Uint32(data))
	if total > len(data) || total < 4 {
		return errLZO
	}
	at, done := 4, 0
	for at < total && done < len(out) {
		if left := sector - at%sector; left < 4 {
			at += left
		}
		if at+4 > total {
			return errLZO
		}
		n := int(le.Uint32(data[at:]))
		at += 4
		if n > total-at {
			return errLZO
		}
		m, err := lzo.Decompress(data[at:at+n], out[done:min(done+sector, len(out))])
		if err != nil {
			return fmt.Errorf("lzo: %w", err)
		}
		at += n
		done += m
	}
	return nil
}
