// SPDX-License-Identifier: GPL-3.0-or-later

package report

import "fmt"

// Kind says what an event is about. The values are part of the JSON output.
type Kind string

// The kinds of events.
const (
	// Start opens a task; Total and Unit say how much there is, when known.
	Start Kind = "start"
	// Progress reports Done (and Total) of an open task. It may come often:
	// renderers thin it out.
	Progress Kind = "progress"
	// Done closes a task that succeeded; Message may sum it up.
	Done Kind = "done"
	// Failed closes a task that did not succeed; Message says why.
	Failed Kind = "failed"
	// Note is a line for people.
	Note Kind = "note"
	// Warning is a line for people that they should not miss.
	Warning Kind = "warning"
	// Output is a line that a program run on the person's behalf wrote
	// (a scriptlet, make); Task names the program.
	Output Kind = "output"
	// Result carries, in Data, the value that a verb answers with. Only
	// programs see it; people are shown a table by the verb itself.
	Result Kind = "result"
)

// Unit says what Done and Total count.
type Unit string

// The units of progress.
const (
	Items Unit = ""
	Bytes Unit = "bytes"
)

// Event is one thing that happened.
type Event struct {
	Kind Kind `json:"kind"`
	// Task names the piece of work, as people read it ("install packages").
	// It identifies a task from Start to Done or Failed.
	Task    string `json:"task,omitempty"`
	Message string `json:"message,omitempty"`
	Done    int64  `json:"done,omitempty"`
	Total   int64  `json:"total,omitempty"`
	Unit    Unit   `json:"unit,omitempty"`
	// Data is for programs; it must encode as JSON.
	Data any `json:"data,omitempty"`
}

// Sink receives events. Emit must not block for long and must be safe for
// use by several goroutines.
type Sink interface {
	Emit(Event)
}

// SinkFunc makes a Sink of a function.
type SinkFunc func(Event)

// Emit calls f.
func (f SinkFunc) Emit(e Event) { f(e) }

// Discard is a Sink that drops every event.
type Discard struct{}

// Emit does nothing.
func (Discard) Emit(Event) {}

// Notef emits a note.
func Notef(s Sink, format string, args ...any) {
	s.Emit(Event{Kind: Note, Message: fmt.Sprintf(format, args...)})
}

// Warnf emits a warning.
func Warnf(s Sink, format string, args ...any) {
	s.Emit(Event{Kind: Warning, Message: fmt.Sprintf(format, args...)})
}

// Task is an open task; it counts, and closes itself once.
type Task struct {
	sink  Sink
	name  string
	total int64
	unit  Unit
}

// Begin opens a task. A total of 0 means that it is not known.
func Begin(s Sink, name string, total int64, unit Unit) *Task {
	s.Emit(Event{Kind: Start, Task: name, Total: total, Unit: unit})
	return &Task{sink: s, name: name, total: total, unit: unit}
}

// Progress reports that done units are finished.
func (t *Task) Progress(done int64) {
	t.sink.Emit(Event{Kind: Progress, Task: t.name, Done: done, Total: t.total, Unit: t.unit})
}

// End closes the task: as done with an optional summary, or as failed.
func (t *Task) End(err error, summary string) {
	if err != nil {
		t.sink.Emit(Event{Kind: Failed, Task: t.name, Message: err.Error()})
		return
	}
	t.sink.Emit(Event{Kind: Done, Task: t.name, Message: summary})
}
