// SPDX-License-Identifier: GPL-3.0-or-later

// Package cpio reads and writes the archive that Linux unpacks as initramfs:
// SVR4 "newc" without checksums. The format is in the kernel's
// Documentation/driver-api/early-userspace/buffer-format.rst.
//
// Implemented: folders, files, symbolic links and device nodes, all owned by
// root. Not implemented: hard links, the checksum variant ("070702"), and
// several archives in one stream.
package cpio

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
	"time"
)

// The types in Entry.Mode.
const (
	TypeMask = 0o170000
	Folder   = 0o040000
	Regular  = 0o100000
	Link     = 0o120000
	CharDev  = 0o020000
	BlockDev = 0o060000
)

// Entry is one member. Data is a file's content or a link's target.
type Entry struct {
	Name         string // without leading slash
	Mode         uint32 // type and permissions
	Major, Minor uint32 // of a device node
	Data         []byte
}

const (
	magic   = "070701"
	trailer = "TRAILER!!!"

	headerSize = 110
	maxName    = 4096
	maxData    = 1 << 30
)

// ErrFormat is wrapped by errors about what is no archive of this kind.
var ErrFormat = errors.New("not a cpio archive (newc)")

// Writer writes an archive: the same entries give the same bytes.
type Writer struct {
	w     io.Writer
	mtime int64
	inode uint32
	at    int64
}

// NewWriter returns a writer that gives all members the same time.
func NewWriter(w io.Writer, mtime time.Time) *Writer {
	return &Writer{w: w, mtime: max(0, mtime.Unix())}
}

// Add writes one member. The kernel wants a folder before what is in it.
func (w *Writer) Add(e Entry) error {
	if e.Name == "" || e.Name != strings.TrimPrefix(path.Clean("/"+e.Name), "/") ||
		len(e.Name) >= maxName || strings.ContainsRune(e.Name, 0) || e.Name == trailer {
		return fmt.Errorf("cpio: %q cannot be a member's name", e.Name)
	}
	if len(e.Data) > maxData {
		return fmt.Errorf("cpio: %s: too large", e.Name)
	}
	w.inode++
	links := uint32(1)
	if e.Mode&TypeMask == Folder {
		links = 2
	}
	return w.member(e, w.inode, links, w.mtime)
}

// Close writes the end of the archive.
func (w *Writer) Close() error { return w.member(Entry{Name: trailer}, 0, 1, 0) }

func (w *Writer) member(e Entry, inode, links uint32, mtime int64) error {
	header := magic
	for _, v := range []uint32{
		inode, e.Mode, 0, 0, links, uint32(mtime), uint32(len(e.Data)),
		0, 0, e.Major, e.Minor, uint32(len(e.Name) + 1), 0,
	} {
		header += fmt.Sprintf("%08X", v)
	}
	for _, part := range []string{header + e.Name + "\x00", string(e.Data)} {
		n, err := io.WriteString(w.w, part+strings.Repeat("\x00", padding(w.at+int64(len(part)))))
		w.at += int64(n)
		if err != nil {
			return fmt.Errorf("cpio: write %s: %w", e.Name, err)
		}
	}
	return nil
}

// padding is what is missing to a multiple of four.
func padding(n int64) int { return int(-n & 3) }

// Reader reads an archive.
type Reader struct {
	r  *bufio.Reader
	at int64
}

// NewReader returns a reader of the members of r.
func NewReader(r io.Reader) *Reader { return &Reader{r: bufio.NewReader(r)} }

// Next returns the next member, and io.EOF after the last one.
func (r *Reader) Next() (Entry, error) {
	header, err := r.take(headerSize, false)
	if err != nil {
		return Entry{}, err
	}
	if string(header[:6]) != magic {
		return Entry{}, fmt.Errorf("%w: a member begins with %q", ErrFormat, header[:6])
	}
	var field [13]uint32
	for i := range field {
		v, err := strconv.ParseUint(string(header[6+8*i:14+8*i]), 16, 32)
		if err != nil {
			return Entry{}, fmt.Errorf("%w: field %d: %w", ErrFormat, i, err)
		}
		field[i] = uint32(v)
	}
	size, nameSize := field[6], field[11]
	if nameSize < 2 || nameSize > maxName || size > maxData {
		return Entry{}, fmt.Errorf("%w: a name of %d and content of %d bytes", ErrFormat, nameSize, size)
	}
	name, err := r.take(int(nameSize), true)
	if err != nil {
		return Entry{}, err
	}
	e := Entry{Name: strings.TrimRight(string(name), "\x00"), Mode: field[1], Major: field[9], Minor: field[10]}
	if e.Name == trailer {
		return Entry{}, io.EOF
	}
	e.Data, err = r.take(int(size), true)
	return e, err
}

// take reads n bytes, and what pads them.
func (r *Reader) take(n int, pad bool) ([]byte, error) {
	var b strings.Builder // grows with what is really there
	if _, err := io.CopyN(&b, r.r, int64(n)); err != nil {
		return nil, fmt.Errorf("%w: cut short: %w", ErrFormat, err)
	}
	r.at += int64(n)
	if pad {
		skip, err := r.r.Discard(padding(r.at))
		r.at += int64(skip)
		if err != nil {
			return nil, fmt.Errorf("%w: cut short: %w", ErrFormat, err)
		}
	}
	if n == 0 {
		return nil, nil
	}
	return []byte(b.String()), nil
}
