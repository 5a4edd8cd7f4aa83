// SPDX-License-Identifier: GPL-3.0-or-later

package debian

import "strings"

// Version is a Debian version taken apart.
type Version struct {
	Epoch    string // without the colon; empty for none
	Upstream string
	Revision string // without the hyphen; empty for a native package
}

// SplitVersion takes a version apart.
func SplitVersion(s string) Version {
	var v Version
	if epoch, rest, ok := strings.Cut(s, ":"); ok {
		v.Epoch, s = epoch, rest
	}
	if i := strings.LastIndexByte(s, '-'); i >= 0 {
		v.Upstream, v.Revision = s[:i], s[i+1:]
	} else {
		v.Upstream = s
	}
	return v
}

// Compare orders versions as dpkg does: negative if a is older than b.
func Compare(a, b string) int {
	x, y := SplitVersion(a), SplitVersion(b)
	if c := comparePart(x.Epoch, y.Epoch); c != 0 {
		return c
	}
	if c := comparePart(x.Upstream, y.Upstream); c != 0 {
		return c
	}
	return comparePart(x.Revision, y.Revision)
}

// comparePart walks over pairs of a part without digits and a number.
func comparePart(a, b string) int {
	for a != "" || b != "" {
		for a != "" && !isDigit(a[0]) || b != "" && !isDigit(b[0]) {
			x, y := weight(a), weight(b)
			if x != y {
				return x - y
			}
			a, b = a[1:], b[1:] // both begin alike, so neither is empty
		}
		var x, y string
		x, a = number(a)
		y, b = number(b)
		if len(x) != len(y) {
			return len(x) - len(y)
		}
		if c := strings.Compare(x, y); c != 0 {
			return c
		}
	}
	return 0
}

// number cuts a number off, without its leading zeros.
func number(s string) (digits, rest string) {
	n := 0
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	return strings.TrimLeft(s[:n], "0"), s[n:]
}

// weight is the place of the first character: a tilde before the end, the end
// (or a digit) before letters, letters before all others.
func weight(s string) int {
	switch {
	case s == "" || isDigit(s[0]):
		return 0
	case s[0] == '~':
		return -1
	case isLetter(s[0]):
		return int(s[0])
	}
	return int(s[0]) + 256
}

func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
