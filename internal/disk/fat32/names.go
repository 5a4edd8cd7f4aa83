// SPDX-License-Identifier: GPL-3.0-or-later

package fat32

import (
	"bytes"
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// errName is a name that FAT cannot hold.
var errName = errors.New("not a valid FAT name (1 to 255 characters, none of \"*/:<>?\\|, no dot or space at the end)")

const maxUnits = 255

// encodeName checks a long name and gives its UTF-16 units.
func encodeName(name string) ([]uint16, error) {
	if name == "" || name == "." || name == ".." || !utf8.ValidString(name) ||
		strings.HasSuffix(name, ".") || strings.HasSuffix(name, " ") || strings.HasPrefix(name, " ") {
		return nil, errName
	}
	for _, c := range name {
		if c < 0x20 || c == 0x7f || strings.ContainsRune("\"*/:<>?\\|", c) {
			return nil, errName
		}
	}
	units := utf16.Encode([]rune(name))
	if len(units) > maxUnits {
		return nil, errName
	}
	return units, nil
}

func sameName(a, b string) bool { return strings.EqualFold(a, b) }

// shortByte gives the character of a short name, or 0 for one that it cannot hold.
func shortByte(c rune) byte {
	switch {
	case c >= 'a' && c <= 'z':
		return byte(c) - 'a' + 'A'
	case c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		return byte(c)
	case c < 0x80 && strings.ContainsRune("$%'-_@~`!(){}^#&", c):
		return byte(c)
	}
	return 0
}

// exactShort packs a name that is a short name as it stands (README.TXT).
func exactShort(name string) (short [11]byte, ok bool) {
	base, ext, dot := strings.Cut(name, ".")
	if base == "" || len(base) > 8 || len(ext) > 3 || dot && ext == "" || strings.Contains(ext, ".") {
		return short, false
	}
	for _, c := range base + ext {
		if b := shortByte(c); b == 0 || rune(b) != c {
			return short, false
		}
	}
	return pack(base, ext), true
}

func pack(base, ext string) (short [11]byte) {
	copy(short[:], "           ")
	copy(short[:8], base)
	copy(short[8:], ext)
	return short
}

// alias makes the short name of a long one: RASTOS~1.CON for rastos-1+3.conf.
func alias(name string, taken func([11]byte) bool) ([11]byte, error) {
	name = strings.TrimLeft(name, ". ")
	base, ext := name, ""
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		base, ext = name[:i], name[i+1:]
	}
	base, ext = squeeze(base, 8), squeeze(ext, 3)
	if base == "" {
		base = "_"
	}
	for n := 1; n < 1_000_000; n++ {
		tail := "~" + strconv.Itoa(n)
		short := pack(base[:min(len(base), 8-len(tail))]+tail, ext)
		if !taken(short) {
			return short, nil
		}
	}
	return [11]byte{}, errors.New("no short alias is free")
}

// squeeze keeps what a short name can hold: spaces and dots go, the rest of
// the impossible becomes an underscore.
func squeeze(s string, limit int) string {
	var b strings.Builder
	for _, c := range s {
		if c == ' ' || c == '.' {
			continue
		}
		if b.Len() == limit {
			break
		}
		sb := shortByte(c)
		if sb == 0 {
			sb = '_'
		}
		b.WriteByte(sb)
	}
	return b.String()
}

// checksum ties the parts of a long name to their short entry.
func checksum(short [11]byte) byte {
	var sum byte
	for _, b := range short {
		sum = sum>>1 | sum<<7
		sum += b
	}
	return sum
}

// unpack reads a short name. flags are the two bits by which Windows NT marks a
// lower-case base or extension.
func unpack(short []byte, flags byte) string {
	raw := [11]byte(short)
	if raw[0] == 0x05 {
		raw[0] = deleted // a first byte that would mean "deleted" is written so
	}
	base, ext := text(raw[:8]), text(raw[8:11])
	if flags&0x08 != 0 {
		base = strings.ToLower(base)
	}
	if flags&0x10 != 0 {
		ext = strings.ToLower(ext)
	}
	if ext != "" {
		return base + "." + ext
	}
	return base
}

// text reads bytes of an unknown code page: what is not ASCII becomes U+FFFD.
func text(b []byte) string {
	b = bytes.TrimRight(b, " ")
	if !slices.ContainsFunc(b, func(c byte) bool { return c >= utf8.RuneSelf }) {
		return string(b)
	}
	runes := make([]rune, len(b))
	for i, c := range b {
		if runes[i] = rune(c); c >= utf8.RuneSelf {
			runes[i] = utf8.RuneError
		}
	}
	return string(runes)
}
