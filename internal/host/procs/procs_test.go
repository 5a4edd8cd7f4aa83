// SPDX-License-Identifier: GPL-3.0-or-later

package procs_test

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/rastos/rastos/internal/host/procs"
)

func TestSettle(t *testing.T) {
	before, limit := runtime.GOMAXPROCS(0), debug.SetMemoryLimit(-1)
	t.Cleanup(func() {
		runtime.GOMAXPROCS(before)
		debug.SetMemoryLimit(limit)
	})
	procs.Settle(func(string) string { return "7" })
	if got := runtime.GOMAXPROCS(0); got != before {
		t.Errorf("GOMAXPROCS was set by the environment, and Settle made it %d", got)
	}
	procs.Settle(func(string) string { return "" })
	if got := runtime.GOMAXPROCS(0); got != before+1 {
		t.Errorf("Settle made it %d instead of %d", got, before+1)
	}
	if got := debug.SetMemoryLimit(-1); got == limit || got > 160<<20 {
		t.Errorf("the limit of memory is %d", got)
	}
	percent := 0
	for range 100 { // the one that was set for the first collection goes after it
		runtime.GC()
		if percent = debug.SetGCPercent(100); percent == 100 {
			break
		}
		debug.SetGCPercent(percent)
		time.Sleep(10 * time.Millisecond)
	}
	if percent != 100 {
		t.Errorf("after a collection the heap still grows by %d percent", percent)
	}
}
