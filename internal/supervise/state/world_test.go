// SPDX-License-Identifier: GPL-3.0-or-later

package state

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rastos/rastos/rinit"
)

// checker is what fails: a test, or a rapid one.
type checker interface {
	Fatalf(format string, args ...any)
	Helper()
}

// graph makes the graph of services.
func graph(t checker, services ...rinit.Service) *rinit.Graph {
	t.Helper()
	var files []*rinit.File
	for _, s := range services {
		data, err := rinit.Encode(s)
		if err != nil {
			t.Fatalf("%v", err)
		}
		f, err := rinit.Decode(s.Name+rinit.SystemExt, data)
		if err != nil {
			t.Fatalf("%v", err)
		}
		files = append(files, f)
	}
	g, err := rinit.Link(files, true)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return g
}

// process is a fake one.
type process struct {
	spawn   Spawn
	exits   time.Time // zero: not by itself
	readies time.Time
	code    int
	begun   time.Time
	askedAt time.Time
	killed  time.Time
	manners manners
}

// manners are how a process behaves.
type manners struct {
	life   time.Duration // till it exits by itself; negative: never
	code   int
	ready  time.Duration // till it tells; negative: never
	asked  time.Duration // till it exits when it is asked; negative: it does not care
	killed time.Duration // the same for SIGKILL
	broken bool          // it cannot even be started
}

// world is a fake machine with a manager on it. It checks, at every action, what
// must always hold.
type world struct {
	t       checker
	m       *Manager
	now     time.Time
	runs    map[RunID]*process
	manners func(Spawn) manners
	asked   map[RequestID]time.Time
	replies map[RequestID][]Result
	next    RequestID
	notes   []string
	log     []string       // what was done, for the message of a failure
	streak  map[string]int // starts in a row without being steady
	closing bool
}

func newWorld(t checker, g *rinit.Graph, how func(Spawn) manners) *world {
	return &world{t: t, m: New(g), now: time.Unix(1e9, 0), runs: map[RunID]*process{}, manners: how,
		asked: map[RequestID]time.Time{}, replies: map[RequestID][]Result{}, streak: map[string]int{}}
}

func (w *world) fail(format string, args ...any) {
	w.t.Helper()
	tail := w.log[max(0, len(w.log)-40):]
	w.t.Fatalf("%s\nat %v, after:\n%s", fmt.Sprintf(format, args...), w.now.Sub(time.Unix(1e9, 0)), lines(tail))
}

func lines(all []string) (out string) {
	for _, l := range all {
		out += "  " + l + "\n"
	}
	return out
}

// do hands an event over and carries out what comes of it.
func (w *world) do(ev Event) {
	w.t.Helper()
	w.log = append(w.log, fmt.Sprintf("%v %T %+v", w.now.Sub(time.Unix(1e9, 0)), ev, ev))
	if again, is := ev.(Restart); is {
		for _, name := range w.m.graph.Unbundle(again.Names) {
			w.streak[name] = 0
		}
	}
	before := map[string]unit{}
	for name, u := range w.m.units {
		before[name] = *u
	}
	for _, a := range w.m.Handle(w.now, ev) {
		w.log = append(w.log, fmt.Sprintf("    → %T %s", a, brief(a)))
		w.carryOut(a)
	}
	for name, u := range w.m.units {
		if !u.want {
			w.streak[name] = 0
		}
	}
	if _, reload := ev.(Reload); reload {
		w.checkReload(before)
	}
	if at, ok := w.m.Deadline(); ok && at.Before(w.now) {
		w.fail("a deadline is in the past: %v", at.Sub(w.now))
	}
}

func brief(a Action) string {
	if s, ok := a.(Spawn); ok {
		return fmt.Sprintf("%d %s of %s", s.Run, s.Part, s.Service.Name)
	}
	return fmt.Sprintf("%+v", a)
}

func (w *world) carryOut(a Action) {
	w.t.Helper()
	switch a := a.(type) {
	case Spawn:
		w.checkSpawn(a)
		p := &process{spawn: a, begun: w.now, manners: w.manners(a)}
		p.code = p.manners.code
		if p.manners.life >= 0 {
			p.exits = w.now.Add(p.manners.life)
		}
		if p.manners.ready >= 0 && a.Script.Notify != rinit.NoNotify {
			p.readies = w.now.Add(p.manners.ready)
		}
		w.runs[a.Run] = p
	case Signal:
		p := w.alive(a.Run)
		w.checkSignal(p)
		p.askedAt = w.now
		if p.manners.asked >= 0 {
			p.exits = earlier(p.exits, w.now.Add(p.manners.asked))
		}
	case Kill:
		p := w.alive(a.Run)
		if !w.closing && (p.askedAt.IsZero() || w.now.Sub(p.askedAt) < p.spawn.Script.TimeoutKill) {
			w.fail("%s is killed before its time", p.spawn.Service.Name)
		}
		p.killed = w.now
		if p.manners.killed >= 0 {
			p.exits = earlier(p.exits, w.now.Add(p.manners.killed))
		}
	case Sweep:
		if w.runs[a.Run] != nil {
			w.fail("run %d is swept and still there", a.Run)
		}
	case Reply:
		if _, known := w.asked[a.Request]; !known {
			w.fail("request %d is answered twice, or was never made", a.Request)
		}
		delete(w.asked, a.Request)
		w.replies[a.Request] = a.Results
	case Note:
		w.notes = append(w.notes, a.Service+": "+a.Text)
		if strings.HasPrefix(a.Text, "is down") {
			w.streak[a.Service] = 0 // from here on it is another start
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

func (w *world) alive(id RunID) *process {
	w.t.Helper()
	p := w.runs[id]
	if p == nil {
		w.fail("run %d has ended and gets a signal", id)
	}
	return p
}

// checkSpawn: one script of a service at a time, nothing before what it needs, no
// more tries than it may have.
func (w *world) checkSpawn(a Spawn) {
	w.t.Helper()
	name := a.Service.Name
	for _, p := range w.runs {
		if p.spawn.Service.Name == name {
			w.fail("%s of %s starts beside %s", a.Part, name, p.spawn.Part)
		}
	}
	if a.Part != PartRun && a.Part != PartStart {
		return
	}
	if w.closing && w.m.cut() {
		w.fail("%s starts after the deadline of the shutdown", name)
	}
	w.streak[name]++
	if w.streak[name] > a.Script.MaxDeaths {
		w.fail("%s starts %d times in a row and may %d times", name, w.streak[name], a.Script.MaxDeaths)
	}
	u := w.m.units[name]
	if u.restarts > 0 {
		return // it comes back by itself: what depends on it was not touched either
	}
	for _, e := range w.m.graph.Before(name) {
		if (e.Relation == rinit.DependsOn || e.Relation == rinit.Requires) && !w.up(e.To) {
			w.fail("%s starts and %s, in its %s, is not up", name, e.To, e.Relation)
		}
	}
	if some := a.Service.RequiresOne; u.service == w.m.graph.Service(name) && len(some) > 0 && !slices.ContainsFunc(some, w.up) {
		w.fail("%s starts and none of %v is up", name, some)
	}
}

// checkReload: what is up stays as it is, what is down and not wanted too. What
// waits may go on where the new graph lets it.
func (w *world) checkReload(before map[string]unit) {
	w.t.Helper()
	for name, u := range w.m.units {
		old, there := before[name]
		switch {
		case !there && u.phase != down:
			w.fail("a reload starts %s, which is new", name)
		case there && old.phase == up && old.want && (u.phase != up || u.run != old.run || u.service != old.service):
			w.fail("a reload touches %s", name)
		case there && old.phase == down && (u.phase != down || u.service != w.m.graph.Service(name)):
			w.fail("%s was down at the reload, and is not what it says", name)
		}
	}
	for name, old := range before {
		if old.phase == up && old.want && w.m.units[name] == nil {
			w.fail("a reload forgets %s, which is up", name)
		}
	}
}

// up is worked out by another way than the manager's.
func (w *world) up(name string) bool {
	if u := w.m.units[name]; u != nil {
		return u.phase == up
	}
	s := w.m.graph.Service(name)
	switch {
	case s == nil:
		return false
	case s.Type == rinit.Virtual:
		return slices.ContainsFunc(s.Providers, w.up)
	}
	return !slices.ContainsFunc(s.Contents, func(n string) bool { return !w.up(n) })
}

// checkSignal: nothing is taken from under what stays.
func (w *world) checkSignal(p *process) {
	w.t.Helper()
	name := p.spawn.Service.Name
	if !p.askedAt.IsZero() {
		w.fail("%s is asked to end twice", name)
	}
	if u := w.m.units[name]; u == nil || u.want || p.spawn.Part != PartRun {
		return // a restart, a script that takes too long
	}
	w.checkBehind(name)
}

func (w *world) checkBehind(name string) {
	w.t.Helper()
	for _, e := range w.m.graph.Behind(name) {
		if e.Relation != rinit.DependsOn && e.Relation != rinit.Requires && e.Relation != rinit.Contains {
			continue
		}
		u := w.m.units[e.From]
		switch {
		case u == nil:
			w.checkBehind(e.From)
		case u.phase == up && !u.want:
			w.fail("%s goes down before %s, which depends on it and goes down too", name, e.From)
		}
	}
}

// ask makes a request.
func (w *world) ask(make func(RequestID) Event) RequestID {
	w.t.Helper()
	w.next++
	w.asked[w.next] = w.now
	w.do(make(w.next))
	return w.next
}

// happening is the next thing that happens by itself.
func (w *world) happening() (at time.Time, ev func(), ok bool) {
	consider := func(when time.Time, what func()) {
		if !when.IsZero() && (!ok || when.Before(at)) {
			at, ev, ok = when, what, true
		}
	}
	ids := make([]RunID, 0, len(w.runs))
	for id := range w.runs {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		p := w.runs[id]
		consider(p.exits, func() { w.exit(id, p) })
		consider(p.readies, func() {
			p.readies = time.Time{}
			w.do(Ready{id})
		})
	}
	if due, is := w.m.Deadline(); is {
		consider(due, func() { w.do(Wake{}) })
	}
	return at, ev, ok
}

func (w *world) exit(id RunID, p *process) {
	delete(w.runs, id)
	e := Exit{Code: p.code}
	switch {
	case p.manners.broken:
		e = Exit{Err: "no such program"}
	case !p.killed.IsZero():
		e = Exit{Signal: 9}
	case !p.askedAt.IsZero():
		e = Exit{Signal: 1}
	}
	u := w.m.units[p.spawn.Service.Name]
	if u == nil || u.phase == up && w.now.Sub(u.upSince) >= Steady || e.OK() && p.spawn.Part == PartStart && u.stage == running {
		w.streak[p.spawn.Service.Name] = 0
	}
	w.do(Exited{id, e})
}

// pass lets time pass, with all that happens in it.
func (w *world) pass(d time.Duration) {
	w.t.Helper()
	end := w.now.Add(d)
	for range 100000 {
		at, happen, ok := w.happening()
		if !ok || at.After(end) {
			w.now = end
			return
		}
		w.now = at
		happen()
	}
	w.fail("things happen without end")
}

// phases are what the services are in, by name.
func (w *world) phases() map[string]phase {
	out := map[string]phase{}
	for name, u := range w.m.units {
		out[name] = u.phase
	}
	return out
}

// services draws some that may be linked: relations lead to smaller numbers.
func services(t *rapid.T, least, most int) []rinit.Service {
	var out []rinit.Service
	name := func(i int) string { return fmt.Sprintf("s%03d", i) }
	for i := range rapid.IntRange(least, most).Draw(t, "services") {
		some := func(label string, least, most int) (names []string) {
			for _, j := range rapid.SliceOfNDistinct(rapid.IntRange(0, max(0, i-1)), least, most, rapid.ID).Draw(t, label) {
				if j < i && j < len(out) {
					names = append(names, name(j))
				}
			}
			slices.Sort(names)
			return names
		}
		s := rinit.NewService(name(i), rapid.SampledFrom([]rinit.Type{rinit.Longrun, rinit.Longrun, rinit.Longrun, rinit.Oneshot, rinit.Bundle, rinit.Virtual}).Draw(t, "type"))
		members := some("members", 0, min(3, max(1, i)))
		if len(members) == 0 && (s.Type == rinit.Bundle || s.Type == rinit.Virtual) {
			s.Type = rinit.Longrun
		}
		switch s.Type {
		case rinit.Bundle:
			s.Contents = members
		case rinit.Virtual:
			s.Providers = members
		case rinit.Longrun:
			s.Run = script(t)
			if rapid.IntRange(0, 2).Draw(t, "finish") == 0 {
				s.Finish = script(t)
			}
		case rinit.Oneshot:
			s.Start = script(t)
			if rapid.Bool().Draw(t, "stop") {
				s.Stop = script(t)
			}
		}
		if s.Type == rinit.Longrun || s.Type == rinit.Oneshot {
			s.Dependencies, s.Requires = members, some("requires", 0, 1)
			s.RequiresOne, s.Wants, s.After = some("requires-one", 0, min(2, max(1, i))), some("wants", 0, 1), some("after", 0, 1)
		}
		out = append(out, s)
	}
	return out
}

func script(t *rapid.T) *rinit.Script {
	x := rinit.NewScript("sh", "true\n")
	x.Timeout = time.Duration(rapid.IntRange(0, 4).Draw(t, "timeout")) * time.Second
	x.TimeoutKill = time.Duration(rapid.IntRange(0, 3).Draw(t, "timeout_kill")) * time.Second
	x.MaxDeaths = rapid.IntRange(0, 4).Draw(t, "max_deaths")
	if rapid.Bool().Draw(t, "notifies") {
		x.Notify = 3
	}
	return x
}

// anyManners draws how a process behaves. Nearly all die of SIGKILL.
func anyManners(t *rapid.T) func(Spawn) manners {
	span := rapid.Map(rapid.IntRange(-3, 30), func(n int) time.Duration { return time.Duration(n) * 500 * time.Millisecond })
	return func(Spawn) manners {
		m := manners{life: span.Draw(t, "life"), code: rapid.SampledFrom([]int{0, 0, 1}).Draw(t, "code"), ready: span.Draw(t, "ready"), asked: span.Draw(t, "asked")}
		switch rapid.IntRange(0, 20).Draw(t, "oddity") {
		case 0:
			m.killed = -1
		case 1:
			m.life, m.broken = 0, true
		}
		return m
	}
}

// calm are processes that do what they should.
func calm(Spawn) manners { return manners{life: -1, ready: time.Second} }

func TestWorldIsFair(t *testing.T) {
	s := rinit.NewService("a", rinit.Longrun)
	s.Run = rinit.NewScript("sh", "x\n")
	w := newWorld(t, graph(t, s), calm)
	id := w.ask(func(id RequestID) Event { return Start{id, []string{"a"}} })
	w.pass(2900 * time.Millisecond)
	if _, done := w.replies[id]; done {
		t.Fatal("it is up before its timeout")
	}
	w.pass(time.Second)
	if got := w.replies[id]; len(got) != 1 || got[0].Failure != "" || w.m.units["a"].phase != up {
		t.Fatalf("%+v", got)
	}
}
