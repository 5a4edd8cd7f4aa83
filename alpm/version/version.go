// SPDX-License-Identifier: GPL-3.0-or-later

// Package version orders the versions of Arch packages as vercmp(8) does.
//
// A version is [epoch:]pkgver[-pkgrel]. The epochs are compared first, then
// pkgver, and pkgrel only where both sides have one, so that "1.0" stands for
// every release of 1.0. Each of the three is compared by RPM's rules as
// libalpm has them: runs of digits by value, runs of letters by byte, a run
// of digits is newer than a run of letters, and what follows an equal start is
// newer unless it begins with a letter ("1.0rc" < "1.0" < "1.0.1").
//
// The rules are specified by vercmp(8) and by the behaviour of libalpm, which
// the tests compare with. Validating versions is not done here.
package version

import "strings"

// Compare returns -1, 0 or 1 as a is older than, equal to or newer than b.
// It allocates nothing.
func Compare(a, b string) int {
	if a == b {
		return 0
	}
	epochA, verA, relA, hasA := split(a)
	epochB, verB, relB, hasB := split(b)
	if c := compareRuns(epochA, epochB); c != 0 {
		return c
	}
	if c := compareRuns(verA, verB); c != 0 {
		return c
	}
	if hasA && hasB {
		return compareRuns(relA, relB)
	}
	return 0
}

// split takes a version apart. Only leading digits before a colon are an
// epoch; without any it is 0. The release is what follows the last hyphen.
func split(s string) (epoch, ver, rel string, hasRel bool) {
	epoch, ver = "0", s
	i := 0
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	if i < len(s) && s[i] == ':' {
		if i > 0 {
			epoch = s[:i]
		}
		ver = s[i+1:]
	}
	if dash := strings.LastIndexByte(ver, '-'); dash >= 0 {
		ver, rel, hasRel = ver[:dash], ver[dash+1:], true
	}
	return epoch, ver, rel, hasRel
}

func compareRuns(a, b string) int {
	if a == b {
		return 0
	}
	for a != "" && b != "" {
		sepA, sepB := separator(a), separator(b)
		a, b = a[sepA:], b[sepB:]
		if a == "" || b == "" {
			break
		}
		if sepA != sepB { // "1..0" is newer than "1.0"
			return sign(sepA - sepB)
		}
		numeric := isDigit(a[0])
		runA, runB := run(a, numeric), run(b, numeric)
		if runB == 0 { // b goes on with the other kind: digits are newer
			if numeric {
				return 1
			}
			return -1
		}
		if c := compareRun(a[:runA], b[:runB], numeric); c != 0 {
			return c
		}
		a, b = a[runA:], b[runB:]
	}
	switch {
	case a == "" && b == "":
		return 0
	case a == "" && !isAlpha(b[0]), a != "" && isAlpha(a[0]):
		// A rest that begins with a letter is older than no rest at all.
		return -1
	default:
		return 1
	}
}

// compareRun compares two runs of one kind. Numbers may be longer than any
// integer type, so they are compared by length, then by digits.
func compareRun(a, b string, numeric bool) int {
	if numeric {
		a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
		if len(a) != len(b) {
			return sign(len(a) - len(b))
		}
	}
	return strings.Compare(a, b)
}

func separator(s string) int {
	i := 0
	for i < len(s) && !isDigit(s[i]) && !isAlpha(s[i]) {
		i++
	}
	return i
}

func run(s string, numeric bool) int {
	i := 0
	for i < len(s) && (numeric && isDigit(s[i]) || !numeric && isAlpha(s[i])) {
		i++
	}
	return i
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
func isAlpha(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func sign(n int) int {
	switch {
	case n < 0:
		return -1
	case n > 0:
		return 1
	}
	return 0
}
