// SPDX-License-Identifier: GPL-3.0-or-later

// Package procs settles how Go's runtime shares the machine: how many threads
// run at once, and when garbage is collected.
package procs

import (
	"runtime"
	"runtime/debug"
)

const (
	// lateFirst is by how much the heap may grow, in percent of 4 MiB, up to
	// the first collection: to 32 MiB.
	lateFirst = 800
	// enough is the memory, in bytes, above which collections come more often:
	// an upgrade of some hundred packages keeps two thirds of that.
	enough = 128 << 20
)

// Settle sets what the environment (GOMAXPROCS, GOGC, GOMEMLIMIT) does not.
//
// It allows one thread more than Go would by itself. Workers that write files
// are in system calls half of their time. With as many of them as processors,
// no slot is idle, and Go's monitor then takes the slot from every call that
// lasts longer than its first look, which wakes and parks threads without end.
// One idle slot keeps it quiet: an installation of 370 packages by two workers
// on two processors makes half as many context switches and takes a tenth less
// time (docs/performance.md).
//
// It puts the first collection off, since most questions are answered before
// it comes; from then on the heap grows as is usual, and slower once there is
// enough of it.
func Settle(getenv func(string) string) {
	if getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
	}
	if getenv("GOGC") == "" {
		before := debug.SetGCPercent(lateFirst)
		runtime.AddCleanup(new([16]byte), func(percent int) { debug.SetGCPercent(percent) }, before)
	}
	if getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(enough)
	}
}
