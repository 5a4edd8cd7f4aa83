// SPDX-License-Identifier: GPL-3.0-or-later

package stream

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
)

// UUID names a subvolume, as in the kernel.
type UUID [16]byte

// Command is one step of a stream. Which fields count depends on its kind; Has
// tells whether an optional one is there. Paths are relative to the subvolume
// and are bytes as the file system has them, but for NUL: whoever follows one
// checks it, since a stream may come from a stranger.
type Command struct {
	Kind Kind
	// Attrs lists what the command holds, in order. Encode writes these.
	Attrs []Attr

	Path, PathTo, PathLink string
	UUID                   UUID
	Ctransid               uint64
	Ino, Size              uint64
	Mode, UID, GID, Rdev   uint64
	Atime, Mtime, Ctime    time.Time
	Otime                  time.Time
	XattrName              string
	XattrData              []byte
	FileOffset             uint64
	Data                   []byte

	CloneUUID     UUID
	CloneCtransid uint64
	ClonePath     string
	CloneOffset   uint64
	CloneLen      uint64

	FallocateMode uint32
	FileAttr      uint64
	// Of an EncodedWrite: Data, decoded, has UnencodedLen bytes, of which
	// UnencodedFileLen from UnencodedOffset on go to FileOffset of the file.
	UnencodedFileLen uint64
	UnencodedLen     uint64
	UnencodedOffset  uint64
	Compression      Compression
	Encryption       uint32
}

// Compression is how the data of an EncodedWrite is compressed.
type Compression uint32

// The ways of btrfs to compress; LZO is told apart by the sector size.
const (
	NoCompression Compression = 0
	Zlib          Compression = 1
	Zstd          Compression = 2
	LZO4K         Compression = 3
	LZO64K        Compression = 7
)

// Has tells whether a command holds an attribute.
func (c *Command) Has(a Attr) bool {
	for _, x := range c.Attrs {
		if x == a {
			return true
		}
	}
	return false
}

// FormatError says that bytes are no send stream, or a damaged one.
type FormatError struct {
	Offset int64 // of the command in the stream
	What   string
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("btrfs send stream: at byte %d: %s", e.Offset, e.What)
}

// Hint says what such a stream usually is.
func (e *FormatError) Hint() string {
	return "the stream was cut or damaged on its way; send it again"
}

var (
	errShort = errors.New("it is cut in the middle of a value")
	errNUL   = errors.New("a path holds a NUL byte")
	errTime  = errors.New("a time has more nanoseconds than a second")
)

const (
	headerSize = 10        // of a command: length, kind, checksum
	maxShort   = 1<<16 - 1 // longest value with a length of its own
)

// decodeAttrs reads the values of a command from its body. Byte slices point
// into body.
func (c *Command) decodeAttrs(body []byte, version int) error {
	for len(body) > 0 {
		if len(body) < 2 {
			return errShort
		}
		a := Attr(binary.LittleEndian.Uint16(body))
		body = body[2:]
		var value []byte
		if a == AData && version >= 2 {
			// The rest of the command: only so is data longer than 64 KiB possible.
			value, body = body, nil
		} else {
			if len(body) < 2 {
				return errShort
			}
			n := int(binary.LittleEndian.Uint16(body))
			body = body[2:]
			if n > len(body) {
				return errShort
			}
			value, body = body[:n], body[n:]
		}
		if c.Has(a) {
			return fmt.Errorf("attribute %d is there twice", a)
		}
		if err := c.set(a, value); err != nil {
			return err
		}
		c.Attrs = append(c.Attrs, a)
	}
	return nil
}

// check holds a command against the layout of its kind.
func (c *Command) check(version int) error {
	l, known := layouts[c.Kind]
	if !known {
		return fmt.Errorf("%s is not known", c.Kind)
	}
	if l.version > version {
		return fmt.Errorf("%s belongs to version %d of the protocol, the stream has version %d", c.Kind, l.version, version)
	}
	for _, a := range l.required {
		if !c.Has(a) {
			return fmt.Errorf("%s lacks attribute %d", c.Kind, a)
		}
	}
	return nil
}

// field is where the value of an attribute lives in a command.
func (c *Command) field(a Attr) any {
	switch a {
	case AUUID:
		return &c.UUID
	case ACloneUUID:
		return &c.CloneUUID
	case APath:
		return &c.Path
	case APathTo:
		return &c.PathTo
	case APathLink:
		return &c.PathLink
	case AClonePath:
		return &c.ClonePath
	case AXattrName:
		return &c.XattrName
	case AXattrData:
		return &c.XattrData
	case AData:
		return &c.Data
	case ACtime:
		return &c.Ctime
	case AMtime:
		return &c.Mtime
	case AAtime:
		return &c.Atime
	case AOtime:
		return &c.Otime
	case AFallocateMode:
		return &c.FallocateMode
	case ACompression:
		return (*uint32)(&c.Compression)
	case AEncryption:
		return &c.Encryption
	}
	return c.number(a)
}

// number is where a 64-bit attribute lives.
func (c *Command) number(a Attr) any {
	switch a {
	case ACtransid:
		return &c.Ctransid
	case AIno:
		return &c.Ino
	case ASize:
		return &c.Size
	case AMode:
		return &c.Mode
	case AUID:
		return &c.UID
	case AGID:
		return &c.GID
	case ARdev:
		return &c.Rdev
	case AFileOffset:
		return &c.FileOffset
	case ACloneCtransid:
		return &c.CloneCtransid
	case ACloneOffset:
		return &c.CloneOffset
	case ACloneLen:
		return &c.CloneLen
	case AFileAttr:
		return &c.FileAttr
	case AUnencodedFileLen:
		return &c.UnencodedFileLen
	case AUnencodedLen:
		return &c.UnencodedLen
	case AUnencodedOffset:
		return &c.UnencodedOffset
	}
	return nil
}

func (c *Command) set(a Attr, value []byte) error {
	size := func(want int) error {
		if len(value) != want {
			return fmt.Errorf("attribute %d has %d bytes, not %d", a, len(value), want)
		}
		return nil
	}
	switch p := c.field(a).(type) {
	case *UUID:
		copy(p[:], value)
		return size(16)
	case *string:
		*p = string(value)
		if strings.IndexByte(*p, 0) >= 0 {
			return errNUL
		}
	case *[]byte:
		*p = value
	case *time.Time:
		if err := size(12); err != nil {
			return err
		}
		nsec := binary.LittleEndian.Uint32(value[8:])
		if nsec >= 1e9 {
			return errTime
		}
		*p = time.Unix(int64(binary.LittleEndian.Uint64(value)), int64(nsec))
	case *uint32:
		if err := size(4); err != nil {
			return err
		}
		*p = binary.LittleEndian.Uint32(value)
	case *uint64:
		if err := size(8); err != nil {
			return err
		}
		*p = binary.LittleEndian.Uint64(value)
	default:
		return fmt.Errorf("attribute %d is not known", a)
	}
	return nil
}

// appendAttr adds one value with its header.
func (c *Command) appendAttr(b []byte, a Attr, version int) ([]byte, error) {
	le := binary.LittleEndian
	b = le.AppendUint16(b, uint16(a))
	head := len(b)
	if a != AData || version < 2 {
		b = append(b, 0, 0)
	}
	from := len(b)
	switch p := c.field(a).(type) {
	case *UUID:
		b = append(b, p[:]...)
	case *string:
		b = append(b, *p...)
	case *[]byte:
		b = append(b, *p...)
	case *time.Time:
		b = le.AppendUint64(b, uint64(p.Unix()))
		b = le.AppendUint32(b, uint32(p.Nanosecond()))
	case *uint32:
		b = le.AppendUint32(b, *p)
	case *uint64:
		b = le.AppendUint64(b, *p)
	default:
		return nil, fmt.Errorf("attribute %d is not known", a)
	}
	if from > head {
		if len(b)-from > maxShort {
			return nil, fmt.Errorf("attribute %d has %d bytes; %d are possible", a, len(b)-from, maxShort)
		}
		le.PutUint16(b[head:], uint16(len(b)-from))
	}
	return b, nil
}

// attrs are the attributes to write: those that were read, or for a command made
// by hand the required ones. Data comes last where its length is not written.
func (c *Command) attrs(version int) []Attr {
	out := c.Attrs
	if out == nil {
		out = layouts[c.Kind].required
	}
	if version < 2 {
		return out
	}
	for i, a := range out {
		if a == AData && i != len(out)-1 {
			return append(append(append([]Attr{}, out[:i]...), out[i+1:]...), AData)
		}
	}
	return out
}

// append adds the whole command.
func (c *Command) append(b []byte, version int) ([]byte, error) {
	start := len(b)
	b = append(b, make([]byte, headerSize)...)
	var err error
	for _, a := range c.attrs(version) {
		if b, err = c.appendAttr(b, a, version); err != nil {
			return nil, fmt.Errorf("write %s: %w", c.Kind, err)
		}
	}
	size := len(b) - start - headerSize
	if size > math.MaxUint32 {
		return nil, fmt.Errorf("write %s: it is too long", c.Kind)
	}
	binary.LittleEndian.PutUint32(b[start:], uint32(size))
	binary.LittleEndian.PutUint16(b[start+4:], uint16(c.Kind))
	binary.LittleEndian.PutUint32(b[start+6:], checksum(b[start:]))
	return b, nil
}
