// SPDX-License-Identifier: GPL-3.0-or-later

package state

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rastos/rastos/rinit"
)

// histories checks a property in two thousand random histories.
func histories(t *testing.T, property func(*rapid.T)) {
	t.Helper()
	for range 20 {
		rapid.Check(t, property)
	}
}

// TestHistories: whatever is asked for, in whatever order, of services that
// behave as badly as they like, what the world checks holds; each request is
// answered, once; and a shutdown ends in time with nothing left but what does not
// die.
func TestHistories(t *testing.T) {
	histories(t, func(t *rapid.T) {
		all := services(t, 1, 12)
		w := newWorld(t, graph(t, all...), anyManners(t))
		for range rapid.IntRange(1, 25).Draw(t, "requests") {
			request(t, w, all)
			w.pass(time.Duration(rapid.IntRange(0, 12).Draw(t, "pass")) * 500 * time.Millisecond)
		}
		within := time.Duration(rapid.IntRange(0, 40).Draw(t, "within")) * time.Second
		w.closing = true
		id := w.ask(func(id RequestID) Event { return Shutdown{id, within} })
		w.pass(within + grace + time.Second)
		if _, answered := w.replies[id]; !answered {
			w.fail("the shutdown is not over: %v", w.phases())
		}
		for _, p := range w.runs {
			if p.manners.killed >= 0 {
				w.fail("%s is still there", p.spawn.Service.Name)
			}
		}
		for name, u := range w.m.units {
			if u.phase != down && !u.stuck {
				w.fail("%s is %s", name, u.phase)
			}
		}
		for id := range w.asked {
			w.fail("request %d is not answered", id)
		}
	})
}

// request asks for something.
func request(t *rapid.T, w *world, all []rinit.Service) {
	names := rapid.Custom(func(t *rapid.T) []string {
		return rapid.SliceOfNDistinct(rapid.SampledFrom(w.m.graph.Names()), 1, min(3, len(w.m.graph.Names())), rapid.ID).Draw(t, "of")
	})
	switch rapid.IntRange(0, 9).Draw(t, "request") {
	case 0, 1, 2, 3:
		w.ask(func(id RequestID) Event { return Start{id, names.Draw(t, "names")} })
	case 4, 5:
		w.ask(func(id RequestID) Event {
			return Stop{id, names.Draw(t, "names"), rapid.Bool().Draw(t, "recursive")}
		})
	case 6:
		w.ask(func(id RequestID) Event { return Restart{id, names.Draw(t, "names")} })
	case 7:
		w.ask(func(id RequestID) Event { return Boot{id, w.m.graph.Names()} })
	case 8, 9:
		g := graph(t, services(t, 1, 12)...)
		w.ask(func(id RequestID) Event { return Reload{id, g} })
	}
}

// TestOrderOfManyServices: 500 services in a random graph, which all do what they
// should: they come up, as soon as they can, and go down again, in the order of the
// graph.
func TestOrderOfManyServices(t *testing.T) {
	for seed := range 4 {
		all := rapid.Custom(func(t *rapid.T) []rinit.Service { return services(t, 500, 500) }).Example(seed)
		for i := range all {
			all[i].Requires, all[i].RequiresOne = nil, nil // nothing is left out
			for _, x := range []*rinit.Script{all[i].Run, all[i].Start, all[i].Stop, all[i].Finish} {
				if x != nil {
					x.MaxDeaths, x.Timeout = 3, time.Minute
				}
			}
			if all[i].Run != nil {
				all[i].Run.Notify = 3
			}
		}
		begun, ended := map[string]time.Time{}, map[string]time.Time{}
		var w *world
		w = newWorld(t, graph(t, all...), func(s Spawn) manners {
			if s.Part == PartRun || s.Part == PartStart {
				begun[s.Service.Name] = w.now
				return map[Part]manners{PartRun: {life: -1, ready: time.Second, asked: time.Second}, PartStart: {life: time.Second}}[s.Part]
			}
			return manners{life: time.Second}
		})
		id := w.ask(func(id RequestID) Event { return Start{id, w.m.graph.Names()} })
		w.pass(10 * time.Minute)
		if got := w.failures(id); got != "" {
			t.Fatalf("seed %d: %s", seed, got)
		}
		for name, at := range begun {
			latest := time.Unix(1e9, 0)
			for _, other := range flat(w.m.graph, name) {
				up := begun[other].Add(time.Second)
				if up.After(at) {
					t.Fatalf("seed %d: %s begins before %s is up", seed, name, other)
				}
				if up.After(latest) {
					latest = up
				}
			}
			if strict := len(w.m.graph.Before(name)) == 0; strict && !at.Equal(latest) {
				t.Fatalf("seed %d: %s begins %v later than it could", seed, name, at.Sub(latest))
			}
		}
		w.closing = true
		id = w.ask(func(id RequestID) Event { return Shutdown{id, time.Hour} })
		for range 100000 {
			at, happen, more := w.happening()
			if _, answered := w.replies[id]; answered || !more {
				break
			}
			w.now = at
			happen()
			for name, u := range w.m.units {
				if _, is := ended[name]; !is && u.phase == down {
					ended[name] = w.now
				}
			}
		}
		if got := w.failures(id); got != "" {
			t.Fatalf("seed %d: %s", seed, got)
		}
		for name := range begun {
			for _, other := range flat(w.m.graph, name) {
				if w.m.units[name].service.Runlevel == w.m.units[other].service.Runlevel && ended[other].Before(ended[name]) {
					t.Fatalf("seed %d: %s is down before %s, which came after it", seed, other, name)
				}
			}
		}
	}
}

// flat are the processes that a service comes after for its dependencies and wants,
// bundles taken apart.
func flat(g *rinit.Graph, name string) (out []string) {
	for _, e := range g.Before(name) {
		switch s := g.Service(e.To); {
		case e.Relation == rinit.After:
		case s.Type == rinit.Bundle:
			out = append(out, flat(g, e.To)...)
		case s.Type != rinit.Virtual:
			out = append(out, e.To)
		}
	}
	return out
}
