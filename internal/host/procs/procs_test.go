// SPDX-License-Identifier: GPL-3.0-or-later

package procs_test

import (
	"runtime"
	"testing"

	"github.com/rastos/rastos/internal/host/procs"
)

func TestSettle(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
	procs.Settle(func(string) string { return "7" })
	if got := runtime.GOMAXPROCS(0); got != before {
		t.Errorf("GOMAXPROCS was set by the environment, and Settle made it %d", got)
	}
	procs.Settle(func(string) string { return "" })
	if got := runtime.GOMAXPROCS(0); got != before+1 {
		t.Errorf("Settle made it %d instead of %d", got, before+1)
	}
}
