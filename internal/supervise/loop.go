// SPDX-License-Identifier: GPL-3.0-or-later

package supervise

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/rastos/rastos/internal/mistake"
	"github.com/rastos/rastos/internal/supervise/control"
	"github.com/rastos/rastos/internal/supervise/logs"
	"github.com/rastos/rastos/internal/supervise/process"
	"github.com/rastos/rastos/internal/supervise/state"
	"github.com/rastos/rastos/rinit"
)

// Config says what a manager manages, and where.
type Config struct {
	// Load reads the service files. Mistakes in them are a mistake.List.
	Load func() (Services, error)
	// Runtime is a folder for sockets that goes when the machine does.
	Runtime string
	Logs    string   // folder of the logs
	Env     []string // of services, besides their own
	Now     func() time.Time
	// StopWithin is how long services have to be down when the manager ends.
	StopWithin time.Duration
	// Note hears what people want to know; service is empty where it is about the
	// manager. It may be called by several goroutines at once.
	Note func(service, text string, bad bool)
	// Adopt makes the manager the parent of what services leave behind. It is for a
	// process that has no other children.
	Adopt bool
}

// Services are those that there are.
type Services struct {
	Graph   *rinit.Graph
	Enabled []string // start with the manager, where they start by themselves
}

// SocketPath is the socket in the runtime folder of a manager.
func SocketPath(runtime string) string { return filepath.Join(runtime, "control") }

// BlockedError tells what a manager could not end in time.
type BlockedError struct{ Services []state.Result }

func (e *BlockedError) Error() string {
	text := "not all services were down in time:"
	for _, r := range e.Services {
		text += fmt.Sprintf("\n  %s: %s", r.Service, r.Failure)
	}
	return text
}

// Run runs a manager until ctx ends, and then stops all services.
func Run(ctx context.Context, c Config) error {
	services, err := c.Load()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(c.Runtime, "notify"), 0o711); err != nil {
		return fmt.Errorf("start the service manager: %w", err)
	}
	l, err := control.Listen(SocketPath(c.Runtime))
	if err != nil {
		return err
	}
	m := newLoop(c, services)
	background, hangUp := context.WithCancel(context.WithoutCancel(ctx)) // till all services are down
	defer hangUp()
	if err := m.contain(background); err != nil {
		l.Close()
		return err
	}
	answering := make(chan struct{})
	go func() {
		defer close(answering)
		control.Serve(background, l, m.answer)
	}()
	blocked := m.run(ctx, services.Enabled)
	l.Close()
	hangUp()
	<-answering
	err = m.finish()
	if len(blocked) > 0 {
		err = errors.Join(&BlockedError{blocked}, err)
	}
	return err
}

// loop owns the state of the services.
type loop struct {
	Config
	state    *state.Manager
	events   chan state.Event
	calls    chan call
	over     chan struct{} // closed when nobody takes events any more
	failed   []state.Event // processes that could not be started
	runs     map[state.RunID]*process.Process
	logs     map[string]*logs.Log
	groups   *process.Cgroups
	freeing  sync.WaitGroup
	last     state.RequestID
	waiting  map[state.RequestID]func([]state.Result)
	children process.Children
}

// call is a request of people, in the loop's turn.
type call struct {
	request control.Request
	reply   func(control.Response)
}

func newLoop(c Config, s Services) *loop {
	return &loop{
		Config: c, state: state.New(s.Graph), events: make(chan state.Event), calls: make(chan call), over: make(chan struct{}),
		runs: map[state.RunID]*process.Process{}, logs: map[string]*logs.Log{}, waiting: map[state.RequestID]func([]state.Result){},
	}
}

// contain settles how what services start is kept together.
func (m *loop) contain(ctx context.Context) error {
	groups, err := process.OpenCgroups(cgroupName(m.Runtime))
	if err != nil {
		m.Note("", fmt.Sprintf("what leaves its process group will survive its service: %v", err), true)
	} else if err := groups.KillAll(); err != nil {
		return fmt.Errorf("end what an earlier service manager has left: %w", err)
	}
	m.groups = groups
	if !m.Adopt {
		return nil
	}
	return m.children.Adopt(ctx)
}

// cgroupName is the folder of cgroups of the manager with that runtime folder:
// another one may run beside it, and its services are its own.
func cgroupName(runtime string) string {
	return fmt.Sprintf("rastos-services-%08x", crc32.ChecksumIEEE([]byte(runtime)))
}

// run is the loop. It returns what did not end in time.
func (m *loop) run(ctx context.Context, enabled []string) (blocked []state.Result) {
	defer close(m.over)
	m.handle(state.Boot{Request: m.request(nil), Enabled: enabled})
	ending, ended := ctx.Done(), false
	timer := time.NewTimer(0)
	defer timer.Stop()
	for !ended {
		timer.Stop()
		if at, ok := m.state.Deadline(); ok {
			timer.Reset(at.Sub(m.Now()))
		}
		select {
		case ev := <-m.events:
			m.handle(ev)
		case c := <-m.calls:
			m.serve(c)
		case <-timer.C:
			m.handle(state.Wake{})
		case <-ending:
			ending = nil
			m.Note("", "stopping all services", false)
			m.handle(state.Shutdown{Request: m.request(func(r []state.Result) { blocked, ended = r, true }), Within: m.StopWithin})
		}
	}
	return blocked
}

// request names a request, of which the answer goes to then.
func (m *loop) request(then func([]state.Result)) state.RequestID {
	m.last++
	if then != nil {
		m.waiting[m.last] = then
	}
	return m.last
}

// handle lets the state take an event, and carries out what comes of it.
func (m *loop) handle(ev state.Event) {
	m.carryOut(m.state.Handle(m.Now(), ev))
	for len(m.failed) > 0 {
		next := m.failed[0]
		m.failed = m.failed[1:]
		m.carryOut(m.state.Handle(m.Now(), next))
	}
}

func (m *loop) carryOut(actions []state.Action) {
	for _, a := range actions {
		var err error
		switch a := a.(type) {
		case state.Spawn:
			m.spawn(a)
		case state.Signal:
			if p := m.runs[a.Run]; p != nil { // it may not even have started
				err = p.Signal(a.Name)
			}
		case state.Kill:
			if p := m.runs[a.Run]; p != nil {
				err = p.Kill()
			}
		case state.Sweep:
			m.sweep(a.Run)
		case state.Reply:
			if then := m.waiting[a.Request]; then != nil {
				delete(m.waiting, a.Request)
				then(a.Results)
			}
		case state.Note:
			m.Note(a.Service, a.Text, a.Bad)
		}
		if err != nil {
			m.Note("", err.Error(), true)
		}
	}
}

// finish frees what the loop held.
func (m *loop) finish() error {
	m.freeing.Wait()
	var err error
	for _, l := range m.logs {
		err = errors.Join(err, l.Close())
	}
	return errors.Join(err, m.groups.Close())
}

// answer takes a request of people into the loop, and waits for what comes of it.
func (m *loop) answer(ctx context.Context, r control.Request) control.Response {
	answer := make(chan control.Response, 1)
	select {
	case m.calls <- call{r, func(a control.Response) { answer <- a }}:
	case <-m.over:
		return control.Response{Error: "the service manager ends"}
	}
	select {
	case a := <-answer:
		return a
	case <-m.over:
		select {
		case a := <-answer:
			return a
		default:
			return control.Response{Error: "the service manager ends"}
		}
	case <-ctx.Done():
		return control.Response{Error: "nobody waits for the answer"}
	}
}

// serve does what people ask for.
func (m *loop) serve(c call) {
	then := func(results []state.Result) {
		var a control.Response
		for _, r := range results {
			a.Results = append(a.Results, control.Result(r))
		}
		c.reply(a)
	}
	names := c.request.Services
	switch c.request.Verb {
	case control.List:
		c.reply(m.list(names))
	case control.Start:
		m.handle(state.Start{Request: m.request(then), Names: names})
	case control.Stop:
		m.handle(state.Stop{Request: m.request(then), Names: names, Recursive: c.request.Recursive})
	case control.Restart:
		m.handle(state.Restart{Request: m.request(then), Names: names})
	case control.Reload:
		services, err := m.Load()
		var wrong mistake.List
		switch {
		case errors.As(err, &wrong):
			c.reply(control.Response{Error: "the service files have mistakes; nothing is changed", Mistakes: wrong})
		case err != nil:
			c.reply(control.Response{Error: err.Error()})
		default:
			m.handle(state.Reload{Request: m.request(then), Graph: services.Graph})
		}
	default:
		c.reply(control.Response{Error: fmt.Sprintf("there is no request %q", c.request.Verb)})
	}
}
