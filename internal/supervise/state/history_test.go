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
		all := services(t, 12)
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
		g := graph(t, services(t, 12)...)
		w.ask(func(id RequestID) Event { return Reload{id, g} })
	}
}
