// SPDX-License-Identifier: GPL-3.0-or-later

package cli

import (
	"context"
	"errors"
	"io/fs"
	"syscall"

	"github.com/rastos/rastos/internal/report"
)

// The exit codes of rastos; docs/exit-codes.md explains them.
const (
	ExitOK          = 0
	ExitFailure     = 1
	ExitUsage       = 2
	ExitManifest    = 3
	ExitPackage     = 4
	ExitVerify      = 5
	ExitNetwork     = 6
	ExitSpace       = 7
	ExitPrivilege   = 8
	ExitHost        = 9
	ExitLocked      = 10
	ExitDrift       = 11
	ExitInterrupted = 130
)

// ExitCode maps an error to the exit code of its class. An error that knows
// its own class says so with an ExitCode method.
func ExitCode(err error) int {
	var coded interface{ ExitCode() int }
	switch {
	case err == nil:
		return ExitOK
	case errors.Is(err, context.Canceled):
		return ExitInterrupted
	case errors.As(err, &coded):
		return coded.ExitCode()
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return ExitSpace
	case errors.Is(err, fs.ErrPermission):
		return ExitPrivilege
	}
	return ExitFailure
}

// usageError is a command line that cannot be understood.
type usageError struct {
	err  error
	hint string
}

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }
func (e *usageError) Hint() string  { return e.hint }
func (e *usageError) ExitCode() int { return ExitUsage }

// silentError ends a verb with a code after it has said all there is to say.
type silentError struct{ code int }

func (e *silentError) Error() string { return "" }
func (e *silentError) ExitCode() int { return e.code }

// finish prints err and returns the exit code.
func (s *session) finish(ctx context.Context, err error) int {
	if err == nil {
		return ExitOK
	}
	var silent *silentError
	if errors.As(err, &silent) {
		return silent.code
	}
	code := ExitCode(err)
	// After a signal, whatever failed did so because of it.
	if ctx.Err() != nil {
		code = ExitInterrupted
		if errors.Is(err, context.Canceled) {
			err = errors.New("interrupted")
		}
	}
	if s.flags.json {
		if report.PrintErrorJSON(s.Stdout, err, code) == nil {
			return code
		}
	}
	report.PrintError(s.Stderr, s.errStyle(), err)
	return code
}
