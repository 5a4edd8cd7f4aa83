// SPDX-License-Identifier: GPL-3.0-or-later

// Package procs settles how many threads run Go code at once.
package procs

import "runtime"

// Settle allows one thread more than Go would by itself, unless GOMAXPROCS says
// otherwise.
//
// Workers that write files are in system calls half of their time. With as many
// of them as processors, no slot is idle, and Go's monitor then takes the slot
// from every call that lasts longer than its first look, which wakes and parks
// threads without end. One idle slot keeps it quiet: an installation of 370
// packages by two workers on two processors makes half as many context
// switches and takes a tenth less time (docs/performance.md).
func Settle(getenv func(string) string) {
	if getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
	}
}
