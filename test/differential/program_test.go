// SPDX-License-Identifier: GPL-3.0-or-later

package differential_test

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/rastos/rastos/internal/flow"
	"github.com/rastos/rastos/internal/host/run"
	"github.com/rastos/rastos/internal/pacman"
)

// outcome is all that a program shows.
type outcome struct {
	out, err string
	code     int
}

// program takes a command line of pacman.
type program func(ctx context.Context, argv []string) (outcome, error)

// env is the environment of both.
func env() []string { return []string{"LC_ALL=C", "PATH=/usr/bin:/bin", "TZ=UTC"} }

// theirs is pacman.
func theirs(ctx context.Context, argv []string) (outcome, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env, cmd.Dir = env(), "/"
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Exited() {
		err = nil
	}
	return outcome{out.String(), errs.String(), cmd.ProcessState.ExitCode()}, err
}

// ours is rastOS as pacman, in this process.
func ours(ctx context.Context, argv []string) (outcome, error) {
	var out, errs strings.Builder
	app := &pacman.App{
		Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs,
		Columns: func() int { return 0 }, Terminal: func() (io.Reader, error) { return nil, syscall.ENXIO },
		Getenv: getenv, Getwd: func() (string, error) { return "/", nil },
		Now: time.Now, Processor: "x86_64",
		EnterRoot: func(string) error { return errors.ErrUnsupported },
		RunProgram: func(context.Context, string, []string) (int, error) {
			return 0, errors.ErrUnsupported
		},
		Machine: &flow.Machine{Geteuid: os.Geteuid, Chroot: run.InRoot{}, Now: time.Now},
	}
	code := pacman.Main(ctx, app, argv)
	return outcome{out.String(), errs.String(), code & 0xff}, nil
}

func getenv(name string) string {
	for _, e := range env() {
		if v, ok := strings.CutPrefix(e, name+"="); ok {
			return v
		}
	}
	return ""
}
