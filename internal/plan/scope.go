// SPDX-License-Identifier: GPL-3.0-or-later

package plan

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// Scope is a stack of releases: what was taken last is given back first.
//
//	var scope plan.Scope
//	defer scope.Close(&err)
//	dev, err := loop.Attach(…)
//	scope.Defer("detach "+dev.Path, func(context.Context) error { return dev.Detach() })
//
// Its zero value is ready. It may be used by several goroutines.
type Scope struct {
	mu    sync.Mutex
	stack []release
}

type release struct {
	name string
	do   func(context.Context) error
}

// Defer puts a release on the stack; name says what it does, for errors.
func (s *Scope) Defer(name string, do func(context.Context) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stack = append(s.stack, release{name, do})
}

// Release runs the releases in reverse and empties the stack. All of them run
// even if one fails or ctx was cancelled: an interrupt must leave nothing.
func (s *Scope) Release(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	var errs []error
	for {
		r, ok := s.pop()
		if !ok {
			return errors.Join(errs...)
		}
		if err := releaseOne(ctx, r); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", r.name, err))
		}
	}
}

// Close releases and joins what went wrong into *err; it is meant for defer.
func (s *Scope) Close(err *error) {
	*err = errors.Join(*err, s.Release(context.Background()))
}

// Keep empties the stack without running it: what was taken now belongs to
// the caller.
func (s *Scope) Keep() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stack = nil
}

func (s *Scope) pop() (release, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.stack) == 0 {
		return release{}, false
	}
	r := s.stack[len(s.stack)-1]
	s.stack = s.stack[:len(s.stack)-1]
	return r, true
}

func releaseOne(ctx context.Context, r release) error {
	ctx, cancel := context.WithTimeout(ctx, undoTime)
	defer cancel()
	return r.do(ctx)
}
