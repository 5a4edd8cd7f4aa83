// SPDX-License-Identifier: GPL-3.0-or-later

package state

import (
	"time"

	"github.com/rastos/rastos/rinit"
)

// The states of a service, as people see them. rinit knows all but Failed, which to
// it is Down.
const (
	Up       = "up"
	Down     = "down"
	Failed   = "failed" // down, though it was to be up
	Starting = "starting"
	Stopping = "stopping"
)

// Status is what is known of a service.
type Status struct {
	Service     string         `json:"service"`
	Type        rinit.Type     `json:"type"`
	Description string         `json:"description,omitempty"`
	Runlevel    rinit.Runlevel `json:"runlevel"`
	State       string         `json:"state"`
	Phase       string         `json:"phase,omitempty"` // where it is on its way; not of bundles and virtual services
	Since       time.Time      `json:"since,omitzero"`  // it is in this phase
	Run         RunID          `json:"-"`               // of the script that runs, if one does
	Restarts    int            `json:"restarts"`        // by itself, since it was asked to start
	LastExit    *Exit          `json:"last_exit,omitempty"`
	Failure     string         `json:"failure,omitempty"` // why it is down
	Unready     bool           `json:"unready,omitempty"` // up because it is alive; it has not told yet
	Changed     bool           `json:"changed,omitempty"` // its file says something else by now, or is gone
}

// Status tells of all services, by name.
func (m *Manager) Status() []Status {
	var all []Status
	for _, name := range m.graph.Names() {
		if m.units[name] == nil {
			s := m.graph.Service(name)
			all = append(all, Status{Service: name, Type: s.Type, Description: s.Description, Runlevel: s.Runlevel, State: m.bearing(name).String()})
		}
	}
	for _, u := range m.sorted() {
		state := m.bearing(u.name).String()
		if u.phase == down && u.failure != "" {
			state = Failed
		}
		if u.stuck {
			state = Stopping
		}
		all = append(all, Status{Service: u.name, Type: u.service.Type, Description: u.service.Description, Runlevel: u.service.Runlevel, State: state,
			Phase: string(u.phase), Since: u.since, Run: u.run, Restarts: u.restarts, LastExit: u.lastExit, Failure: u.failure,
			Unready: u.phase == up && u.unready, Changed: u.next != nil || u.gone})
	}
	return all
}

func (b bearing) String() string {
	switch b {
	case stands:
		return Up
	case rises:
		return Starting
	case sinks:
		return Stopping
	}
	return Down
}
