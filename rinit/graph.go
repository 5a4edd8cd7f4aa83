// SPDX-License-Identifier: GPL-3.0-or-later

package rinit

import (
	"maps"
	"slices"
)

// Relation is what one service is to another: the key that says so.
type Relation string

// The relations, by the keys of service files.
const (
	DependsOn   Relation = "dependencies"
	Requires    Relation = "requires"
	RequiresOne Relation = "requires-one"
	Wants       Relation = "wants"
	After       Relation = "after"
	Contains    Relation = "contents"
	ProvidedBy  Relation = "providers"
)

// relations are all of them, the strongest first.
var relations = []Relation{DependsOn, Contains, Requires, RequiresOne, ProvidedBy, Wants, After}

// Edge leads from a service to one that comes before it.
type Edge struct {
	From     string   `json:"from"`
	To       string   `json:"to"`
	Relation Relation `json:"relation"`
}

// Related returns the names that a service has this relation to.
func (s *Service) Related(r Relation) []string {
	switch r {
	case DependsOn:
		return s.Dependencies
	case Requires:
		return s.Requires
	case RequiresOne:
		return s.RequiresOne
	case Wants:
		return s.Wants
	case After:
		return s.After
	case Contains:
		return s.Contents
	case ProvidedBy:
		return s.Providers
	}
	return nil
}

// Graph is services and what they are to each other. It has no cycle.
type Graph struct {
	services map[string]*Service
	before   map[string][]Edge // by From
	behind   map[string][]Edge // by To
}

// newGraph draws the edges between services; those that lead to none are left
// out.
func newGraph(services map[string]*Service) *Graph {
	g := &Graph{services: services, before: map[string][]Edge{}, behind: map[string][]Edge{}}
	for _, name := range g.Names() {
		for _, r := range relations {
			for _, to := range services[name].Related(r) {
				if services[to] == nil || to == name {
					continue
				}
				e := Edge{name, to, r}
				g.before[name] = append(g.before[name], e)
				g.behind[to] = append(g.behind[to], e)
			}
		}
	}
	return g
}

// Names returns all names, sorted.
func (g *Graph) Names() []string { return slices.Sorted(maps.Keys(g.services)) }

// Service returns a service, or nil.
func (g *Graph) Service(name string) *Service { return g.services[name] }

// Before returns the edges to what comes before a service when it starts.
func (g *Graph) Before(name string) []Edge { return g.before[name] }

// Behind returns the edges from what comes after a service when it starts.
func (g *Graph) Behind(name string) []Edge { return g.behind[name] }

// Edges returns all edges, by name.
func (g *Graph) Edges() []Edge {
	var all []Edge
	for _, name := range g.Names() {
		all = append(all, g.before[name]...)
	}
	return all
}

// Only returns the graph of some services and of all that comes before them.
func (g *Graph) Only(names ...string) (*Graph, error) {
	if err := g.known(names); err != nil {
		return nil, err
	}
	kept := map[string]*Service{}
	for queue := slices.Clone(names); len(queue) > 0; queue = queue[1:] {
		if kept[queue[0]] != nil {
			continue
		}
		kept[queue[0]] = g.services[queue[0]]
		for _, e := range g.before[queue[0]] {
			queue = append(queue, e.To)
		}
	}
	return newGraph(kept), nil
}

// cycles finds, for each knot of services that all come before each other, the
// shortest way round.
func (g *Graph) cycles() (found [][]Edge) {
	t := &tarjan{graph: g, index: map[string]int{}, low: map[string]int{}, on: map[string]bool{}}
	for _, name := range g.Names() {
		if t.index[name] == 0 {
			t.visit(name)
		}
	}
	for _, knot := range t.knots {
		slices.Sort(knot)
		var shortest []Edge
		for _, name := range knot {
			if way := g.wayRound(name, knot); shortest == nil || len(way) < len(shortest) {
				shortest = way
			}
		}
		found = append(found, shortest)
	}
	return found
}

// tarjan is the search for strongly connected components of that name.
type tarjan struct {
	graph *Graph
	index map[string]int // from 1; 0: not seen yet
	low   map[string]int
	on    map[string]bool
	stack []string
	knots [][]string // of two services and more
}

func (t *tarjan) visit(name string) {
	t.index[name] = len(t.index) + 1
	t.low[name] = t.index[name]
	t.stack, t.on[name] = append(t.stack, name), true
	for _, e := range t.graph.before[name] {
		switch {
		case t.index[e.To] == 0:
			t.visit(e.To)
			t.low[name] = min(t.low[name], t.low[e.To])
		case t.on[e.To]:
			t.low[name] = min(t.low[name], t.index[e.To])
		}
	}
	if t.low[name] != t.index[name] {
		return
	}
	at := slices.Index(t.stack, name)
	knot := slices.Clone(t.stack[at:])
	t.stack = t.stack[:at]
	for _, n := range knot {
		t.on[n] = false
	}
	if len(knot) > 1 {
		t.knots = append(t.knots, knot)
	}
}

// wayRound is the shortest way from a service of a knot back to itself.
func (g *Graph) wayRound(name string, knot []string) []Edge {
	came := map[string]Edge{}
	for queue := []string{name}; len(queue) > 0; queue = queue[1:] {
		for _, e := range g.before[queue[0]] {
			if _, seen := came[e.To]; seen || !slices.Contains(knot, e.To) {
				continue
			}
			came[e.To] = e
			if e.To == name {
				way := []Edge{e}
				for e.From != name {
					e = came[e.From]
					way = append(way, e)
				}
				slices.Reverse(way)
				return way
			}
			queue = append(queue, e.To)
		}
	}
	return nil
}
