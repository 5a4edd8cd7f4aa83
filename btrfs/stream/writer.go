// SPDX-License-Identifier: GPL-3.0-or-later

package stream

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Writer writes the commands of a stream, each with one Write call.
type Writer struct {
	w       io.Writer
	version int
	buf     []byte
}

// NewWriter writes the header of a stream.
func NewWriter(w io.Writer, version int) (*Writer, error) {
	if version < MinVersion || version > MaxVersion {
		return nil, fmt.Errorf("write a btrfs send stream: version %d of the protocol is not known", version)
	}
	_, err := w.Write(binary.LittleEndian.AppendUint32([]byte(magic), uint32(version)))
	return &Writer{w: w, version: version}, err
}

// Write adds a command. One made by hand needs no Attrs unless it is to have
// optional ones. The stream is whole after an End.
func (s *Writer) Write(c *Command) error {
	check := *c
	check.Attrs = c.attrs(s.version)
	if err := check.check(s.version); err != nil {
		return fmt.Errorf("write a btrfs send stream: %w", err)
	}
	b, err := check.append(s.buf[:0], s.version)
	if err != nil {
		return err
	}
	s.buf = b
	_, err = s.w.Write(b)
	return err
}
