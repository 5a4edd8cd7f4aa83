// SPDX-License-Identifier: GPL-3.0-or-later

package services

import (
	"slices"

	"github.com/rastos/rastos/rinit"
)

// GraphRequest says which part of a graph is meant.
type GraphRequest struct {
	Files
	Names []string // and all that comes before them; none: everything
	User  bool     // the services of users, where the folders have both
}

// Graph is services, what they are to each other, and the order that
// follows from it.
type Graph struct {
	Services []Node       `json:"services"`
	Edges    []rinit.Edge `json:"edges"`
	Start    []LevelPlan  `json:"start"` // of the names, else of all that starts by itself
	Stop     []LevelPlan  `json:"stop"`  // of all that Start starts

	Graph *rinit.Graph `json:"-"`
}

// LevelPlan is what is done in one runlevel, once the one before it is done.
type LevelPlan struct {
	Runlevel rinit.Runlevel `json:"runlevel"`
	Steps    rinit.Plan     `json:"steps"`
}

// Node is a service in a graph.
type Node struct {
	Name        string         `json:"name"`
	Type        rinit.Type     `json:"type"`
	Description string         `json:"description,omitempty"`
	Runlevel    rinit.Runlevel `json:"runlevel"`
	Autostart   bool           `json:"autostart"`
}

// Graph reads service files and draws the graph of them. Mistakes in the
// files are a rinit.Mistakes.
func (s Services) Graph(r GraphRequest) (Graph, error) {
	check, graphs, err := s.link(r.Files)
	if err != nil {
		return Graph{}, err
	}
	if err := check.Mistakes.Err(); err != nil {
		return Graph{}, err
	}
	ext := rinit.SystemExt
	if r.User {
		ext = rinit.UserExt
	}
	g := graphs[ext]
	if g == nil {
		g, err = rinit.Link(nil, false)
	} else if len(r.Names) > 0 {
		g, err = g.Only(r.Names...)
	}
	if err != nil {
		return Graph{}, err
	}
	out := Graph{Services: []Node{}, Edges: slices.Concat([]rinit.Edge{}, g.Edges()), Graph: g}
	start := map[rinit.Runlevel][]string{}
	for _, name := range g.Names() {
		s := g.Service(name)
		out.Services = append(out.Services, Node{s.Name, s.Type, s.Description, s.Runlevel, s.Autostart})
		if slices.Contains(r.Names, name) || len(r.Names) == 0 && s.Autostart {
			start[s.Runlevel] = append(start[s.Runlevel], name)
		}
	}
	return out, out.order(start)
}

// order plans the start of what is named in each runlevel, and the stop of it.
func (s *Graph) order(names map[rinit.Runlevel][]string) error {
	s.Start, s.Stop = []LevelPlan{}, []LevelPlan{}
	up := map[string]bool{}
	for _, level := range []rinit.Runlevel{rinit.Boot, rinit.Default} {
		start, err := s.Graph.Start(nil, names[level]...)
		if err != nil {
			return err
		}
		var started []string
		for _, step := range start {
			if !up[step.Service] {
				started = append(started, step.Service)
			}
		}
		stop, err := s.Graph.Stop(started...)
		if err != nil {
			return err
		}
		if start = among(start, started); len(start) > 0 {
			s.Start = append(s.Start, LevelPlan{level, start})
			s.Stop = append([]LevelPlan{{level, among(stop, started)}}, s.Stop...)
		}
		for _, name := range started {
			up[name] = true
		}
	}
	return nil
}

// among leaves only these services in a plan.
func among(plan rinit.Plan, names []string) rinit.Plan {
	in := func(name string) bool { return slices.Contains(names, name) }
	kept := rinit.Plan{}
	for _, step := range plan {
		if in(step.Service) {
			step.After = slices.DeleteFunc(step.After, func(n string) bool { return !in(n) })
			step.AnyOf = slices.DeleteFunc(step.AnyOf, func(n string) bool { return !in(n) })
			kept = append(kept, step)
		}
	}
	return kept
}
