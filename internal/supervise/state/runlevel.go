// SPDX-License-Identifier: GPL-3.0-or-later

package state

import (
	"slices"
	"time"

	"github.com/rastos/rastos/rinit"
)

// bootUp starts a runlevel after the other.
func (m *Manager) bootUp(ev Boot) {
	levels := map[rinit.Runlevel][]string{}
	for _, name := range ev.Enabled {
		if s := m.graph.Service(name); s != nil && s.Autostart {
			levels[s.Runlevel] = append(levels[s.Runlevel], name)
		}
	}
	m.boot = append(m.boot, stageOfBoot{ev.Request, levels[rinit.Boot], false}, stageOfBoot{ev.Request, levels[rinit.Default], false})
}

// nextBoot begins the next runlevel when the one before it is settled.
func (m *Manager) nextBoot() bool {
	if len(m.boot) == 0 {
		return false
	}
	s := &m.boot[0]
	switch {
	case m.shutdown != nil:
	case !s.begun:
		s.begun = true
		m.raise(s.names)
		return true
	case slices.ContainsFunc(s.names, func(name string) bool { return m.unsettled(name, true) }):
		return false
	}
	m.boot = m.boot[1:]
	if len(m.boot) == 0 || m.boot[0].request != s.request {
		m.act(Reply{Request: s.request})
	}
	return true
}

func (m *Manager) shutDown(ev Shutdown) {
	if m.shutdown != nil {
		m.act(Reply{Request: ev.Request})
		return
	}
	m.shutdown = &closing{request: ev.Request, levels: []rinit.Runlevel{rinit.Default, rinit.Boot}, deadline: m.now.Add(ev.Within)}
	m.lowerLevel(rinit.Default)
}

// lowerLevel wants all services of a runlevel to be down.
func (m *Manager) lowerLevel(level rinit.Runlevel) {
	for _, u := range m.units {
		if u.service.Runlevel == level {
			u.dismiss()
		}
	}
}

// nextClosing goes on with a shutdown.
func (m *Manager) nextClosing() bool {
	c := m.shutdown
	if c == nil || len(c.levels) == 0 {
		return false
	}
	if !c.deadline.IsZero() && !c.deadline.After(m.now) {
		m.cutShort()
		return true
	}
	for _, u := range m.units {
		if u.service.Runlevel == c.levels[0] && u.phase != down && !u.stuck {
			return false
		}
	}
	if c.levels = c.levels[1:]; len(c.levels) > 0 {
		m.lowerLevel(c.levels[0])
		return true
	}
	for _, u := range m.sorted() {
		if u.stuck && !slices.ContainsFunc(c.blocked, func(r Result) bool { return r.Service == u.name }) {
			c.blocked = append(c.blocked, Result{u.name, m.outcome(u.name, false)})
		}
	}
	c.deadline = time.Time{}
	m.act(Reply{c.request, c.blocked})
	return true
}

// cutShort ends a shutdown at its deadline: what is there is named and killed,
// and no script begins any more.
func (m *Manager) cutShort() {
	c := m.shutdown
	c.deadline = time.Time{}
	for _, u := range m.sorted() {
		u.dismiss()
		if u.phase == down {
			continue
		}
		why := "was not down in time: it was " + string(u.phase)
		c.blocked = append(c.blocked, Result{u.name, why})
		m.note(u, true, "%s", why)
		switch {
		case u.run == 0:
			u.fall()
		case u.stage != killed:
			u.kill()
		}
	}
}

// cut tells whether a shutdown has passed its deadline.
func (m *Manager) cut() bool { return m.shutdown != nil && m.shutdown.deadline.IsZero() }
