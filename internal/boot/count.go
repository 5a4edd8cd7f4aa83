// SPDX-License-Identifier: GPL-3.0-or-later

package boot

import (
	"fmt"
	"strconv"
	"strings"
)

// Name is the file name of an entry: "rastos-3+2-1.conf" has two tries left
// and one done. The loader counts down by renaming, before each boot of an
// entry that is counted; one without a counter is good, one with none left bad.
type Name struct {
	Base    string // "rastos-3"
	Counted bool
	Left    int
	Done    int
}

const suffix = ".conf"

// Good is the name of an entry that has proven itself.
func Good(base string) Name { return Name{Base: base} }

// Armed is the name of an entry that is to be tried.
func Armed(base string, tries int) Name { return Name{Base: base, Counted: true, Left: tries} }

// Bad says that all tries are used up.
func (n Name) Bad() bool { return n.Counted && n.Left == 0 }

// Good says that the entry is not counted.
func (n Name) Good() bool { return !n.Counted }

// String is the file name.
func (n Name) String() string {
	switch {
	case !n.Counted:
		return n.Base + suffix
	case n.Done == 0:
		return fmt.Sprintf("%s+%d%s", n.Base, n.Left, suffix)
	}
	return fmt.Sprintf("%s+%d-%d%s", n.Base, n.Left, n.Done, suffix)
}

// ParseName takes a file name apart; false means that it is none of an entry.
// A part that looks like a counter and is none belongs to the base, as it does
// for the loader.
func ParseName(file string) (Name, bool) {
	base, ok := cutSuffixFold(file, suffix)
	if !ok || base == "" || strings.ContainsAny(base, "/\\") || base[0] == '.' {
		return Name{}, false
	}
	plus := strings.LastIndexByte(base, '+')
	if plus <= 0 {
		return Name{Base: base}, true
	}
	left, done, both := strings.Cut(base[plus+1:], "-")
	n := Name{Base: base[:plus], Counted: true}
	var okLeft, okDone bool
	n.Left, okLeft = parseCount(left)
	okDone = true
	if both {
		n.Done, okDone = parseCount(done)
	}
	if !okLeft || !okDone {
		return Name{Base: base}, true
	}
	return n, true
}

// cutSuffixFold is strings.CutSuffix for the names of FAT, whose case is no
// part of them.
func cutSuffixFold(s, suffix string) (string, bool) {
	i := len(s) - len(suffix)
	if i < 0 || !strings.EqualFold(s[i:], suffix) {
		return s, false
	}
	return s[:i], true
}

// parseCount reads a decimal number of at most nine digits.
func parseCount(s string) (int, bool) {
	if s == "" || len(s) > 9 || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	return n, err == nil
}
