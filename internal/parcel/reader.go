// SPDX-License-Identifier: GPL-3.0-or-later

package parcel

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// Reader reads a parcel piece by piece.
type Reader struct {
	Header Header
	From   int // pieces that are left out

	r      io.Reader
	unpack *zstd.Decoder
	at     Point
	size   int64
	end    *Trailer
	frame  []byte
	piece  []byte
	rest   []byte
}

// NewReader reads the beginning of a parcel. Where From is not 0, Continue must
// follow.
func NewReader(r io.Reader) (*Reader, error) {
	head := make([]byte, len(magic)+8)
	if err := full(r, head); err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(head, []byte(magic)) {
		return nil, &DamagedError{"it does not begin like one"}
	}
	text, err := readText(r, binary.LittleEndian.Uint32(head[len(magic)+4:]))
	if err != nil {
		return nil, err
	}
	p := &Reader{r: r, From: int(binary.LittleEndian.Uint32(head[len(magic):])), at: Point{Digest: sha256.Sum256(text)}}
	if err := json.Unmarshal(text, &p.Header); err != nil {
		return nil, &DamagedError{"its header is no JSON: " + err.Error()}
	}
	p.unpack, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(2*PieceSize))
	return p, err
}

// Continue says what the receiver has of the parcel: all up to a point.
func (p *Reader) Continue(at Point, size int64) error {
	if at.Pieces != p.From {
		return &DamagedError{fmt.Sprintf("it goes on after piece %d, and %d are here", p.From, at.Pieces)}
	}
	p.at, p.size = at, size
	return nil
}

// Point is how far it was read, and Size how many bytes of the stream that are.
func (p *Reader) Point() (at Point, size int64) { return p.at, p.size }

// Next reads a piece: its bytes as they were sent, and the part of the stream.
// Both are valid until the next call. io.EOF: the parcel is complete.
func (p *Reader) Next() (frame, piece []byte, err error) {
	if p.end != nil {
		return nil, nil, io.EOF
	}
	var lengths [8]byte
	if err := full(p.r, lengths[:]); err != nil {
		return nil, nil, err
	}
	packed, plain := binary.LittleEndian.Uint32(lengths[:]), binary.LittleEndian.Uint32(lengths[4:])
	if packed == 0 {
		return nil, nil, p.finish(plain)
	}
	if plain > PieceSize || packed > PieceSize+(64<<10) {
		return nil, nil, &DamagedError{fmt.Sprintf("piece %d is too long", p.at.Pieces+1)}
	}
	p.frame = append(append(p.frame[:0], lengths[:]...), make([]byte, 32+int(packed))...)
	if err := full(p.r, p.frame[8:]); err != nil {
		return nil, nil, err
	}
	p.piece, err = p.unpack.DecodeAll(p.frame[40:], p.piece[:0])
	if err != nil {
		return nil, nil, &DamagedError{fmt.Sprintf("piece %d: %v", p.at.Pieces+1, err)}
	}
	next := Point{Pieces: p.at.Pieces + 1, Digest: p.at.Digest.next(p.piece)}
	if len(p.piece) != int(plain) || !bytes.Equal(next.Digest[:], p.frame[8:40]) {
		return nil, nil, &DamagedError{fmt.Sprintf("piece %d is not what its digest says", next.Pieces)}
	}
	p.at = next
	p.size += int64(len(p.piece))
	return p.frame, p.piece, nil
}

// finish reads the end and holds it against what came.
func (p *Reader) finish(length uint32) error {
	text, err := readText(p.r, length)
	if err != nil {
		return err
	}
	var t Trailer
	if err := json.Unmarshal(text, &t); err != nil {
		return &DamagedError{"its end is no JSON: " + err.Error()}
	}
	if t != (Trailer{Pieces: p.at.Pieces, Size: p.size, Digest: p.at.Digest.String()}) {
		return &DamagedError{"its end tells of other pieces than those that came"}
	}
	p.end = &t
	return io.EOF
}

// Trailer is the end, once it was read.
func (p *Reader) Trailer() (Trailer, bool) {
	if p.end == nil {
		return Trailer{}, false
	}
	return *p.end, true
}

// Read unpacks the stream. io.EOF comes after the end was verified.
func (p *Reader) Read(b []byte) (int, error) {
	for len(p.rest) == 0 {
		_, piece, err := p.Next()
		if err != nil {
			return 0, err
		}
		p.rest = piece
	}
	n := copy(b, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

func readText(r io.Reader, length uint32) ([]byte, error) {
	if length > maxHeader {
		return nil, &DamagedError{"its header is too long"}
	}
	text := make([]byte, length)
	return text, full(r, text)
}

func full(r io.Reader, b []byte) error {
	_, err := io.ReadFull(r, b)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &DamagedError{"it stops before its end"}
	}
	return err
}
