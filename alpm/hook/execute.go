// SPDX-License-Identifier: GPL-3.0-or-later

package hook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Chroot runs a program inside a system tree.
type Chroot interface {
	Run(ctx context.Context, root string, argv []string, stdin io.Reader, output io.Writer) (exit int, err error)
}

// Executor runs hooks.
type Executor struct {
	Chroot Chroot
	// Networked is for hooks with NetworkAccess = allowed; nil: they go
	// without the network like the others.
	Networked Chroot
	Root      string
	// Satisfied tells whether a dependency (package, perhaps with a version)
	// is installed at this moment.
	Satisfied func(dep string) bool
	Output    io.Writer
	// Start is told before each hook; nil: nobody is.
	Start func(position, total int, h *Hook)
}

// Outcome is what became of one hook.
type Outcome struct {
	Hook *Hook
	Code int
	Err  error // it could not be run at all: an unmet dependency, no such program
}

// Failed tells whether the hook did not do its work.
func (o Outcome) Failed() bool { return o.Err != nil || o.Code != 0 }

// ErrDependency is a hook whose Depends are not installed.
var ErrDependency = errors.New("a package that the hook depends on is not installed")

// AbortError is a failed hook with AbortOnFail: the transaction must not begin.
type AbortError struct{ Outcome Outcome }

func (e *AbortError) Error() string {
	if e.Outcome.Err != nil {
		return fmt.Sprintf("hook %s: %v", e.Outcome.Hook.Name, e.Outcome.Err)
	}
	return fmt.Sprintf("hook %s: exit code %d", e.Outcome.Hook.Name, e.Outcome.Code)
}

func (e *AbortError) Unwrap() error { return e.Outcome.Err }

// Hint says whose decision it was.
func (e *AbortError) Hint() string {
	return "this hook is made to stop the transaction when it fails; what it printed says why"
}

// Execute runs hooks one after the other and returns what became of each that
// was tried. A failure ends it only before the transaction and with
// AbortOnFail (*AbortError); else the next one runs. The context's end is an
// error in any case.
func (e Executor) Execute(ctx context.Context, runs []Run) ([]Outcome, error) {
	var outcomes []Outcome
	for i, r := range runs {
		if e.Start != nil {
			e.Start(i+1, len(runs), r.Hook)
		}
		o := e.one(ctx, r)
		outcomes = append(outcomes, o)
		if err := context.Cause(ctx); err != nil {
			return outcomes, fmt.Errorf("run hook %s: %w", r.Hook.Name, err)
		}
		if o.Failed() && r.Hook.AbortOnFail && r.Hook.When == PreTransaction {
			return outcomes, &AbortError{Outcome: o}
		}
	}
	return outcomes, nil
}

func (e Executor) one(ctx context.Context, r Run) Outcome {
	o := Outcome{Hook: r.Hook}
	for _, dep := range r.Hook.Depends {
		if e.Satisfied == nil || !e.Satisfied(dep) {
			o.Err = fmt.Errorf("%w: %s", ErrDependency, dep)
			return o
		}
	}
	var stdin io.Reader
	if r.Hook.NeedsTargets {
		stdin = strings.NewReader(strings.Join(r.Targets, "\n") + "\n")
	}
	chroot := e.Chroot
	if r.Hook.Network && e.Networked != nil {
		chroot = e.Networked
	}
	o.Code, o.Err = chroot.Run(ctx, e.Root, r.Hook.Exec, stdin, e.Output)
	return o
}
