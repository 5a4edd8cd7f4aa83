// SPDX-License-Identifier: GPL-3.0-or-later

package state

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rastos/rastos/rinit"
)

// wait is a request that is not answered yet.
type wait struct {
	request RequestID
	names   []string
	up      bool // what was asked for
}

// refuse answers a request of which nothing is done.
func (m *Manager) refuse(id RequestID, names []string, why func(name string) string) {
	var results []Result
	for _, name := range names {
		results = append(results, Result{name, why(name)})
	}
	m.act(Reply{id, results})
}

// known refuses requests for names that no service has, and, where something is
// to start, all that come in a shutdown.
func (m *Manager) known(id RequestID, names []string, start bool) bool {
	wrong := false
	why := func(name string) string {
		switch {
		case m.graph.Service(name) == nil && (start || m.units[name] == nil):
			return fmt.Sprintf("service %s does not exist", name)
		case start && m.shutdown != nil:
			return "everything is being stopped"
		}
		return ""
	}
	for _, name := range names {
		wrong = wrong || why(name) != ""
	}
	if !wrong {
		return true
	}
	m.refuse(id, names, func(name string) string {
		if w := why(name); w != "" {
			return w
		}
		return "nothing was done, since another name is wrong"
	})
	return false
}

// raise wants services, and all that they need, to be up.
func (m *Manager) raise(names []string) {
	there := func(name string) bool { b := m.bearing(name); return b == stands || b == rises }
	plan, err := m.graph.Start(there, names...)
	if err != nil {
		return // names are checked before
	}
	for _, s := range plan {
		if u := m.units[s.Service]; u != nil && !u.want {
			u.want, u.deaths, u.restarts, u.failure = true, 0, 0, ""
		}
	}
}

func (m *Manager) start(ev Start) {
	if !m.known(ev.Request, ev.Names, true) {
		return
	}
	m.raise(ev.Names)
	m.waits = append(m.waits, &wait{request: ev.Request, names: ev.Names, up: true})
}

func (m *Manager) stop(ev Stop) {
	if !m.known(ev.Request, ev.Names, false) {
		return
	}
	there := slices.DeleteFunc(slices.Clone(ev.Names), func(name string) bool { return m.graph.Service(name) == nil })
	plan, err := m.graph.Stop(there...)
	if err != nil {
		return // names are checked before
	}
	for _, name := range ev.Names {
		if !slices.Contains(there, name) { // it runs, and its file is gone
			plan = append(plan, rinit.Step{Service: name})
		}
	}
	asked := m.graph.Unbundle(ev.Names)
	var others []string
	for _, s := range plan {
		if u := m.units[s.Service]; u != nil && u.phase != down && u.want && !slices.Contains(asked, s.Service) {
			others = append(others, s.Service)
		}
	}
	if len(others) > 0 && !ev.Recursive {
		slices.Sort(others)
		m.refuse(ev.Request, ev.Names, func(name string) string {
			return fmt.Sprintf("service %s dependents [%s] are still running", name, strings.Join(others, ", "))
		})
		return
	}
	for _, s := range plan {
		if u := m.units[s.Service]; u != nil {
			u.dismiss()
			u.failure = ""
		}
	}
	m.waits = append(m.waits, &wait{request: ev.Request, names: ev.Names})
}

// dismiss wants a service to be down. What comes to its end by then is no step on
// its way up any more, even if it is wanted again meanwhile.
func (u *unit) dismiss() {
	u.want, u.bounced = false, false
	if u.phase == cleaning || u.phase == starting && u.stage != running {
		u.lowered = true
	}
}

func (m *Manager) restart(ev Restart) {
	if !m.known(ev.Request, ev.Names, true) {
		return
	}
	for _, name := range m.graph.Unbundle(ev.Names) {
		// What is on its way up starts anew only if it waits for another try.
		if u := m.units[name]; u != nil && u.want && (u.phase == up || u.phase == pausing || u.phase == starting) {
			u.bounce()
		}
	}
	m.raise(ev.Names)
	m.waits = append(m.waits, &wait{request: ev.Request, names: ev.Names, up: true})
}

// bounce makes a service end and start again.
func (u *unit) bounce() {
	u.bounced, u.deaths, u.failure = true, 0, ""
	switch u.phase {
	case pausing:
		u.fall()
	case starting:
		u.lower()
	}
}

// answer answers the requests whose services are settled.
func (m *Manager) answer() bool {
	answered := false
	m.waits = slices.DeleteFunc(m.waits, func(w *wait) bool {
		if slices.ContainsFunc(w.names, func(name string) bool { return m.unsettled(name, w.up) }) {
			return false
		}
		answered = true
		var results []Result
		for _, name := range w.names {
			results = append(results, Result{name, m.outcome(name, w.up)})
		}
		m.act(Reply{w.request, results})
		return true
	})
	return answered
}

// unsettled tells whether a service may still come to be as asked.
func (m *Manager) unsettled(name string, wantUp bool) bool {
	switch m.bearing(name) {
	case rises:
		return wantUp
	case sinks:
		return true
	}
	return false
}

// outcome is why a service is not as asked; empty, if it is.
func (m *Manager) outcome(name string, wantUp bool) string {
	u, b := m.units[name], m.bearing(name)
	switch {
	case u != nil && u.stuck:
		return "its process does not end, not even by SIGKILL"
	case wantUp && b == stands || !wantUp && (b == lies || b == unknown):
		return ""
	case !wantUp && u == nil:
		return "" // another request holds what it consists of
	case !wantUp:
		return fmt.Sprintf("service %s was started again meanwhile", name)
	case u != nil && u.failure != "":
		return u.failure
	case u == nil && b != unknown:
		for _, e := range m.graph.Before(name) {
			if part := m.units[e.To]; part != nil && part.failure != "" {
				return fmt.Sprintf("%s: %s", e.To, part.failure)
			}
		}
	}
	return fmt.Sprintf("service %s was stopped meanwhile", name)
}
