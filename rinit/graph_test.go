// SPDX-License-Identifier: GPL-3.0-or-later

package rinit

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/rastos/rastos/internal/testkit"
)

// files decodes services written in short: "a dependencies b c" in a line each.
// A line may begin with the type and, after a slash, the runlevel.
func files(t *testing.T, lines string) (out []*File) {
	t.Helper()
	for line := range strings.Lines(lines) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		kind, level, _ := strings.Cut(words[0], "/")
		s := NewService(words[1], Type(kind))
		if level != "" {
			s.Runlevel = Runlevel(level)
		}
		if s.Type == Longrun {
			s.Run = NewScript("sh", "true\n")
		}
		var into *[]string
		for _, w := range words[2:] {
			if f, known := fieldOf(sectionKind{name: "options"}, w); known {
				into = f.at(&s, nil).(*[]string)
				continue
			}
			*into = append(*into, w)
		}
		data, err := Encode(s)
		if err != nil {
			t.Fatal(err)
		}
		f, err := Decode(s.Name+SystemExt, data)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, f)
	}
	return out
}

func link(t *testing.T, lines string) *Graph {
	t.Helper()
	g, err := Link(files(t, lines), false)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestLinkTellsAllMistakes(t *testing.T) {
	_, err := Link(files(t, `
		longrun a dependencies b netwrok
		longrun b dependencies c
		longrun c wants a d
		longrun d after absent e
		longrun e requires d
		longrun network
		longrun/boot early dependencies network
		longrun late dependencies early requires early
		longrun/boot first requires late after late
		bundle all contents a early nothing
		longrun a
	`), false)
	want := `9 mistakes
  a.system:1:8: the service "a" is also in a.system
  a.system:11:18: a cycle, in which none can be the first: a → b → c → a (take one of these relations out)
  a.system:11:20: there is no service "netwrok" (did you mean "network"?)
  all.system:5:16: "all" is in runlevel default and "early", in contents, in runlevel boot (give both the same runlevel, or take "early" out)
  all.system:5:22: there is no service "nothing"
  d.system:11:18: a cycle, in which none can be the first: d → e → d (take one of these relations out)
  early.system:11:18: "early" is in runlevel boot and "network", in dependencies, in runlevel default (give both the same runlevel, or take "network" out)
  first.system:11:14: "first" is in runlevel boot and "late", in requires, in runlevel default (give both the same runlevel, or take "late" out)
  late.system:11:18: "late" is in runlevel default and "early", in dependencies, in runlevel boot (what is in boot is up before default begins; requires may name it)`
	if diff := cmp.Diff(want, fmt.Sprint(err)); diff != "" {
		t.Error(diff)
	}
	// Of a part of all files, those that are missing may be elsewhere.
	if _, err := Link(files(t, "longrun a dependencies b"), true); err != nil {
		t.Error(err)
	}
}

func TestStart(t *testing.T) {
	g := link(t, `
		bundle web contents nginx php
		longrun nginx dependencies mta network wants log after sshd
		longrun php requires db
		longrun db
		longrun sshd
		longrun log
		longrun network
		virtual mta providers postfix exim
		longrun exim dependencies network
		longrun postfix dependencies network
		longrun cron requires-one db sshd
	`)
	for _, c := range []struct{ names, waves string }{
		{"web", "log network php/postfix/mta/nginx/web"},     // the first provider; db and sshd are not asked for
		{"web exim", "log network php/exim/mta/nginx/web"},   // a provider that starts anyhow
		{"php db", "db/php"},                                 // a condition that starts too is waited for
		{"nginx sshd", "log network sshd/postfix/mta/nginx"}, // an order between what starts
		{"cron", "cron"}, {"cron sshd db", "db sshd/cron"},   // alternatives
		{"db db", "db"},
	} {
		plan, err := g.Start(nil, strings.Fields(c.names)...)
		if err != nil {
			t.Fatal(err)
		}
		if got := drawn(plan); got != c.waves {
			t.Errorf("start %s: %s, want %s", c.names, got, c.waves)
		}
	}
	var unknown *UnknownError
	if _, err := g.Start(nil, "web", "nginks"); !errors.As(err, &unknown) || unknown.Hint() != `did you mean "nginx"?` {
		t.Errorf("%v", err)
	}
}

// drawn shows a plan's waves: a slash between them.
func drawn(p Plan) string {
	var waves []string
	for _, w := range p.Waves() {
		waves = append(waves, strings.Join(w, " "))
	}
	return strings.Join(waves, "/")
}

func TestStop(t *testing.T) {
	g := link(t, `
		bundle web contents nginx php
		longrun nginx dependencies mta network wants log
		longrun php requires db
		longrun db
		longrun log
		longrun network
		longrun shop dependencies web
		virtual mta providers postfix exim
		longrun exim
		longrun postfix
		longrun cron requires-one db log
	`)
	for _, c := range []struct{ names, waves string }{
		{"db", "shop/web/php/db"},              // the bundle is not up without php, and nginx stays
		{"web", "shop/web/nginx php"},          // its contents go along
		{"network", "shop/web/nginx/network"},  //
		{"log", "log"},                         // wanted, and cron has another one
		{"log db", "cron shop/log web/php/db"}, // now it has none
		{"exim", "exim"}, {"exim postfix", "shop/web/nginx/mta/exim postfix"},
	} {
		plan, err := g.Stop(strings.Fields(c.names)...)
		if err != nil {
			t.Fatal(err)
		}
		if got := drawn(plan); got != c.waves {
			t.Errorf("stop %s: %s, want %s", c.names, got, c.waves)
		}
	}
	if _, err := g.Stop("absent"); err == nil {
		t.Error("an unknown service was stopped")
	}
}

// graphs draws files whose edges lead only to services with smaller numbers.
func graphs(t *rapid.T) *Graph {
	n := rapid.IntRange(1, 60).Draw(t, "services")
	services := map[string]*Service{}
	name := func(i int) string { return fmt.Sprintf("s%02d", i) }
	for i := range n {
		s := NewService(name(i), rapid.SampledFrom([]Type{Longrun, Longrun, Longrun, Oneshot, Bundle, Virtual}).Draw(t, "type"))
		some := func(label string, most int) (out []string) {
			if i == 0 {
				return nil
			}
			for _, j := range rapid.SliceOfNDistinct(rapid.IntRange(0, i-1), 0, min(most, i), rapid.ID).Draw(t, label) {
				out = append(out, name(j))
			}
			return out
		}
		switch s.Type {
		case Bundle:
			s.Contents = some("contents", 3)
		case Virtual:
			s.Providers = some("providers", 3)
		default:
			s.Dependencies, s.Requires, s.RequiresOne = some("dependencies", 3), some("requires", 2), some("requires-one", 3)
			s.Wants, s.After = some("wants", 2), some("after", 2)
		}
		services[s.Name] = &s
	}
	return newGraph(services)
}

// run carries out a plan on a fake clock, each step as soon as it may begin, and
// returns when each began and ended.
func run(t *rapid.T, plan Plan, took map[string]time.Duration) (began, ended map[string]time.Duration) {
	began, ended = map[string]time.Duration{}, map[string]time.Duration{}
	now := time.Duration(0)
	for len(ended) < len(plan) {
		moved := false
		for _, s := range plan {
			if _, on := began[s.Service]; on || !mayBegin(s, ended, now) {
				continue
			}
			began[s.Service], ended[s.Service] = now, now+took[s.Service]
			moved = true
		}
		next := time.Duration(-1)
		for _, at := range ended {
			if at > now && (next < 0 || at < next) {
				next = at
			}
		}
		switch {
		case moved:
		case next < 0:
			t.Fatalf("stuck at %v with %d of %d steps done", now, len(ended), len(plan))
		default:
			now = next
		}
	}
	return began, ended
}

// mayBegin tells whether all that a step waits for has ended by now.
func mayBegin(s Step, ended map[string]time.Duration, now time.Duration) bool {
	done := func(name string) bool { at, known := ended[name]; return known && at <= now }
	for _, name := range s.After {
		if !done(name) {
			return false
		}
	}
	return len(s.AnyOf) == 0 || slices.ContainsFunc(s.AnyOf, done)
}

// thousand checks a property a thousand times: rapid does so a hundred times.
func thousand(t *testing.T, property func(*rapid.T)) {
	t.Helper()
	for range 10 {
		rapid.Check(t, property)
	}
}

// TestStartOrderIsRight: in random graphs, no service begins before what must be
// up before it, nothing is left out, and nothing waits without a reason.
func TestStartOrderIsRight(t *testing.T) {
	thousand(t, func(t *rapid.T) {
		g := graphs(t)
		plan, err := g.Start(nil, rapid.SliceOfN(rapid.SampledFrom(g.Names()), 1, 5).Draw(t, "names")...)
		if err != nil {
			t.Fatal(err)
		}
		took := durations(t, plan)
		began, ended := run(t, plan, took)
		for i, s := range plan {
			latest := time.Duration(0)
			for _, e := range g.Before(s.Service) {
				end, member := ended[e.To]
				switch e.Relation {
				case DependsOn, Contains, Wants:
					if !member {
						t.Fatalf("%s starts without %s", s.Service, e.To)
					}
				case ProvidedBy, RequiresOne:
					continue
				}
				if member && end > began[s.Service] {
					t.Fatalf("%s begins at %v and %s, in its %s, is up at %v", s.Service, began[s.Service], e.To, e.Relation, end)
				}
				if member {
					latest = max(latest, end)
				}
			}
			if first, any := firstOf(g, s.Service, ended); any {
				if first > began[s.Service] {
					t.Fatalf("%s begins at %v, and none of its alternatives is up", s.Service, began[s.Service])
				}
				latest = max(latest, first)
			}
			if began[s.Service] != latest {
				t.Fatalf("%s begins at %v and could at %v", s.Service, began[s.Service], latest)
			}
			for _, later := range plan[i:] {
				if slices.Contains(s.After, later.Service) || slices.Contains(s.AnyOf, later.Service) {
					t.Fatalf("the plan has %s before %s", s.Service, later.Service)
				}
			}
			if v := g.Service(s.Service); len(v.Providers) > 0 && len(s.AnyOf) == 0 {
				t.Fatalf("nobody provides %s", v.Name)
			}
		}
	})
}

// firstOf is when the first alternative of a service is up, if one is planned.
func firstOf(g *Graph, name string, ended map[string]time.Duration) (first time.Duration, any bool) {
	for _, e := range g.Before(name) {
		end, member := ended[e.To]
		if member && (e.Relation == ProvidedBy || e.Relation == RequiresOne) && (!any || end < first) {
			first, any = end, true
		}
	}
	return first, any
}

func durations(t *rapid.T, plan Plan) map[string]time.Duration {
	took := map[string]time.Duration{}
	for _, s := range plan {
		took[s.Service] = time.Duration(rapid.IntRange(0, 20).Draw(t, "took")) * time.Second
	}
	return took
}

// TestStopOrderIsRight: nothing goes down before what came after it, and what is
// left has all that it needs.
func TestStopOrderIsRight(t *testing.T) {
	thousand(t, func(t *rapid.T) {
		g := graphs(t)
		names := rapid.SliceOfN(rapid.SampledFrom(g.Names()), 1, 3).Draw(t, "names")
		plan, err := g.Stop(names...)
		if err != nil {
			t.Fatal(err)
		}
		began, ended := run(t, plan, durations(t, plan))
		for _, name := range names {
			if _, there := ended[name]; !there {
				t.Fatalf("%s does not stop", name)
			}
		}
		for _, e := range g.Edges() {
			_, from := ended[e.From]
			_, to := ended[e.To]
			if from && to && ended[e.From] > began[e.To] {
				t.Fatalf("%s goes down at %v and %s, which came after it, is there till %v", e.To, began[e.To], e.From, ended[e.From])
			}
			if to && !from && (e.Relation == DependsOn || e.Relation == Requires || e.Relation == Contains) {
				t.Fatalf("%s stays without %s", e.From, e.To)
			}
		}
		for _, name := range g.Names() {
			if _, stopped := ended[name]; stopped {
				continue
			}
			for _, r := range []Relation{RequiresOne, ProvidedBy} {
				alternatives := g.Service(name).Related(r)
				gone := func(other string) bool { _, is := ended[other]; return is }
				if len(alternatives) > 0 && !slices.ContainsFunc(alternatives, func(o string) bool { return !gone(o) }) {
					t.Fatalf("%s stays with none of its %s", name, r)
				}
			}
		}
	})
}

// TestCyclesAreFound: where edges close a circle, ways are named that go round;
// without them the graph has an order.
func TestCyclesAreFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 12).Draw(t, "services")
		services := map[string]*Service{}
		for i := range n {
			s := NewService(fmt.Sprintf("s%02d", i), Longrun)
			for _, j := range rapid.SliceOfNDistinct(rapid.IntRange(0, n-1), 0, 2, rapid.ID).Draw(t, "edges") {
				*rapid.SampledFrom([]*[]string{&s.Dependencies, &s.After, &s.RequiresOne}).Draw(t, "relation") = append([]string(nil), fmt.Sprintf("s%02d", j))
			}
			services[s.Name] = &s
		}
		g := newGraph(services)
		found := g.cycles()
		for _, way := range found {
			for i, e := range way {
				next := way[(i+1)%len(way)]
				if e.To != next.From || !slices.Contains(g.Before(e.From), e) {
					t.Fatalf("no way round: %v", way)
				}
			}
		}
		// Another way to tell: take away what nothing comes before, again and again.
		left := map[string]bool{}
		for _, name := range g.Names() {
			left[name] = true
		}
		for gone := true; gone; {
			gone = false
			for name := range left {
				if !slices.ContainsFunc(g.Before(name), func(e Edge) bool { return left[e.To] }) {
					delete(left, name)
					gone = true
				}
			}
		}
		if (len(left) > 0) != (len(found) > 0) {
			t.Fatalf("%d services have no order, and %d cycles were found", len(left), len(found))
		}
	})
}

// TestGraphvizReadsIt lets Graphviz draw names that it has to be shielded from.
func TestGraphvizReadsIt(t *testing.T) {
	dot := testkit.NeedTool(t, "dot")
	g := link(t, `
		longrun "q"\n dependencies a->b{} wants c;
		longrun a->b{} after c;
		bundle all contents "q"\n
		virtual v providers c;
		longrun/boot c;
	`)
	g.Service("c;").Description = `say "x" \l`
	cmd := exec.Command(dot, "-Tplain")
	cmd.Stdin = bytes.NewReader(g.DOT())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if nodes, edges := strings.Count(string(out), "\nnode "), strings.Count(string(out), "\nedge "); nodes != 5 || edges != 5 {
		t.Errorf("%d nodes, %d edges:\n%s", nodes, edges, out)
	}
	if !strings.Contains(string(out), `node "a->b{}"`) {
		t.Errorf("a name is another one:\n%s", out)
	}
}
