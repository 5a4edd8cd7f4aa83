// SPDX-License-Identifier: GPL-3.0-or-later

package rinit

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rastos/rastos/internal/mistake"
)

// Step is one service of a plan and the other steps that it waits for.
type Step struct {
	Service string `json:"service"`
	// After must all have been tried; what a failure among them means, the
	// relation says.
	After []string `json:"after,omitempty"`
	// AnyOf are alternatives: it goes on as soon as one of them is up.
	AnyOf []string `json:"any_of,omitempty"`
}

// Plan is what starts or stops, in an order in which each comes after what it
// waits for.
type Plan []Step

// Waves cuts a plan into groups: what is in one can be done at once, as soon as
// the groups before it are done.
func (p Plan) Waves() [][]string {
	wave := map[string]int{}
	var waves [][]string
	for _, s := range p {
		n := 0
		for _, other := range slices.Concat(s.After, s.AnyOf) {
			n = max(n, wave[other]+1)
		}
		wave[s.Service] = n
		if n == len(waves) {
			waves = append(waves, nil)
		}
		waves[n] = append(waves[n], s.Service)
	}
	return waves
}

// UnknownError is a name that no service has.
type UnknownError struct{ Name, Nearest string }

func (e *UnknownError) Error() string { return fmt.Sprintf("there is no service %q", e.Name) }

// Hint names the nearest one.
func (e *UnknownError) Hint() string {
	if e.Nearest == "" {
		return ""
	}
	return fmt.Sprintf("did you mean %q?", e.Nearest)
}

// Start plans the start of services with all that they need: dependencies, wants,
// the contents of bundles, and for a virtual service the first of its providers
// unless another one starts anyhow, or is there already; nil: none is.
func (g *Graph) Start(there func(name string) bool, names ...string) (Plan, error) {
	if err := g.known(names); err != nil {
		return nil, err
	}
	members := map[string]bool{}
	g.pull(members, names)
	for {
		chosen := g.provider(members, there)
		if chosen == "" {
			break
		}
		g.pull(members, []string{chosen})
	}
	steps := map[string]Step{}
	for name := range members {
		s := Step{Service: name}
		for _, e := range g.before[name] {
			into := &s.After
			if e.Relation == RequiresOne || e.Relation == ProvidedBy {
				into = &s.AnyOf
			}
			if members[e.To] && !slices.Contains(*into, e.To) {
				*into = append(*into, e.To)
			}
		}
		steps[name] = s
	}
	return inOrder(steps), nil
}

// known checks names.
func (g *Graph) known(names []string) error {
	for _, name := range names {
		if g.services[name] == nil {
			return &UnknownError{name, mistake.Nearest(name, g.Names())}
		}
	}
	return nil
}

// pull adds services and what they bring along.
func (g *Graph) pull(members map[string]bool, names []string) {
	for queue := slices.Clone(names); len(queue) > 0; queue = queue[1:] {
		if members[queue[0]] {
			continue
		}
		members[queue[0]] = true
		for _, e := range g.before[queue[0]] {
			if e.Relation == DependsOn || e.Relation == Contains || e.Relation == Wants {
				queue = append(queue, e.To)
			}
		}
	}
}

// provider returns what must be added for the first virtual service of which no
// provider is there.
func (g *Graph) provider(members map[string]bool, there func(string) bool) string {
	has := func(p string) bool { return members[p] || there != nil && there(p) }
	for _, name := range slices.Sorted(maps.Keys(members)) {
		providers := g.services[name].Providers
		if len(providers) == 0 || slices.ContainsFunc(providers, has) {
			continue
		}
		for _, p := range providers {
			if g.services[p] != nil {
				return p
			}
		}
	}
	return ""
}

// Stop plans the stop of services: with a bundle go its contents, with a service
// all that depends on it or requires it, and each stops after what came after it.
// Of what has alternatives left, nothing goes along.
func (g *Graph) Stop(names ...string) (Plan, error) {
	if err := g.known(names); err != nil {
		return nil, err
	}
	members := map[string]bool{}
	for queue := g.Unbundle(names); len(queue) > 0; queue = queue[1:] {
		if members[queue[0]] {
			continue
		}
		members[queue[0]] = true
		for _, e := range g.behind[queue[0]] {
			if g.falls(e, members) {
				queue = append(queue, e.From)
			}
		}
	}
	steps := map[string]Step{}
	for name := range members {
		s := Step{Service: name}
		for _, e := range g.behind[name] {
			if members[e.From] && !slices.Contains(s.After, e.From) {
				s.After = append(s.After, e.From)
			}
		}
		steps[name] = s
	}
	return inOrder(steps), nil
}

// Unbundle adds the contents of bundles.
func (g *Graph) Unbundle(names []string) []string {
	all := slices.Clone(names)
	for i := 0; i < len(all); i++ {
		for _, e := range g.before[all[i]] {
			if e.Relation == Contains && !slices.Contains(all, e.To) {
				all = append(all, e.To)
			}
		}
	}
	return all
}

// falls tells whether the service at the beginning of an edge goes down with the
// one at its end, when members do.
func (g *Graph) falls(e Edge, members map[string]bool) bool {
	switch e.Relation {
	case DependsOn, Requires, Contains: // a bundle of which something is down is not up
		return true
	case RequiresOne, ProvidedBy:
		for _, other := range g.services[e.From].Related(e.Relation) {
			if g.services[other] != nil && !members[other] {
				return false
			}
		}
		return true
	}
	return false
}

// inOrder sorts steps so that each comes after what it waits for, and else by
// name.
func inOrder(steps map[string]Step) Plan {
	waits, blocks := map[string]int{}, map[string][]string{}
	var ready []string
	for name, s := range steps {
		slices.Sort(s.After)
		for _, other := range slices.Compact(slices.Sorted(slices.Values(slices.Concat(s.After, s.AnyOf)))) {
			waits[name]++
			blocks[other] = append(blocks[other], name)
		}
		if waits[name] == 0 {
			ready = append(ready, name)
		}
	}
	plan := make(Plan, 0, len(steps))
	for len(ready) > 0 {
		first := slices.MinFunc(ready, strings.Compare)
		ready = slices.DeleteFunc(ready, func(n string) bool { return n == first })
		plan = append(plan, steps[first])
		for _, next := range blocks[first] {
			if waits[next]--; waits[next] == 0 {
				ready = append(ready, next)
			}
		}
	}
	return plan
}
