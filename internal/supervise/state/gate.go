// SPDX-License-Identifier: GPL-3.0-or-later

package state

import (
	"fmt"
	"strings"

	"github.com/rastos/rastos/rinit"
)

// bearing is what others need to know of a service: whether it is up, and else
// whether it may come to be.
type bearing int

const (
	lies    bearing = iota // down, and nobody makes it start
	rises                  // on its way up
	stands                 // up
	sinks                  // on its way down
	unknown                // no service has that name
)

// bearing tells it of any service; that of bundles and virtual ones follows from
// others.
func (m *Manager) bearing(name string) bearing {
	if u := m.units[name]; u != nil {
		switch {
		case u.stuck:
			return lies
		case u.phase == up && u.want:
			return stands
		case u.phase == down && !u.want:
			return lies
		case u.want:
			return rises
		}
		return sinks
	}
	s := m.graph.Service(name)
	if s == nil {
		return unknown
	}
	if s.Type == rinit.Virtual {
		return m.virtual(s)
	}
	all := stands
	for _, e := range m.graph.Before(name) {
		switch m.bearing(e.To) {
		case lies, unknown:
			return lies
		case sinks:
			all = sinks
		case rises:
			if all == stands {
				all = rises
			}
		}
	}
	return all
}

// virtual is the best bearing of the providers.
func (m *Manager) virtual(s *rinit.Service) bearing {
	best := lies
	for _, p := range s.Providers {
		switch b := m.bearing(p); {
		case b == stands:
			return stands
		case b == rises:
			best = rises
		case b == sinks && best == lies:
			best = sinks
		}
	}
	return best
}

// mayStart tells whether a service may start now; wrong says why it never may.
func (m *Manager) mayStart(name string) (now bool, wrong string) {
	now = true
	var alternatives []string
	oneUp, oneRises := false, false
	for _, e := range m.graph.Before(name) {
		b := m.bearing(e.To)
		switch e.Relation {
		case rinit.DependsOn:
			now = now && b == stands
			if b == lies || b == sinks {
				return false, fmt.Sprintf("dependency %s failed to start for service %s", e.To, name)
			}
		case rinit.Requires:
			now = now && b == stands
			if b == lies || b == sinks {
				return false, fmt.Sprintf("%s is not up, and service %s requires it", e.To, name)
			}
		case rinit.RequiresOne:
			alternatives = append(alternatives, e.To)
			oneUp, oneRises = oneUp || b == stands, oneRises || b == rises
		case rinit.Wants, rinit.After:
			now = now && b != rises && b != sinks
		}
	}
	switch {
	case len(alternatives) == 0 || oneUp:
		return now, ""
	case oneRises:
		return false, ""
	}
	return false, fmt.Sprintf("none of %s is up, and service %s requires one", strings.Join(alternatives, ", "), name)
}

// mayStop tells whether nothing that goes down as well must do so first.
func (m *Manager) mayStop(name string) bool {
	for _, e := range m.graph.Behind(name) {
		if u := m.units[e.From]; u != nil {
			if u.phase != down && !u.want {
				return false
			}
			continue
		}
		if !m.mayStop(e.From) { // what depends on a bundle depends on its contents
			return false
		}
	}
	return true
}
