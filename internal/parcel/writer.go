// SPDX-License-Identifier: GPL-3.0-or-later

package parcel

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// Writer packs a stream that is written to it.
type Writer struct {
	w      io.Writer
	head   []byte // not written yet
	pack   *zstd.Encoder
	after  Point // pieces up to here are not written, only held against its digest
	at     Point
	size   int64
	piece  []byte
	packed []byte
}

// NewWriter begins a parcel, or goes on after the pieces that the receiver has:
// the zero Point for none. What is written to it is the whole stream in any case;
// nothing is written by it before it came to what the receiver has.
func NewWriter(w io.Writer, h Header, after Point) (*Writer, error) {
	text, err := json.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("pack node %s: %w", h.ID, err)
	}
	// At this level packing keeps pace with a disk; it mostly finds data that
	// btrfs has compressed already.
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	head := binary.LittleEndian.AppendUint32([]byte(magic), uint32(after.Pieces))
	head = binary.LittleEndian.AppendUint32(head, uint32(len(text)))
	return &Writer{
		w: w, head: append(head, text...), pack: enc, after: after, at: Point{Digest: sha256.Sum256(text)}, piece: make([]byte, 0, PieceSize),
	}, nil
}

// Write takes a part of the stream.
func (p *Writer) Write(b []byte) (int, error) {
	n := len(b)
	for len(b) > 0 {
		room := min(PieceSize-len(p.piece), len(b))
		p.piece, b = append(p.piece, b[:room]...), b[room:]
		if len(p.piece) == PieceSize {
			if err := p.flush(); err != nil {
				return 0, err
			}
		}
	}
	return n, nil
}

func (p *Writer) flush() error {
	if len(p.piece) == 0 {
		return nil
	}
	p.at = Point{Pieces: p.at.Pieces + 1, Digest: p.at.Digest.next(p.piece)}
	p.size += int64(len(p.piece))
	defer func() { p.piece = p.piece[:0] }()
	switch {
	case p.at.Pieces < p.after.Pieces:
		return nil
	case p.at.Pieces == p.after.Pieces:
		if p.at.Digest != p.after.Digest {
			return &DivergedError{At: p.after}
		}
		return nil
	}
	frame := append(p.packed[:0], make([]byte, 40)...)
	frame = p.pack.EncodeAll(p.piece, frame)
	p.packed = frame
	binary.LittleEndian.PutUint32(frame, uint32(len(frame)-40))
	binary.LittleEndian.PutUint32(frame[4:], uint32(len(p.piece)))
	copy(frame[8:], p.at.Digest[:])
	return p.write(frame)
}

func (p *Writer) write(b []byte) error {
	if p.head != nil {
		if _, err := p.w.Write(p.head); err != nil {
			return err
		}
		p.head = nil
	}
	_, err := p.w.Write(b)
	return err
}

// Close writes what is left, and the end. A parcel without it is not complete.
func (p *Writer) Close() (Trailer, error) {
	if err := p.flush(); err != nil {
		return Trailer{}, err
	}
	if p.at.Pieces < p.after.Pieces {
		return Trailer{}, &DivergedError{At: p.after}
	}
	t := Trailer{Pieces: p.at.Pieces, Size: p.size, Digest: p.at.Digest.String()}
	text, err := json.Marshal(t)
	if err != nil {
		return t, err
	}
	return t, p.write(endFrame(text))
}

// endFrame stands after the last piece.
func endFrame(text []byte) []byte {
	return append(binary.LittleEndian.AppendUint32(make([]byte, 4), uint32(len(text))), text...)
}
