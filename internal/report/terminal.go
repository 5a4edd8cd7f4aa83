// SPDX-License-Identifier: GPL-3.0-or-later

package report

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// Terminal draws a bar for every open task and lines above them. It is for
// terminals only: New chooses it when the output is one.
//
// When somebody else has to write to the terminal (a table, a question, a
// guest's console), Pause takes the bars away first; the next event brings
// them back.
type Terminal struct {
	mu     sync.Mutex
	w      io.Writer
	opts   []mpb.ContainerOption
	bars   *mpb.Progress // nil while paused
	style  Style
	now    func() time.Time
	tasks  map[string]*bar
	err    error
	closed bool
}

// bar is an open task; Bar is nil while it is not drawn.
type bar struct {
	*mpb.Bar
	began time.Time
}

// NewTerminal draws on w with the given style; now is the clock. Options are
// mpb's own, for tests that have no terminal.
func NewTerminal(w io.Writer, style Style, now func() time.Time, opts ...mpb.ContainerOption) *Terminal {
	opts = append([]mpb.ContainerOption{
		mpb.WithOutput(w), mpb.WithAutoRefresh(), mpb.WithRefreshRate(100 * time.Millisecond),
	}, opts...)
	return &Terminal{w: w, opts: opts, style: style, now: now, tasks: map[string]*bar{}}
}

// Emit draws one event.
func (t *Terminal) Emit(e Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return
	}
	switch e.Kind {
	case Start:
		t.end(e.Task)
		t.tasks[e.Task] = &bar{t.add(e), t.now()}
	case Progress:
		t.progress(e)
	case Done:
		took := t.end(e.Task)
		t.line("%s %s%s%s", t.style.Good("✓"), e.Task, suffix(e.Message), took)
	case Failed:
		took := t.end(e.Task)
		t.line("%s %s%s%s", t.style.Bad("✗"), e.Task, suffix(e.Message), took)
	case Warning:
		t.line("%s %s", t.style.Warn("warning:"), e.Message)
	case Output:
		t.line("%s", t.style.Dim("  "+e.Task+"| "+e.Message))
	case Note:
		t.line("%s", e.Message)
	}
}

func (t *Terminal) progress(e Event) {
	b, ok := t.tasks[e.Task]
	if !ok {
		b = &bar{began: t.now()}
		t.tasks[e.Task] = b
	}
	if b.Bar == nil {
		b.Bar = t.add(e)
	}
	if e.Total > 0 {
		b.SetTotal(e.Total, false)
	}
	b.SetCurrent(e.Done)
}

// Write puts whole lines above the bars: the log goes through here, so that it
// and the bars do not tear each other apart.
func (t *Terminal) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.bars == nil {
		return t.w.Write(p)
	}
	return t.bars.Write(p)
}

// Pause waits until all lines are drawn and takes the bars away.
func (t *Terminal) Pause() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pause()
}

func (t *Terminal) pause() {
	if t.bars == nil {
		return
	}
	for _, b := range t.tasks {
		if b.Bar != nil {
			b.Abort(true)
			b.Bar = nil
		}
	}
	t.bars.Wait()
	if t.err == nil {
		t.err = t.bars.Error
	}
	t.bars = nil
}

// Close takes the remaining bars away and waits until all is drawn.
func (t *Terminal) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pause()
	t.closed = true
	return t.err
}

// drawn returns what the bars are drawn with.
func (t *Terminal) drawn() *mpb.Progress {
	if t.bars == nil {
		t.bars = mpb.New(t.opts...)
	}
	return t.bars
}

// add opens a bar; a task of unknown size gets a spinner.
func (t *Terminal) add(e Event) *mpb.Bar {
	name := decor.Name(e.Task, decor.WC{C: decor.DindentRight | decor.DextraSpace})
	if e.Total <= 0 {
		return t.drawn().AddSpinner(0, mpb.PrependDecorators(name), mpb.BarRemoveOnComplete())
	}
	counters := decor.CountersNoUnit("%d / %d")
	if e.Unit == Bytes {
		counters = decor.CountersKibiByte("% .1f / % .1f")
	}
	// A bar made without a size does not close itself when the size set later
	// is reached: only Done or Failed close a task.
	b := t.drawn().AddBar(0, mpb.BarRemoveOnComplete(), mpb.BarWidth(60),
		mpb.PrependDecorators(name),
		mpb.AppendDecorators(counters, decor.Name("  "), decor.Percentage()))
	b.SetTotal(e.Total, false)
	return b
}

// end takes the task's bar away and says how long it took.
func (t *Terminal) end(task string) string {
	b, ok := t.tasks[task]
	if !ok {
		return ""
	}
	if b.Bar != nil {
		b.Abort(true)
	}
	delete(t.tasks, task)
	return t.style.Dim(" (" + Duration(t.now().Sub(b.began)) + ")")
}

func (t *Terminal) line(format string, args ...any) {
	w := t.w
	if t.bars != nil {
		w = t.bars
	}
	if _, err := fmt.Fprintf(w, format+"\n", args...); err != nil && t.err == nil {
		t.err = err
	}
}
