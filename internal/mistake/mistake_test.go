// SPDX-License-Identifier: GPL-3.0-or-later

package mistake

import (
	"strings"
	"testing"
)

func TestExcerptIsSafeToPrint(t *testing.T) {
	src := NewSource("f", []byte("name='x'\n\tbad\x1b[31m\u202e = 1"))
	m := src.At(src.Lines[1]+1, src.Lines[1]+4, "no key")
	line, marks := m.Excerpt()
	if strings.ContainsAny(line, "\x1b\t\u202e") {
		t.Errorf("%q", line)
	}
	if marks != " ^~~" || m.String() != "f:2:2: no key" {
		t.Errorf("marks %q, %s", marks, m)
	}
}

func TestExcerptOfALongLine(t *testing.T) {
	text := "key='" + strings.Repeat("x", 5000) + "', kye=1"
	off := strings.Index(text, "kye")
	m := NewSource("f", []byte(text)).At(off, off+3, "no key")
	line, marks := m.Excerpt()
	if len(line) > maxExcerpt || line[strings.Index(marks, "^"):strings.LastIndex(marks, "~")+1] != "kye" {
		t.Errorf("%s\n%s", line, marks)
	}
}

// TestPlaces counts characters, not bytes, and stays within the file.
func TestPlaces(t *testing.T) {
	src := NewSource("f", []byte("äö = 1\r\nb"))
	for _, c := range []struct{ off, end, line, column, length int }{
		{0, 4, 1, 1, 2}, {5, 6, 1, 4, 1}, {8, 99, 1, 7, 1}, {10, 11, 2, 1, 1}, {99, 100, 2, 2, 1}, {-5, 0, 1, 1, 1},
	} {
		if m := src.At(c.off, c.end, "x"); m.Line != c.line || m.Column != c.column || m.Length != c.length {
			t.Errorf("%d–%d: line %d, column %d, length %d", c.off, c.end, m.Line, m.Column, m.Length)
		}
	}
}

func TestMergeSortsAndDropsWhatIsThere(t *testing.T) {
	src := NewSource("f", []byte("a\nb\n"))
	one, two := src.At(0, 1, "one"), src.At(2, 3, "two")
	got := Merge(List{two}, List{one, two})
	if len(got) != 2 || got[0].Message != "one" || got[1].Message != "two" {
		t.Errorf("%v", got)
	}
	if got.Err() == nil || List(nil).Err() != nil || got.Error() != "2 mistakes\n  f:1:1: one\n  f:2:1: two" {
		t.Errorf("%v", got.Err())
	}
}

func TestNearest(t *testing.T) {
	known := []string{"hostname", "timezone", "servers", "esp"}
	for word, want := range map[string]string{
		"hostnmae": "hostname", "host": "hostname", "Hostname": "hostname", "server": "servers", "timezon": "timezone",
		"eps": "esp", "xyz": "", "a": "",
	} {
		if got := Nearest(word, append(known, "b")); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", word, got, want)
		}
	}
}
