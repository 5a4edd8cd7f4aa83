// SPDX-License-Identifier: GPL-3.0-or-later

package pkgfile

import (
	"bytes"
	"fmt"
	"io"
	"os"
)

// inMemory is how much of a package waits in memory before a file is used.
const inMemory = 4 << 20

// spool keeps content until its place in the archive has come.
type spool struct {
	dir  string
	mem  []byte // everything, while there is no file
	file *os.File
	size int64
}

// add takes exactly size bytes and returns where they begin.
func (s *spool) add(r io.Reader, size int64) (offset int64, err error) {
	if size < 0 {
		return 0, fmt.Errorf("%w: a negative size", ErrWrite)
	}
	if s.file == nil && s.size+size > inMemory {
		if err := s.spill(); err != nil {
			return 0, err
		}
	}
	offset = s.size
	var n int64
	if s.file != nil {
		n, err = io.CopyN(io.NewOffsetWriter(s.file, offset), r, size)
	} else {
		buf := bytes.NewBuffer(s.mem)
		n, err = io.CopyN(buf, r, size)
		s.mem = buf.Bytes()[:offset+n]
	}
	if err == io.EOF {
		return 0, fmt.Errorf("%w: %d bytes where %d were announced", io.ErrUnexpectedEOF, n, size)
	}
	if err != nil {
		return 0, fmt.Errorf("hold back its content: %w", err)
	}
	s.size += n
	return offset, nil
}

// spill moves to a temporary file, which has no name as soon as it is open.
func (s *spool) spill() error {
	f, err := os.CreateTemp(s.dir, "package-*")
	if err != nil {
		return fmt.Errorf("create a temporary file: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		_ = f.Close()
		return fmt.Errorf("unlink a temporary file: %w", err)
	}
	if _, err := f.Write(s.mem); err != nil {
		_ = f.Close()
		return fmt.Errorf("hold back content: %w", err)
	}
	s.file, s.mem = f, nil
	return nil
}

func (s *spool) section(offset, size int64) io.Reader {
	if s.file != nil {
		return io.NewSectionReader(s.file, offset, size)
	}
	return bytes.NewReader(s.mem[offset : offset+size])
}

func (s *spool) close() {
	if s.file != nil {
		_ = s.file.Close() // unlinked already: nothing of it stays
	}
	s.file, s.mem = nil, nil
}
