// SPDX-License-Identifier: GPL-3.0-or-later

// Command rastos builds, runs and keeps alive a system that can always go
// back. Main only wires: signals, streams, clock and the machine's effects go
// in, the exit code comes out. Called as pacman, vercmp, pacman-conf or rctl, it
// is that.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/rastos/rastos/internal/cli"
	"github.com/rastos/rastos/internal/host/procs"
	"github.com/rastos/rastos/internal/host/run"
	"github.com/rastos/rastos/internal/pacman"
)

// version is set by the linker (-X main.version=…); see the Makefile.
var version = "0.0.0-dev"

func main() {
	run.MaybeChild()
	procs.Settle(os.Getenv)
	os.Exit(rastos())
}

func rastos() int {
	ending := []os.Signal{syscall.SIGINT, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // as nohup asks
		ending = append(ending, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), ending...)
	defer stop()
	// The first signal asks everything to stop and clean up; once it has come,
	// a second one finds the default action again and kills.
	context.AfterFunc(ctx, stop)
	if pacman.Personality(os.Args[0]) {
		return runPacman(ctx, os.Args)
	}
	app := &cli.App{
		Stdin:            os.Stdin,
		Stdout:           os.Stdout,
		Stderr:           os.Stderr,
		StdoutIsTerminal: term.IsTerminal(int(os.Stdout.Fd())),
		StderrIsTerminal: term.IsTerminal(int(os.Stderr.Fd())),
		Getenv:           os.Getenv,
		Now:              time.Now,
		StdinIsTerminal:  term.IsTerminal(int(os.Stdin.Fd())),
		Machine:          machine(),
		Apart:            apart,
		Pacman:           runPacman,
		Version:          version,
	}
	if cli.IsRctl(os.Args[0]) {
		return cli.Rctl(ctx, app, os.Args[1:])
	}
	return cli.Main(ctx, app, os.Args[1:])
}

// apart goes on in a mount namespace of its own. Who is not root is told by
// the verb itself.
func apart() (code int, ran bool, err error) {
	if os.Geteuid() != 0 {
		return 0, false, nil
	}
	return run.Apart()
}
