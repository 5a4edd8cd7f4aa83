// SPDX-License-Identifier: GPL-3.0-or-later

package report

import (
	"encoding/json"
	"io"
	"sync"
	"time"
)

// jsonEvery thins out progress: programs that draw need no more.
const jsonEvery = 200 * time.Millisecond

// JSON writes every event as one JSON object on a line of its own, with the
// time at which it came.
type JSON struct {
	mu     sync.Mutex
	enc    *json.Encoder
	now    func() time.Time
	spoke  map[string]time.Time
	err    error
	closed bool
}

// NewJSON writes to w; now is the clock.
func NewJSON(w io.Writer, now func() time.Time) *JSON {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return &JSON{enc: enc, now: now, spoke: map[string]time.Time{}}
}

// Emit writes one event.
func (j *JSON) Emit(e Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return
	}
	now := j.now()
	switch e.Kind {
	case Progress:
		if last, ok := j.spoke[e.Task]; ok && now.Sub(last) < jsonEvery {
			return
		}
		j.spoke[e.Task] = now
	case Done, Failed:
		delete(j.spoke, e.Task)
	}
	err := j.enc.Encode(struct {
		Time string `json:"time"`
		Event
	}{now.UTC().Format(time.RFC3339Nano), e})
	if err != nil && j.err == nil {
		j.err = err
	}
}

// Close stops the writing.
func (j *JSON) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.closed = true
	return j.err
}
