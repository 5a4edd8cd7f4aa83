// SPDX-License-Identifier: GPL-3.0-or-later

// Command rastos builds, runs and keeps alive a system that can always go
// back. Main only wires: signals, streams, clock and the machine's effects go
// in, the exit code comes out.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/rastos/rastos/internal/cli"
	"github.com/rastos/rastos/internal/host/run"
)

// version is set by the linker (-X main.version=…); see the Makefile.
var version = "0.0.0-dev"

func main() {
	run.MaybeChild()
	os.Exit(rastos())
}

func rastos() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	// The first signal asks everything to stop and clean up; once it has come,
	// a second one finds the default action again and kills.
	context.AfterFunc(ctx, stop)
	return cli.Main(ctx, &cli.App{
		Stdin:            os.Stdin,
		Stdout:           os.Stdout,
		Stderr:           os.Stderr,
		StdoutIsTerminal: term.IsTerminal(int(os.Stdout.Fd())),
		StderrIsTerminal: term.IsTerminal(int(os.Stderr.Fd())),
		Getenv:           os.Getenv,
		Now:              time.Now,
		StdinIsTerminal:  term.IsTerminal(int(os.Stdin.Fd())),
		Machine:          machine(),
		Version:          version,
	}, os.Args[1:])
}
