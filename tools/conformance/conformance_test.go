// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"strings"
	"testing"
)

func TestSummary(t *testing.T) {
	sum := summarise([]result{
		{Name: "sync001", Passed: 2}, {Name: "sync403", Passed: 1, Failed: []string{"PKG_EXIST=a"}}, {Name: "sync-x-y", Failed: []string{"PACMAN_RETCODE=0"}, Command: "pacman -S a"},
		{Name: "sign001", Skipped: "missing capability gpg"}, {Name: "deprange001", Passed: 1}, {Name: "replace110", Error: "Traceback", Expected: true},
	}, map[string]bool{"sync403": true, "deprange001": true})
	if sum.passed != 2 || len(sum.unexpected) != 1 || len(sum.excused) != 2 || len(sum.skipped) != 1 || sum.xfails != 3 || sum.total() != 6 {
		t.Errorf("%+v", sum)
	}
	var out strings.Builder
	sum.print(&out, false)
	for _, want := range []string{
		"FAILED: sync-x-y:  (pacman -S a; exit 0)\n    not so: PACMAN_RETCODE=0\n",
		"failed, and pacman does too: sync403",
		"\nsync                   1       2        0\n", "\nall                    2       3        1\n",
		"passed, where pacman itself fails: deprange001\n", "unexpected failures: 1\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the summary lacks %q:\n%s", want, out.String())
		}
	}
}
