// SPDX-License-Identifier: GPL-3.0-or-later

package trans

import (
	"testing"
)

func TestPatterns(t *testing.T) {
	p := compilePatterns([]string{"usr/share/*", "!/usr/share/keep/*", "/etc/x"})
	for path, want := range map[string]bool{
		"usr/share/doc/a/b": true, "usr/share/keep/b": false, "etc/x": true, "etc/xy": false, "usr/lib": false,
	} {
		if p.match(path) != want {
			t.Errorf("%s matches: %v", path, !want)
		}
	}
	if compilePatterns(nil).match("x") {
		t.Error("no pattern matches")
	}
}
