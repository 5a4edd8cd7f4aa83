// SPDX-License-Identifier: GPL-3.0-or-later

package trans

import (
	"strings"
	"testing"
)

func TestLines(t *testing.T) {
	var got []string
	l := &lines{emit: func(s string) { got = append(got, s) }}
	for _, part := range []string{"one\ntw", "o\r\n\n", strings.Repeat("x", maxLine+10), "\nrest"} {
		if n, err := l.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatal(n, err)
		}
	}
	l.flush()
	want := []string{"one", "two", "", strings.Repeat("x", maxLine+10), "", "rest"}
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("got %q", got)
	}
}
