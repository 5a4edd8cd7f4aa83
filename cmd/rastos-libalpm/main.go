// SPDX-License-Identifier: GPL-3.0-or-later

//go:build libalpm

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// exitFailure is for a conversation that went wrong; what goes wrong within
// one is told there.
const exitFailure = 1

func main() {
	// rastos decides what a signal means: it says so over the pipe, and the end
	// of the pipe tells of its own end, after which the package at hand is
	// finished. libalpm writes to pipes of scriptlets that may be gone.
	signal.Ignore(syscall.SIGINT, syscall.SIGHUP, syscall.SIGTERM, syscall.SIGPIPE)
	if err := serve(os.Stdin, os.Stdout, os.Exit); err != nil && !errors.Is(err, io.EOF) {
		fmt.Fprintln(os.Stderr, "rastos-libalpm:", err)
		os.Exit(exitFailure)
	}
}
