// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/rastos/rastos/internal/mistake"
)

// fileError is a settings file that cannot be read.
type fileError struct{ err error }

func (e *fileError) Error() string { return e.err.Error() }
func (e *fileError) Unwrap() error { return e.err }

func (e *fileError) ExitCode() int {
	if errors.Is(e.err, fs.ErrPermission) {
		return 8
	}
	return 3
}

// valueError is a wrong value in the environment.
type valueError struct {
	origin  string
	mistake mistake.Mistake
}

func (e *valueError) Error() string { return fmt.Sprintf("%s: %s", e.origin, e.mistake.Message) }
func (e *valueError) Hint() string  { return e.mistake.Hint }
func (e *valueError) ExitCode() int { return 3 }

// flagError is a wrong value of a flag: a usage error.
type flagError struct{ error }

func (e *flagError) Unwrap() error { return e.error }
func (e *flagError) ExitCode() int { return 2 }
