// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/rastos/rastos/internal/host/linux"
	"github.com/rastos/rastos/internal/host/run"
	"github.com/rastos/rastos/internal/pacman"
)

// runPacman runs pacman's command line; the program's name comes first.
func runPacman(ctx context.Context, args []string) int {
	stdout := int(os.Stdout.Fd())
	return pacman.Main(ctx, &pacman.App{
		Stdin:            os.Stdin,
		Stdout:           os.Stdout,
		Stderr:           os.Stderr,
		StdinIsTerminal:  term.IsTerminal(int(os.Stdin.Fd())),
		StdoutIsTerminal: term.IsTerminal(stdout),
		Columns: func() int {
			width, _, err := term.GetSize(stdout)
			if err != nil {
				return 0
			}
			return width
		},
		Terminal:  func() (io.Reader, error) { return os.Open("/dev/tty") },
		Getenv:    os.Getenv,
		Getwd:     os.Getwd,
		Now:       time.Now,
		Processor: linux.Processor(),
		EnterRoot: linux.EnterRoot,
		RunProgram: func(ctx context.Context, dir string, argv []string) (int, error) {
			return runOpenly(ctx, run.Command{Argv: argv, Dir: dir, Stdout: os.Stdout, Stderr: os.Stderr})
		},
		Machine: machine(),
	}, args)
}
