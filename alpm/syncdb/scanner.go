// SPDX-License-Identifier: GPL-3.0-or-later

package syncdb

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/rastos/rastos/alpm/pkgfile"
)

// scanner walks the regular files of a tar archive. archive/tar does too, but
// makes some twenty pieces of garbage for each entry, which for a database of
// 60,000 packages takes longer than parsing them. Only names and sizes are
// read: ustar, PAX ("path", "size") and GNU long names.
type scanner struct {
	r       *bufio.Reader
	lim     Limits
	total   int64
	entries int
	pending int64 // bytes of the current entry, padding included, not read yet
	path    []byte
	long    []byte // name from a PAX or GNU record, for the next entry
	longOK  bool
	size    int64 // from a PAX record, or -1
}

const block = 512

func newScanner(r io.Reader, lim Limits) *scanner {
	return &scanner{r: bufio.NewReaderSize(r, 256<<10), lim: lim, size: -1}
}

// next goes on to the next regular file. The path is valid until the next call.
func (s *scanner) next() (path string, size int64, err error) {
	for {
		if err := s.skip(s.pending); err != nil {
			return "", 0, err
		}
		h, err := s.header()
		if err != nil {
			return "", 0, err
		}
		size, err := s.entrySize(h)
		if err != nil {
			return "", 0, err
		}
		s.pending = size + (block-size%block)%block
		typ := h[156]
		switch typ {
		case 'x', 'L':
			if err := s.extension(typ, size); err != nil {
				return "", 0, err
			}
			continue
		case 'g', 'K', 'V': // of the whole archive; long link name; volume label
			continue
		}
		s.path = s.entryPath(s.path[:0], h)
		s.longOK, s.size = false, -1
		if typ == '0' || typ == 0 || typ == '7' {
			return string(s.path), size, nil
		}
	}
}

// header reads the next header, or io.EOF at a complete end.
func (s *scanner) header() ([]byte, error) {
	h, err := s.r.Peek(block)
	if err != nil {
		if err == io.EOF {
			if s.total == 0 && len(h) == 0 {
				return nil, fmt.Errorf("%w: it is empty", pkgfile.ErrTruncated)
			}
			if s.entries == 0 {
				return nil, pkgfile.ErrFormat
			}
			return nil, pkgfile.ErrTruncated
		}
		return nil, err
	}
	if h[0] == 0 && bytes.Count(h, []byte{0}) == block {
		return nil, s.drain()
	}
	if !checksum(h) {
		if s.entries == 0 {
			return nil, pkgfile.ErrFormat
		}
		return nil, fmt.Errorf("%w: a tar header with a wrong checksum", pkgfile.ErrCorrupt)
	}
	s.entries++
	if s.entries > s.lim.MaxEntries {
		return nil, fmt.Errorf("%w: more than %d entries", pkgfile.ErrTooLarge, s.lim.MaxEntries)
	}
	if err := s.count(block); err != nil {
		return nil, err
	}
	_, err = s.r.Discard(block)
	return h, err // still in the buffer: nothing is read before the header is used
}

// drain reads what follows the end mark, where the checksum of the compressed
// stream is found wrong if it is.
func (s *scanner) drain() error {
	for {
		n, err := s.r.Discard(s.r.Size())
		if cerr := s.count(int64(n)); cerr != nil {
			return cerr
		}
		if err != nil {
			return err // io.EOF if all is well
		}
	}
}

func (s *scanner) count(n int64) error {
	s.total += n
	if s.total > s.lim.MaxSize {
		return fmt.Errorf("%w: more than %d bytes", pkgfile.ErrTooLarge, s.lim.MaxSize)
	}
	return nil
}

func (s *scanner) skip(n int64) error {
	s.pending = 0
	if err := s.count(n); err != nil {
		return err
	}
	for n > 0 {
		step := int(min(n, 1<<30))
		if _, err := s.r.Discard(step); err != nil {
			return cutOff(err)
		}
		n -= int64(step)
	}
	return nil
}

// text reads the content of the current entry.
func (s *scanner) text(size int64) (string, error) {
	if size > s.lim.MaxRecord {
		return "", fmt.Errorf("%w: a record of %d bytes", pkgfile.ErrTooLarge, size)
	}
	if err := s.count(size); err != nil {
		return "", err
	}
	if size <= int64(s.r.Size()) {
		data, err := s.r.Peek(int(size))
		if err != nil {
			return "", cutOff(err)
		}
		text := string(data)
		_, err = s.r.Discard(int(size))
		s.pending -= size
		return text, err
	}
	// The size is only claimed: memory grows with what really comes.
	var buf bytes.Buffer
	if _, err := io.CopyN(&buf, s.r, size); err != nil {
		return "", cutOff(err)
	}
	s.pending -= size
	return buf.String(), nil
}

func cutOff(err error) error {
	if errors.Is(err, io.EOF) {
		return pkgfile.ErrTruncated
	}
	return err
}

// checksum holds a header against the sum in it, which is of unsigned bytes,
// or of signed ones from some old programs.
func checksum(h []byte) bool {
	want, ok := octal(h[148:156])
	if !ok {
		return false
	}
	// The field itself counts as eight blanks.
	field := int64(0)
	for _, c := range h[148:156] {
		field += int64(c)
	}
	if want == byteSum(h)-field+8*' ' {
		return true
	}
	signed := int64(8 * ' ')
	for i, c := range h {
		if i < 148 || i >= 156 {
			signed += int64(int8(c))
		}
	}
	return want == signed
}

// byteSum adds the bytes of a block, eight at a time in lanes of 16 bits: in
// an archive of small files the sums would else take a tenth of the time.
func byteSum(h []byte) int64 {
	const lanes = 0x00ff00ff00ff00ff
	var sum uint64
	for h = h[:block]; len(h) >= 8; h = h[8:] {
		x := binary.LittleEndian.Uint64(h)
		sum += x&lanes + x>>8&lanes
	}
	return int64(sum&0xffff + sum>>16&0xffff + sum>>32&0xffff + sum>>48)
}

func octal(b []byte) (n int64, ok bool) {
	b = bytes.Trim(b, " \x00")
	for _, c := range b {
		if c < '0' || c > '7' || n > 1<<60 {
			return 0, false
		}
		n = n<<3 | int64(c-'0')
	}
	return n, true
}

func (s *scanner) entrySize(h []byte) (int64, error) {
	if s.size >= 0 && h[156] != 'x' && h[156] != 'L' {
		return s.size, nil
	}
	n, ok := octal(h[124:136])
	if h[124]&0x80 != 0 { // base 256, for more than 8 GiB
		n, ok = 0, h[124] == 0x80
		for _, c := range h[125:136] {
			if n > 1<<54 {
				ok = false
				break
			}
			n = n<<8 | int64(c)
		}
	}
	if !ok {
		return 0, fmt.Errorf("%w: a tar header with a malformed size", pkgfile.ErrCorrupt)
	}
	switch h[156] {
	case '1', '2', '3', '4', '5', '6': // these have no content, whatever they claim
		n = 0
	}
	return n, nil
}

func (s *scanner) entryPath(dst, h []byte) []byte {
	if s.longOK {
		return append(dst, s.long...)
	}
	if bytes.Equal(h[257:263], []byte("ustar\x00")) && h[345] != 0 {
		dst = append(append(dst, cString(h[345:500])...), '/')
	}
	return append(dst, cString(h[:100])...)
}

func cString(b []byte) []byte {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		return b[:i]
	}
	return b
}

// extension reads a record about the entry that follows it.
func (s *scanner) extension(typ byte, size int64) error {
	const most = 64 << 10
	if size > most {
		return fmt.Errorf("%w: an extended header of %d bytes", pkgfile.ErrTooLarge, size)
	}
	data, err := s.r.Peek(int(size))
	if err != nil {
		return cutOff(err)
	}
	if typ == 'L' {
		s.long, s.longOK = append(s.long[:0], cString(data)...), true
		return nil
	}
	for len(data) > 0 {
		space := bytes.IndexByte(data, ' ')
		if space < 0 {
			return fmt.Errorf("%w: a malformed extended header", pkgfile.ErrCorrupt)
		}
		length, err := strconv.Atoi(string(data[:space]))
		if err != nil || length <= space+1 || length > len(data) || data[length-1] != '\n' {
			return fmt.Errorf("%w: a malformed extended header", pkgfile.ErrCorrupt)
		}
		key, value, _ := bytes.Cut(data[space+1:length-1], []byte{'='})
		switch string(key) {
		case "path":
			s.long, s.longOK = append(s.long[:0], value...), true
		case "size":
			n, err := strconv.ParseInt(string(value), 10, 64)
			if err != nil || n < 0 || n > 1<<60 {
				return fmt.Errorf("%w: a malformed size in an extended header", pkgfile.ErrCorrupt)
			}
			s.size = n
		}
		data = data[length:]
	}
	return nil
}
