// SPDX-License-Identifier: GPL-3.0-or-later

package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rastos/rastos/internal/mistake"
)

type coded int

func (c coded) Error() string { return "coded" }
func (c coded) ExitCode() int { return int(c) }

func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, ExitOK},
		{errors.New("x"), ExitFailure},
		{&usageError{err: errors.New("x")}, ExitUsage},
		{mistake.List{{}}, ExitManifest},
		{fmt.Errorf("install: %w", coded(ExitPackage)), ExitPackage},
		{fmt.Errorf("write: %w", &fs.PathError{Err: syscall.ENOSPC}), ExitSpace},
		{fmt.Errorf("mount: %w", syscall.EPERM), ExitPrivilege},
		{fmt.Errorf("stop: %w", context.Canceled), ExitInterrupted},
		{fmt.Errorf("both: %w, %w", coded(ExitNetwork), context.Canceled), ExitInterrupted},
	} {
		if got := ExitCode(c.err); got != c.want {
			t.Errorf("ExitCode(%v) = %d, want %d", c.err, got, c.want)
		}
	}
}

// newApp is an App whose streams are strings.
func newApp(stdout, stderr *strings.Builder) *App {
	return &App{
		Stdin: strings.NewReader(""), Stdout: stdout, Stderr: stderr, Now: time.Now, Version: "test",
		Getenv: func(name string) string {
			if name == "RASTOS_CONFIG" {
				return os.DevNull
			}
			return ""
		},
	}
}

func TestInterruptIsSaidAndExits130(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for err, want := range map[error]string{
		fmt.Errorf("unpack linux: %w", context.Canceled): "error: interrupted\n",
		errors.New("qemu ended: signal: interrupt"):      "error: qemu ended: signal: interrupt\n",
	} {
		var stdout, stderr strings.Builder
		s := newSession(ctx, newApp(&stdout, &stderr))
		if code := s.finish(ctx, err); code != ExitInterrupted || stderr.String() != want {
			t.Errorf("%v: exit %d, %q", err, code, stderr.String())
		}
	}
}
