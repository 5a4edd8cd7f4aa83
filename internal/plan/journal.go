// SPDX-License-Identifier: GPL-3.0-or-later

package plan

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Record is one line of a journal.
type Record struct {
	Time time.Time `json:"time"`
	What What      `json:"what"`
	Step string    `json:"step,omitempty"`
	// Error says why a step failed or a run ended badly.
	Error string `json:"error,omitempty"`
	// Data is the caller's own: what the plan is (in the first record), or
	// what must be known to finish or take back a step.
	Data json.RawMessage `json:"data,omitempty"`
}

// What a record says. The values are part of the file format.
type What string

// The records of a journal, in the order in which they come.
const (
	WhatBegin  What = "begin"
	WhatStart  What = "start"
	WhatData   What = "data"
	WhatDone   What = "done"
	WhatFailed What = "failed"
	WhatUndone What = "undone"
	WhatEnd    What = "end"
)

// Journal is the record of a run on disk: one JSON object a line, each line
// synced before the work that it announces. A nil *Journal records nothing.
type Journal struct {
	f   *os.File
	now func() time.Time
}

// Create begins a journal at path, which must not exist: the file and its
// directory entry are on disk when Create returns. data says what the plan
// is, for recovery.
func Create(path string, data any, now func() time.Time) (*Journal, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("create journal: %w", err)
	}
	j := &Journal{f: f, now: now}
	if err := errors.Join(j.write(Record{What: WhatBegin}, data), syncDir(filepath.Dir(path))); err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(path))
	}
	return j, nil
}

// Resume opens the journal of an interrupted run to append to it, after
// cutting off a torn last line.
func Resume(path string, now func() time.Time) (*Journal, *State, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, fmt.Errorf("read journal: %w", err)
	}
	state, err := Read(bytes.NewReader(data))
	if err != nil {
		return nil, nil, fmt.Errorf("read journal %s: %w", path, err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("open journal: %w", err)
	}
	if err := f.Truncate(state.length); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("mend journal %s: %w", path, err), f.Close())
	}
	return &Journal{f: f, now: now}, state, nil
}

// Start records that a step is about to run.
func (j *Journal) Start(step string) error { return j.write(Record{What: WhatStart, Step: step}, nil) }

// Done records that a step is complete.
func (j *Journal) Done(step string) error { return j.write(Record{What: WhatDone, Step: step}, nil) }

// Undone records that a completed step was taken back.
func (j *Journal) Undone(step string) error {
	return j.write(Record{What: WhatUndone, Step: step}, nil)
}

// Failed records that a step did not succeed.
func (j *Journal) Failed(step string, cause error) error {
	return j.write(Record{What: WhatFailed, Step: step, Error: cause.Error()}, nil)
}

// Data records something that recovery needs; the last one of a step counts.
func (j *Journal) Data(step string, data any) error {
	return j.write(Record{What: WhatData, Step: step}, data)
}

// End records how the run ended and closes the file.
func (j *Journal) End(cause error) error {
	if j == nil {
		return nil
	}
	r := Record{What: WhatEnd}
	if cause != nil {
		r.Error = cause.Error()
	}
	return errors.Join(j.write(r, nil), j.f.Close())
}

func (j *Journal) write(r Record, data any) error {
	if j == nil {
		return nil
	}
	r.Time = j.now().UTC()
	if data != nil {
		raw, err := json.Marshal(data)
		if err != nil {
			return fmt.Errorf("write journal: %w", err)
		}
		r.Data = raw
	}
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	if _, err := j.f.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	if err := j.f.Sync(); err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	return nil
}

// State is what a journal says.
type State struct {
	// Plan is the data of the first record.
	Plan json.RawMessage
	// Ended says that the run came to its end, well or (Error) badly.
	Ended bool
	Error string
	// Running is the step that was started and neither done nor failed, or "".
	Running string

	finished map[string]bool
	data     map[string]json.RawMessage
	length   int64
}

// Finished says that a step was completed and not undone.
func (s *State) Finished(step string) bool { return s.finished[step] }

// Data is what was last recorded for a step, or nil.
func (s *State) Data(step string) json.RawMessage { return s.data[step] }

// Read reads a journal. A last line without its end was torn by a cut and is
// left out; a broken line before that is an error.
func Read(r io.Reader) (*State, error) {
	s := &State{finished: map[string]bool{}, data: map[string]json.RawMessage{}}
	br := bufio.NewReader(r)
	for n := 1; ; n++ {
		line, err := br.ReadBytes('\n')
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		var rec Record
		if err := json.Unmarshal(line, &rec); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if (n == 1) != (rec.What == WhatBegin) {
			return nil, fmt.Errorf("line %d: unexpected record %q", n, rec.What)
		}
		s.apply(rec)
		s.length += int64(len(line))
	}
	if s.length == 0 {
		return nil, errors.New("it is empty")
	}
	return s, nil
}

func (s *State) apply(r Record) {
	switch r.What {
	case WhatBegin:
		s.Plan = r.Data
	case WhatStart:
		s.Running = r.Step
	case WhatData:
		s.data[r.Step] = r.Data
	case WhatDone:
		s.finished[r.Step], s.Running = true, ""
	case WhatFailed:
		s.Running = ""
	case WhatUndone:
		delete(s.finished, r.Step)
	case WhatEnd:
		s.Ended, s.Error = true, r.Error
	}
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}
