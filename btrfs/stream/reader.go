// SPDX-License-Identifier: GPL-3.0-or-later

package stream

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// Versions of the protocol that this package speaks.
const (
	MinVersion = 1
	MaxVersion = 2
)

const (
	magic = "btrfs-stream\x00"
	// maxBody bounds what a stranger's stream makes us hold: the kernel's own
	// commands stay below 200 KiB.
	maxBody = 16 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum is the CRC-32C of a command, with the field of the checksum as zero.
// The kernel neither starts with ones nor inverts the end.
func checksum(command []byte) uint32 {
	sum := crc32.Update(^uint32(0), castagnoli, command[:6])
	sum = crc32.Update(sum, castagnoli, make([]byte, 4))
	return ^crc32.Update(sum, castagnoli, command[headerSize:])
}

// Reader reads the commands of a stream.
type Reader struct {
	r       *bufio.Reader
	version int
	offset  int64
	buf     []byte
	ended   bool
	cmd     Command
}

// NewReader reads the header of a stream.
func NewReader(r io.Reader) (*Reader, error) {
	s := &Reader{r: bufio.NewReaderSize(r, 256<<10)}
	if err := s.header(); err != nil {
		if errors.Is(err, io.EOF) {
			err = &FormatError{What: "there is nothing"}
		}
		return nil, err
	}
	return s, nil
}

// Version is the protocol's, 1 or 2.
func (s *Reader) Version() int { return s.version }

// header reads magic and version. io.EOF: there is not a single byte more.
func (s *Reader) header() error {
	var head [len(magic) + 4]byte
	n, err := io.ReadFull(s.r, head[:])
	if err == io.EOF {
		return io.EOF
	}
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	if n < len(head) || !bytes.HasPrefix(head[:], []byte(magic)) {
		return &FormatError{s.offset, "it does not begin like a send stream"}
	}
	v := binary.LittleEndian.Uint32(head[len(magic):])
	if v < MinVersion || v > MaxVersion {
		return &FormatError{s.offset, fmt.Sprintf("version %d of the protocol is not known; %d to %d are", v, MinVersion, MaxVersion)}
	}
	s.version, s.ended = int(v), false
	s.offset += int64(n)
	return nil
}

// Next reads one command; it and its bytes are valid until the following call.
// The last command of a stream is End; then io.EOF, unless NextStream finds
// another. A stream that stops before that is a *FormatError.
func (s *Reader) Next() (*Command, error) {
	if s.ended {
		return nil, io.EOF
	}
	if cap(s.buf) < headerSize {
		s.buf = make([]byte, headerSize, 64<<10)
	}
	s.buf = s.buf[:headerSize]
	if err := s.fill(s.buf); err != nil {
		return nil, err
	}
	size := int(binary.LittleEndian.Uint32(s.buf))
	if size > maxBody {
		return nil, &FormatError{s.offset, fmt.Sprintf("a command of %d bytes is longer than any", size)}
	}
	if err := s.body(size); err != nil {
		return nil, err
	}
	kind := Kind(binary.LittleEndian.Uint16(s.buf[4:]))
	if got, want := checksum(s.buf), binary.LittleEndian.Uint32(s.buf[6:]); got != want {
		return nil, &FormatError{s.offset, fmt.Sprintf("the checksum of %s is %08x, not %08x", kind, got, want)}
	}
	s.cmd = Command{Kind: kind, Attrs: s.cmd.Attrs[:0]}
	err := s.cmd.decodeAttrs(s.buf[headerSize:], s.version)
	if err == nil {
		err = s.cmd.check(s.version)
	}
	if err != nil {
		return nil, &FormatError{s.offset, fmt.Sprintf("%s: %v", kind, err)}
	}
	s.offset += int64(len(s.buf))
	s.ended = kind == End
	return &s.cmd, nil
}

// body reads what follows the header of a command, growing with what is really
// there: a length is only a claim.
func (s *Reader) body(size int) error {
	const step = 256 << 10
	for got := 0; got < size; {
		n := min(step, size-got)
		end := headerSize + got + n
		if cap(s.buf) < end {
			bigger := make([]byte, end, max(end, 2*cap(s.buf)))
			copy(bigger, s.buf)
			s.buf = bigger
		}
		s.buf = s.buf[:end]
		if err := s.fill(s.buf[headerSize+got:]); err != nil {
			return err
		}
		got += n
	}
	return nil
}

func (s *Reader) fill(b []byte) error {
	_, err := io.ReadFull(s.r, b)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &FormatError{s.offset, "it stops before its end"}
	}
	return err
}

// NextStream goes on to the stream after an End: false where there is none.
func (s *Reader) NextStream() (bool, error) {
	if !s.ended {
		return false, &FormatError{s.offset, "the stream before has not ended"}
	}
	err := s.header()
	if err == io.EOF {
		return false, nil
	}
	return err == nil, err
}
