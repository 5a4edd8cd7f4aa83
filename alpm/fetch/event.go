// SPDX-License-Identifier: GPL-3.0-or-later

package fetch

import (
	"path/filepath"
	"strings"
)

// EventKind says what an Event tells.
type EventKind int

// What happens to a file, in about this order.
const (
	Begun    EventKind = iota // the file is not here and is now asked for
	Started                   // a mirror answered and sends the file; Done is where it resumes
	Progress                  // Done of Total bytes are here
	Retry                     // the mirror at URL failed with Err; another may follow
	Banned                    // the host of URL failed too often and is left alone from now on
	Finished                  // the file is at its Dest; Status says how, Done how much was downloaded
	Failed                    // no mirror gave it; Err says why
)

// An Event is one thing that happened to one file.
type Event struct {
	Kind   EventKind
	Name   string // base name of Dest
	URL    string // without a password
	Done   int64  // bytes
	Total  int64  // bytes; 0 if unknown
	Status Status
	Err    error
}

func (f *Fetcher) emit(e Event) {
	if f.Events == nil {
		return
	}
	f.eventMu.Lock()
	defer f.eventMu.Unlock()
	f.Events(e)
}

// name is the one that was asked for, whatever the server calls the file.
func (d *download) name() string { return strings.TrimSuffix(filepath.Base(d.part), partSuffix) }

func (d *download) event(kind EventKind) Event {
	e := Event{Kind: kind, Name: d.name(), URL: redact(d.res.URL), Status: d.res.Status}
	if kind == Finished && e.Status == Downloaded {
		e.Done, e.Total = d.res.Size, d.res.Size
	}
	return e
}
