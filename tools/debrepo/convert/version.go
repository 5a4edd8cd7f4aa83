// SPDX-License-Identifier: GPL-3.0-or-later

package convert

import (
	"strings"

	"github.com/rastos/rastos/tools/debrepo/debian"
)

// Version maps a Debian version to epoch:pkgver-pkgrel such that vercmp orders
// the results as dpkg orders the originals, as far as it can:
//
//   - the Debian revision becomes pkgrel, since both are compared only between
//     equal upstream versions; a native package has pkgrel 1;
//   - a tilde sorts before everything: before a letter it is left out, since
//     vercmp takes 1.0rc1 for older than 1.0, and elsewhere it becomes "a";
//   - a letter after a digit is newer for dpkg and older for vercmp, which a
//     dot between them mends: 9.2p1 becomes 9.2.p1.
//
// What differs still: vercmp knows no order among separators, nor tildes in a row.
func Version(s string) string {
	v := debian.SplitVersion(s)
	revision := v.Revision
	if revision == "" {
		revision = "1"
	}
	return epoch(v) + spell(v.Upstream) + "-" + spell(revision)
}

// Bound is Version for the version in a relation. Without a revision it stays
// without pkgrel where that means the same: vercmp then leaves the pkgrel of
// the package out of account, while dpkg takes a missing revision for 0.
func Bound(op, s string) string {
	v := debian.SplitVersion(s)
	out := epoch(v) + spell(v.Upstream)
	switch {
	case v.Revision != "":
		out += "-" + spell(v.Revision)
	case op == "=":
		return Version(s)
	case op == ">>" || op == "<=":
		out += "-0"
	}
	return out
}

func epoch(v debian.Version) string {
	if v.Epoch == "" || strings.Trim(v.Epoch, "0") == "" {
		return ""
	}
	return v.Epoch + ":"
}

// spell writes one part with the characters that a pacman version may have.
func spell(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '~':
			if i+1 == len(s) || !isLetter(s[i+1]) {
				b.WriteByte('a')
			}
		case isLetter(c) && i > 0 && isDigit(s[i-1]):
			b.WriteByte('.')
			b.WriteByte(c)
		case isDigit(c), isLetter(c), c == '+':
			b.WriteByte(c)
		default: // a hyphen or colon is not allowed in a version
			b.WriteByte('.')
		}
	}
	return b.String()
}

func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
