// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/rastos/rastos/internal/supervise"
	"github.com/rastos/rastos/internal/supervise/control"
	"github.com/rastos/rastos/internal/supervise/logs"
)

func isAbsent(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// ServiceState is what a manager knows of a service.
type ServiceState = control.Service

// ServiceResult is what became of a service.
type ServiceResult = control.Result

// ServiceLine is a line of a service's log.
type ServiceLine = logs.Entry

// stopWithin is how long services have to be down when their manager ends.
const stopWithin = 90 * time.Second

// SuperviseServices runs the manager of a scope until ctx ends, and then stops its
// services. note hears what people want to know, from several goroutines.
func (m *Machine) SuperviseServices(ctx context.Context, scope ServiceScope, note func(service, text string, bad bool)) error {
	p, err := m.places(scope)
	if err != nil {
		return err
	}
	return supervise.Run(ctx, supervise.Config{
		Runtime: p.runtime, Logs: p.logs, Env: m.Environ, Now: m.Now, StopWithin: stopWithin, Note: note, Adopt: true,
		Load: func() (s supervise.Services, err error) {
			if s.Graph, err = m.scopeGraph(scope, p); err != nil {
				return s, err
			}
			tree, err := m.Tree("/")
			if err != nil {
				return s, err
			}
			defer tree.Close()
			s.Enabled, err = enabledServices(tree, p)
			return s, err
		},
	})
}

// callManager asks the manager of a scope.
func (m *Machine) callManager(ctx context.Context, scope ServiceScope, r control.Request) (control.Response, error) {
	p, err := m.places(scope)
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

// ListServices tells of services, or of all.
func (m *Machine) ListServices(ctx context.Context, scope ServiceScope, names []string) ([]ServiceState, error) {
	a, err := m.callManager(ctx, scope, control.Request{Verb: control.List, Services: names})
	return slices.Concat([]ServiceState{}, a.Services), err
}

// StartServices starts services with all that they need, and waits until they are
// up or have failed.
func (m *Machine) StartServices(ctx context.Context, scope ServiceScope, names []string) ([]ServiceResult, error) {
	a, err := m.callManager(ctx, scope, control.Request{Verb: control.Start, Services: names})
	return a.Results, err
}

// StopServices stops services, and waits until they are down. What depends on them
// is stopped first if recursive is true, and else a reason to refuse.
func (m *Machine) StopServices(ctx context.Context, scope ServiceScope, names []string, recursive bool) ([]ServiceResult, error) {
	a, err := m.callManager(ctx, scope, control.Request{Verb: control.Stop, Services: names, Recursive: recursive})
	return a.Results, err
}

// RestartServices ends services and starts them again; what depends on them goes
// on.
func (m *Machine) RestartServices(ctx context.Context, scope ServiceScope, names []string) ([]ServiceResult, error) {
	a, err := m.callManager(ctx, scope, control.Request{Verb: control.Restart, Services: names})
	return a.Results, err
}

// ReloadServices lets the manager read the service files again.
func (m *Machine) ReloadServices(ctx context.Context, scope ServiceScope) error {
	_, err := m.callManager(ctx, scope, control.Request{Verb: control.Reload})
	return err
}

// ServiceLogRequest says what of a log is wanted.
type ServiceLogRequest struct {
	Service string
	Since   time.Duration // ago; 0: from the beginning
	Last    int           // so many lines; negative: all
	Follow  bool          // go on until ctx ends
}

// ServiceLog hands over lines of the log of a service, the oldest first. The
// manager need not run.
func (m *Machine) ServiceLog(ctx context.Context, scope ServiceScope, r ServiceLogRequest, each func(ServiceLine) error) error {
	p, err := m.places(scope)
	if err != nil {
		return err
	}
	g, err := m.scopeGraph(scope, p)
	if err == nil && g.Service(r.Service) == nil { // with mistakes in the files, the log is still worth a look
		_, err = g.Only(r.Service)
		return err
	}
	q := logs.Query{Last: r.Last}
	if r.Since > 0 {
		q.Since = m.Now().Add(-r.Since)
	}
	if r.Follow {
		return logs.Follow(ctx, p.logs, r.Service, q, each)
	}
	if err := logs.Read(p.logs, r.Service, q, each); err != nil {
		return fmt.Errorf("service %s: %w", r.Service, err)
	}
	return nil
}
