// SPDX-License-Identifier: GPL-3.0-or-later

package cmdline

import (
	"fmt"
	"strings"
	"testing"
)

func TestOptionsAreCounted(t *testing.T) {
	o, err := Parse(strings.Fields("-Syyuuddw --ignore a,b --ignore=,c, -v --ask 20x --cachedir /a --cachedir /b -- -x y"))
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(o.Op, o.Refresh, o.SysUpgrade, o.NoVersions, o.NoDeps, o.DownloadOnly, o.Ignore, o.Verbose, o.HasAsk, o.Ask, o.CacheDirs, o.Targets)
	if want := "S2 2 true true true [a b c] 1 true 20 [/a /b] [-x y]"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestWhatNeedsRoot(t *testing.T) {
	for line, want := range map[string]bool{
		"-Q": false, "-Qkk": false, "-T a": false, "-Dk": false, "-D --asdeps a": true, "-F a": false, "-Fy": true, "-R a": true, "-Rp a": false, "-U a": true, "-Up a": false,
		"-S a": true, "-Sp a": false, "-Ss": false, "-Si": false, "-Sl": false, "-Sg": false, "-Sy": true, "-Sys": true, "-Sc": true, "-Su": true, "-Q --sysroot /mnt": true,
	} {
		o, err := Parse(strings.Fields(line))
		if err != nil || o.NeedsRoot() != want {
			t.Errorf("%s: root %v, want %v: %v", line, !want, want, err)
		}
	}
}
