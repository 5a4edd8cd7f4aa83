// SPDX-License-Identifier: GPL-3.0-or-later

package report

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// Renderer draws events. Close finishes the drawing and reports the first
// error in writing; events after Close are dropped.
type Renderer interface {
	Sink
	io.Closer
}

// plainEvery is how often a long task says in a pipe or a log that it lives.
const plainEvery = 10 * time.Second

// Plain draws events as lines, for pipes and logs: no escape codes, no
// rewriting, and progress of one task at most every ten seconds.
type Plain struct {
	mu     sync.Mutex
	w      io.Writer
	now    func() time.Time
	began  map[string]time.Time
	spoke  map[string]time.Time
	err    error
	closed bool
}

// NewPlain draws on w; now is the clock.
func NewPlain(w io.Writer, now func() time.Time) *Plain {
	return &Plain{w: w, now: now, began: map[string]time.Time{}, spoke: map[string]time.Time{}}
}

// Emit draws one event.
func (p *Plain) Emit(e Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	switch e.Kind {
	case Start:
		p.began[e.Task], p.spoke[e.Task] = p.now(), p.now()
		p.line("%s%s", e.Task, suffix(e.Message))
	case Progress:
		if p.now().Sub(p.spoke[e.Task]) < plainEvery {
			return
		}
		p.spoke[e.Task] = p.now()
		p.line("%s: %s", e.Task, amount(e))
	case Done:
		p.line("%s: done%s%s", e.Task, p.elapsed(e.Task), suffix(e.Message))
		p.forget(e.Task)
	case Failed:
		p.line("%s: failed%s%s", e.Task, p.elapsed(e.Task), suffix(e.Message))
		p.forget(e.Task)
	case Warning:
		p.line("warning: %s", e.Message)
	case Output:
		p.line("  %s| %s", e.Task, e.Message)
	case Note:
		p.line("%s", e.Message)
	}
}

// Close stops the drawing.
func (p *Plain) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	return p.err
}

func (p *Plain) line(format string, args ...any) {
	if _, err := fmt.Fprintf(p.w, format+"\n", args...); err != nil && p.err == nil {
		p.err = err
	}
}

func (p *Plain) elapsed(task string) string {
	began, ok := p.began[task]
	if !ok {
		return ""
	}
	return " in " + Duration(p.now().Sub(began))
}

func (p *Plain) forget(task string) {
	delete(p.began, task)
	delete(p.spoke, task)
}

func suffix(message string) string {
	if message == "" {
		return ""
	}
	return ": " + message
}
