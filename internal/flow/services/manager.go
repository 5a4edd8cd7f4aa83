// SPDX-License-Identifier: GPL-3.0-or-later

package services

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rastos/rastos/internal/supervise"
	"github.com/rastos/rastos/internal/supervise/control"
	"github.com/rastos/rastos/internal/supervise/logs"
)

// State is what a manager knows of a service.
type State = control.Service

// Result is what became of a service.
type Result = control.Result

// Line is a line of a service's log.
type Line = logs.Entry

// stopWithin is how long services have to be down when their manager ends.
const stopWithin = 90 * time.Second

// Supervise runs the manager of a scope until ctx ends, and then stops its
// services. note hears what people want to know, from several goroutines.
func (s Services) Supervise(ctx context.Context, scope Scope, note func(service, text string, bad bool)) error {
	p, err := s.find(scope)
	if err != nil {
		return err
	}
	return supervise.Run(ctx, supervise.Config{
		Runtime: p.runtime, Logs: p.logs, Env: s.Environ, Now: s.Now, StopWithin: stopWithin, Note: note, Adopt: true,
		Load: func() (load supervise.Services, err error) {
			if load.Graph, err = s.graph(scope, p); err != nil {
				return load, err
			}
			tree, err := s.Tree("/")
			if err != nil {
				return load, err
			}
			defer tree.Close()
			load.Enabled, err = enabledIn(tree, p)
			return load, err
		},
	})
}

// call asks the manager of a scope.
func (s Services) call(ctx context.Context, scope Scope, r control.Request) (control.Response, error) {
	p, err := s.find(scope)
	if err != nil {
		return control.Response{}, err
	}
	a, err := control.Call(ctx, supervise.SocketPath(p.runtime), r)
	switch {
	case err != nil:
		return a, err
	case len(a.Mistakes) > 0:
		return a, a.Mistakes
	case a.Error != "":
		return a, errors.New(a.Error)
	}
	return a, nil
}

// List tells of services, or of all.
func (s Services) List(ctx context.Context, scope Scope, names []string) ([]State, error) {
	a, err := s.call(ctx, scope, control.Request{Verb: control.List, Services: names})
	return slices.Concat([]State{}, a.Services), err
}

// Start starts services with all that they need, and waits until they are
// up or have failed.
func (s Services) Start(ctx context.Context, scope Scope, names []string) ([]Result, error) {
	a, err := s.call(ctx, scope, control.Request{Verb: control.Start, Services: names})
	return a.Results, err
}

// Stop stops services, and waits until they are down. What depends on them
// is stopped first if recursive is true, and else a reason to refuse.
func (s Services) Stop(ctx context.Context, scope Scope, names []string, recursive bool) ([]Result, error) {
	a, err := s.call(ctx, scope, control.Request{Verb: control.Stop, Services: names, Recursive: recursive})
	return a.Results, err
}

// Restart ends services and starts them again; what depends on them goes
// on.
func (s Services) Restart(ctx context.Context, scope Scope, names []string) ([]Result, error) {
	a, err := s.call(ctx, scope, control.Request{Verb: control.Restart, Services: names})
	return a.Results, err
}

// Reload lets the manager read the service files again.
func (s Services) Reload(ctx context.Context, scope Scope) error {
	_, err := s.call(ctx, scope, control.Request{Verb: control.Reload})
	return err
}

// LogRequest says what of a log is wanted.
type LogRequest struct {
	Service string
	Since   time.Duration // ago; 0: from the beginning
	Last    int           // so many lines; negative: all
	Follow  bool          // go on until ctx ends
}

// Log hands over lines of the log of a service, the oldest first. The
// manager need not run.
func (s Services) Log(ctx context.Context, scope Scope, r LogRequest, each func(Line) error) error {
	p, err := s.find(scope)
	if err != nil {
		return err
	}
	g, err := s.graph(scope, p)
	if err == nil && g.Service(r.Service) == nil { // with mistakes in the files, the log is still worth a look
		_, err = g.Only(r.Service)
		return err
	}
	q := logs.Query{Last: r.Last}
	if r.Since > 0 {
		q.Since = s.Now().Add(-r.Since)
	}
	if r.Follow {
		return logs.Follow(ctx, p.logs, r.Service, q, each)
	}
	if err := logs.Read(p.logs, r.Service, q, each); err != nil {
		return fmt.Errorf("service %s: %w", r.Service, err)
	}
	return nil
}
