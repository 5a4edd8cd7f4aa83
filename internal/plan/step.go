// SPDX-License-Identifier: GPL-3.0-or-later

package plan

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rastos/rastos/internal/report"
)

// Step is one piece of a plan.
type Step struct {
	// Name identifies the step in the plan and its journal; it is unique.
	Name string `json:"name"`
	// Detail says what it will do, for people.
	Detail string `json:"detail,omitempty"`
	// Do does it. It must leave nothing behind when it fails: Undo is called
	// only for steps whose Do returned nil.
	Do func(context.Context) error `json:"-"`
	// Undo takes it back; nil when there is nothing to take back. Its context
	// is not cancelled by an interrupt.
	Undo func(context.Context) error `json:"-"`
}

// StepError says which step failed and, if that went wrong too, what could
// not be undone.
type StepError struct {
	Step string
	Err  error
	// Undo is nil when everything done before was taken back.
	Undo error
}

func (e *StepError) Error() string {
	if e.Undo != nil {
		return fmt.Sprintf("%s: %v (and undoing the steps before it: %v)", e.Step, e.Err, e.Undo)
	}
	return fmt.Sprintf("%s: %v", e.Step, e.Err)
}

func (e *StepError) Unwrap() []error {
	if e.Undo == nil {
		return []error{e.Err}
	}
	return []error{e.Err, e.Undo}
}

// undoTime is how long one Undo may take before it is given up.
const undoTime = 2 * time.Minute

// Runner runs steps. The zero value with a Sink is ready.
type Runner struct {
	Sink report.Sink
	// Journal, when set, is told of every step before and after.
	Journal *Journal
	// Finished, when set, names steps that an earlier run has completed (see
	// State.Finished): they are not run again, and are not undone.
	Finished func(step string) bool
}

// Run runs the steps in order with a Runner that keeps no journal.
func Run(ctx context.Context, sink report.Sink, steps []Step) error {
	return Runner{Sink: sink}.Run(ctx, steps)
}

// Run runs the steps in order. When one fails, or ctx ends between two of
// them, the completed ones are undone in reverse and a *StepError returned.
func (r Runner) Run(ctx context.Context, steps []Step) error {
	if err := checkNames(steps); err != nil {
		return err
	}
	var done []Step
	for _, s := range steps {
		if r.Finished != nil && r.Finished(s.Name) {
			continue
		}
		did, err := r.one(ctx, s)
		if did {
			done = append(done, s)
		}
		if err != nil {
			return &StepError{Step: s.Name, Err: err, Undo: r.undo(ctx, done)}
		}
	}
	return nil
}

func checkNames(steps []Step) error {
	seen := map[string]bool{}
	for _, s := range steps {
		if seen[s.Name] || s.Name == "" {
			return fmt.Errorf("plan: step name %q is empty or used twice", s.Name)
		}
		seen[s.Name] = true
	}
	return nil
}

// one runs a step. did says that its work was done: true even if the journal
// could not be told, so that it is undone with the others.
func (r Runner) one(ctx context.Context, s Step) (did bool, err error) {
	if err := context.Cause(ctx); err != nil {
		return false, err
	}
	if err := r.Journal.Start(s.Name); err != nil {
		return false, err
	}
	r.Sink.Emit(report.Event{Kind: report.Start, Task: s.Name, Message: s.Detail})
	if err := s.Do(ctx); err != nil {
		r.Sink.Emit(report.Event{Kind: report.Failed, Task: s.Name, Message: err.Error()})
		return false, errors.Join(err, r.Journal.Failed(s.Name, err))
	}
	r.Sink.Emit(report.Event{Kind: report.Done, Task: s.Name})
	return true, r.Journal.Done(s.Name)
}

// undo takes back the completed steps, last first, all of them even if one
// cannot be, and after an interrupt too.
func (r Runner) undo(ctx context.Context, done []Step) error {
	ctx = context.WithoutCancel(ctx)
	var errs []error
	for i := len(done) - 1; i >= 0; i-- {
		s := done[i]
		if s.Undo == nil {
			continue
		}
		if err := undoOne(ctx, s); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", s.Name, err))
			continue
		}
		report.Notef(r.Sink, "undone: %s", s.Name)
		if err := r.Journal.Undone(s.Name); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func undoOne(ctx context.Context, s Step) error {
	ctx, cancel := context.WithTimeout(ctx, undoTime)
	defer cancel()
	return s.Undo(ctx)
}
