// SPDX-License-Identifier: GPL-3.0-or-later

package mtree

import (
	"bufio"
	"io"
	"strconv"
)

// Encode writes entries in their order as mtree text, not compressed.
func Encode(w io.Writer, entries []Entry) error {
	bw := bufio.NewWriter(w)
	_, _ = bw.WriteString("#mtree\n/set type=file uid=0 gid=0 mode=644\n") // errors stick until Flush
	var line []byte
	for i := range entries {
		line = appendEntry(line[:0], &entries[i])
		_, _ = bw.Write(line)
	}
	return bw.Flush()
}

func appendEntry(b []byte, e *Entry) []byte {
	if e.Path == "." {
		b = append(b, '.')
	} else {
		b = appendQuoted(append(b, "./"...), e.Path)
	}
	b = strconv.AppendInt(append(b, " time="...), e.Sec, 10)
	b = strconv.AppendInt(append(b, '.'), e.Nsec, 10)
	if e.Mode != 0o644 {
		b = strconv.AppendUint(append(b, " mode="...), uint64(e.Mode), 8)
	}
	if e.GID != 0 {
		b = strconv.AppendInt(append(b, " gid="...), int64(e.GID), 10)
	}
	if e.UID != 0 {
		b = strconv.AppendInt(append(b, " uid="...), int64(e.UID), 10)
	}
	if e.Type != File {
		b = append(append(b, " type="...), e.Type...)
	}
	if e.Type == File {
		b = strconv.AppendInt(append(b, " size="...), e.Size, 10)
	}
	if e.Link != "" {
		b = appendQuoted(append(b, " link="...), e.Link)
	}
	if e.MD5 != "" {
		b = append(append(b, " md5digest="...), e.MD5...)
	}
	if e.SHA256 != "" {
		b = append(append(b, " sha256digest="...), e.SHA256...)
	}
	return append(b, '\n')
}

// appendQuoted writes bytes that mean something to mtree, or that not every
// reader takes, as backslash and three octal digits.
func appendQuoted(b []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c <= ' ', c >= 0x7f, c == '\\', c == '#', c == '=', c == '*', c == '?', c == '[', c == '"':
			b = append(b, '\\', '0'+c>>6, '0'+c>>3&7, '0'+c&7)
		default:
			b = append(b, c)
		}
	}
	return b
}
