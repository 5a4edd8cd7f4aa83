// SPDX-License-Identifier: GPL-3.0-or-later

package state

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/rastos/rastos/rinit"
)

// Manager is the state of all services.
type Manager struct {
	graph   *rinit.Graph
	units   map[string]*unit
	runs    map[RunID]*unit
	lastRun RunID
	now     time.Time
	actions []Action
	waits   []*wait

	boot     []stageOfBoot
	shutdown *closing
}

// stageOfBoot is a runlevel that starts when the one before it is settled.
type stageOfBoot struct {
	request RequestID
	names   []string
	begun   bool
}

// closing is a shutdown under way.
type closing struct {
	request  RequestID
	levels   []rinit.Runlevel // to be stopped; the first is on its way
	deadline time.Time        // zero: it has passed
	blocked  []Result         // what was there at the deadline
}

// New returns a manager of the services of a graph, all of which are down.
func New(g *rinit.Graph) *Manager {
	m := &Manager{units: map[string]*unit{}, runs: map[RunID]*unit{}}
	m.adopt(g)
	return m
}

// adopt takes the services of a graph over.
func (m *Manager) adopt(g *rinit.Graph) {
	m.graph = g
	for _, u := range m.sorted() {
		s := g.Service(u.name)
		u.next, u.gone = nil, false
		switch {
		case s == nil || s.Type == rinit.Bundle || s.Type == rinit.Virtual:
			u.gone = true
		case s != u.service:
			u.next = s
		}
		if u.phase == down {
			u.fall()
		}
	}
	for _, name := range g.Names() {
		s := g.Service(name)
		if m.units[name] == nil && (s.Type == rinit.Longrun || s.Type == rinit.Oneshot) {
			m.units[name] = &unit{m: m, name: name, service: s, phase: down, since: m.now}
		}
	}
}

// sorted are the units by name.
func (m *Manager) sorted() []*unit {
	out := make([]*unit, 0, len(m.units))
	for _, name := range slices.Sorted(maps.Keys(m.units)) {
		out = append(out, m.units[name])
	}
	return out
}

func (m *Manager) act(a Action) { m.actions = append(m.actions, a) }

func (m *Manager) note(u *unit, bad bool, format string, args ...any) {
	m.act(Note{u.name, fmt.Sprintf(format, args...), bad})
}

// Handle takes an event that happened at a time, and returns what is to be done.
func (m *Manager) Handle(now time.Time, ev Event) []Action {
	m.now, m.actions = now, nil
	switch ev := ev.(type) {
	case Exited:
		if u := m.runs[ev.Run]; u != nil {
			u.exited(ev.Exit)
		}
	case Ready:
		if u := m.runs[ev.Run]; u != nil {
			u.ready()
		}
	case Boot:
		m.bootUp(ev)
	case Start:
		m.start(ev)
	case Stop:
		m.stop(ev)
	case Restart:
		m.restart(ev)
	case Reload:
		m.adopt(ev.Graph)
		m.act(Reply{Request: ev.Request})
	case Shutdown:
		m.shutDown(ev)
	}
	for _, u := range m.sorted() {
		if !u.deadline.IsZero() && !u.deadline.After(now) {
			u.expire()
		}
	}
	m.settle()
	return m.actions
}

// settle goes on with all that waits, until nothing can.
func (m *Manager) settle() {
	for {
		moved := false
		for _, u := range m.sorted() {
			moved = m.step(u) || moved
		}
		moved = m.answer() || moved
		moved = m.nextBoot() || moved
		moved = m.nextClosing() || moved
		if !moved {
			return
		}
	}
}

// step lets one service go on, if it waits and may.
func (m *Manager) step(u *unit) bool {
	switch {
	case u.want && u.phase == down:
		u.enter(waiting)
		return true
	case u.want && u.phase == waiting:
		now, wrong := m.mayStart(u.name)
		switch {
		case wrong != "":
			u.fail(wrong)
		case now:
			u.begin()
		}
		return now || wrong != ""
	case u.want && u.bounced && u.phase == up:
		u.lower()
		return true
	case u.want || m.cut():
		return false
	case u.phase == waiting || u.phase == pausing,
		(u.phase == up || u.phase == starting && u.stage == running) && m.mayStop(u.name):
		u.lower()
		return true
	}
	return false
}

// Deadline is when a Wake is due if nothing happens before; ok is false if never.
func (m *Manager) Deadline() (at time.Time, ok bool) {
	consider := func(d time.Time) {
		if !d.IsZero() && (!ok || d.Before(at)) {
			at, ok = d, true
		}
	}
	for _, u := range m.units {
		consider(u.deadline)
	}
	if m.shutdown != nil {
		consider(m.shutdown.deadline)
	}
	return at, ok
}
