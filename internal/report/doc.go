// SPDX-License-Identifier: GPL-3.0-or-later

// Package report carries what happens from the rooms that do the work to the
// person or program that watches.
//
// A room emits events into a Sink and knows nothing of terminals. A Renderer
// is a Sink that draws them: bars on a terminal, plain lines in a pipe or a
// log, one JSON object a line for programs. The same package prints tables
// and the closing error with its hint, so that every verb speaks alike.
//
// Every Sink of this package may be used by many goroutines at once.
package report
