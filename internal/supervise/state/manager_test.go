// SPDX-License-Identifier: GPL-3.0-or-later

package state

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rastos/rastos/rinit"
)

// longrun is a service that is up when it tells so.
func longrun(name string, change ...func(*rinit.Service)) rinit.Service {
	s := rinit.NewService(name, rinit.Longrun)
	s.Run = rinit.NewScript("sh", "x\n")
	s.Run.Notify = 3
	for _, c := range change {
		c(&s)
	}
	return s
}

func oneshot(name string, change ...func(*rinit.Service)) rinit.Service {
	s := rinit.NewService(name, rinit.Oneshot)
	s.Start = rinit.NewScript("sh", "x\n")
	for _, c := range change {
		c(&s)
	}
	return s
}

func needs(names ...string) func(*rinit.Service) {
	return func(s *rinit.Service) { s.Dependencies = names }
}

// scripted gives each script of a service its manners: "a run" and so on.
func scripted(how map[string]manners) func(Spawn) manners {
	return func(s Spawn) manners {
		if m, is := how[s.Service.Name+" "+string(s.Part)]; is {
			return m
		}
		if s.Part == PartRun {
			return manners{life: -1}
		}
		return manners{}
	}
}

// told are the scripts that started and the signals that were sent, with when.
func (w *world) told() []string {
	var out []string
	for _, l := range w.log {
		at, rest, _ := strings.Cut(l, "    → ")
		switch {
		case at != "":
			out = append(out, strings.Fields(l)[0])
		case strings.HasPrefix(rest, "state.Spawn "):
			_, what, _ := strings.Cut(strings.TrimPrefix(rest, "state.Spawn "), " ")
			out = append(out, what)
		case strings.HasPrefix(rest, "state.Signal"), strings.HasPrefix(rest, "state.Kill"):
			var run RunID
			kind, args, _ := strings.Cut(strings.TrimPrefix(rest, "state."), " ")
			fmt.Sscanf(args, "{Run:%d", &run)
			out = append(out, strings.ToLower(kind)+fmt.Sprintf(" %d", run))
		}
	}
	var timed []string
	now := ""
	for _, l := range out {
		if strings.Contains(l, " ") {
			timed = append(timed, now+" "+l)
			continue
		}
		now = l
	}
	return timed
}

func (w *world) start(names ...string) RequestID {
	return w.ask(func(id RequestID) Event { return Start{id, names} })
}

// failures are those of an answered request.
func (w *world) failures(id RequestID) string {
	results, answered := w.replies[id]
	if !answered {
		return "no answer"
	}
	var all []string
	for _, r := range results {
		if r.Failure != "" {
			all = append(all, r.Failure)
		}
	}
	return strings.Join(all, "; ")
}

func want(t *testing.T, w *world, lines ...string) {
	t.Helper()
	if diff := cmp.Diff(lines, w.told()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestACrashLoopEnds: at once, then after pauses that double, then never.
func TestACrashLoopEnds(t *testing.T) {
	s := longrun("a", func(s *rinit.Service) { s.Run.MaxDeaths = 5; s.Finish = rinit.NewScript("sh", "x\n") })
	w := newWorld(t, graph(t, s), scripted(map[string]manners{"a run": {life: 100 * time.Millisecond, code: 3, ready: -1}}))
	id := w.start("a")
	w.pass(time.Minute)
	want(t, w, "0s run of a", "100ms finish of a", "100ms run of a", "200ms finish of a", "400ms run of a", "500ms finish of a", "900ms run of a", "1s finish of a", "1.8s run of a", "1.9s finish of a")
	if got := w.failures(id); got != "died 5 times, the last time: exit code 3" {
		t.Error(got)
	}
}

// TestWhatWasSteadyHasAllItsTries: a death after a long life is no crash loop.
func TestWhatWasSteadyHasAllItsTries(t *testing.T) {
	w := newWorld(t, graph(t, longrun("a", func(s *rinit.Service) { s.Run.MaxDeaths = 1 })), scripted(map[string]manners{"a run": {life: Steady + time.Second}}))
	w.start("a")
	w.pass(time.Minute)
	if s := w.m.Status()[0]; s.Restarts != 5 || s.State != Up {
		t.Errorf("%+v", s)
	}
}

// TestOneshots: a start that takes too long is ended and tried again; a stop script
// undoes what was done, and what it left behind goes with it.
func TestOneshots(t *testing.T) {
	s := oneshot("a", func(s *rinit.Service) { s.Stop = rinit.NewScript("sh", "x\n"); s.Start.MaxDeaths = 2 })
	tries := 0
	w := newWorld(t, graph(t, s), func(s Spawn) manners {
		if tries++; tries == 1 {
			return manners{life: -1, asked: -1}
		}
		return manners{life: time.Second}
	})
	id := w.start("a")
	w.pass(20 * time.Second)
	stop := w.ask(func(id RequestID) Event { return Stop{id, []string{"a"}, false} })
	w.pass(5 * time.Second)
	want(t, w, "0s start of a", "3s signal 1", "6s kill 1", "6s start of a", "20s stop of a")
	if w.failures(id) != "" || w.failures(stop) != "" || w.m.Status()[0].State != Down {
		t.Errorf("%q, %q, %+v", w.failures(id), w.failures(stop), w.m.Status()[0])
	}
	if tail := w.log[len(w.log)-4:]; !strings.Contains(strings.Join(tail, "\n"), "Sweep {Run:2}") {
		t.Errorf("what the start left behind is not swept: %v", tail)
	}
}

func TestReadiness(t *testing.T) {
	silent := longrun("silent", func(s *rinit.Service) { s.Run.Notify = rinit.NoNotify })
	w := newWorld(t, graph(t, longrun("quick"), longrun("late"), silent), scripted(map[string]manners{
		"quick run": {life: -1, ready: time.Second}, "late run": {life: -1, ready: 5 * time.Second}, "silent run": {life: -1},
	}))
	up := map[string]RequestID{"quick": w.start("quick"), "late": w.start("late"), "silent": w.start("silent")}
	for _, step := range []struct {
		after time.Duration
		up    string
	}{{900 * time.Millisecond, ""}, {200 * time.Millisecond, "quick"}, {2 * time.Second, "late quick silent"}} {
		w.pass(step.after)
		var got []string
		for _, name := range []string{"late", "quick", "silent"} {
			if _, is := w.replies[up[name]]; is {
				got = append(got, name)
			}
		}
		if strings.Join(got, " ") != step.up {
			t.Errorf("after %v more: %v are up, want %s", step.after, got, step.up)
		}
	}
	if s := w.m.Status(); !s[0].Unready || s[1].Unready || s[2].Unready {
		t.Errorf("%+v", s)
	}
	w.pass(3 * time.Second)
	if w.m.Status()[0].Unready {
		t.Error("it has told by now")
	}
}

func TestStopIsRefusedOrTakesAlong(t *testing.T) {
	w := newWorld(t, graph(t, longrun("a"), longrun("b", needs("a")), longrun("c", needs("b"))), calm)
	w.start("c")
	w.pass(10 * time.Second)
	no := w.ask(func(id RequestID) Event { return Stop{id, []string{"a"}, false} })
	if got := w.failures(no); got != "service a dependents [b, c] are still running" {
		t.Error(got)
	}
	yes := w.ask(func(id RequestID) Event { return Stop{id, []string{"a"}, true} })
	w.pass(10 * time.Second)
	if got := w.failures(yes); got != "" {
		t.Error(got)
	}
	want(t, w, "0s run of a", "1s run of b", "2s run of c", "10s signal 3", "10s signal 2", "10s signal 1")
}

func TestConditionsAndAlternatives(t *testing.T) {
	virtual := rinit.NewService("mta", rinit.Virtual)
	virtual.Providers = []string{"postfix", "exim"}
	bundle := rinit.NewService("mail", rinit.Bundle)
	bundle.Contents = []string{"filter", "mta"}
	filter := longrun("filter", func(s *rinit.Service) { s.Requires = []string{"db"}; s.RequiresOne = []string{"clam", "rspamd"} })
	g := graph(t, virtual, bundle, filter, longrun("postfix"), longrun("exim"), longrun("db"), longrun("clam"), longrun("rspamd"))
	w := newWorld(t, g, calm)
	w.start("exim")
	w.pass(5 * time.Second)
	for _, step := range []struct{ also, failure string }{
		{"", "filter: db is not up, and service filter requires it"},
		{"db", "filter: none of clam, rspamd is up, and service filter requires one"},
		{"rspamd", ""},
	} {
		if step.also != "" {
			w.start(step.also)
			w.pass(5 * time.Second)
		}
		id := w.start("mail")
		w.pass(5 * time.Second)
		if got := w.failures(id); got != step.failure {
			t.Errorf("with %q: %q, want %q", step.also, got, step.failure)
		}
	}
	if w.phases()["postfix"] != down {
		t.Error("postfix was started, though exim was there")
	}
	if s := w.m.Status(); s[2].Service != "mta" && s[1].Service != "mta" {
		t.Errorf("%+v", s)
	}
}

func TestBootIsInOrder(t *testing.T) {
	early := oneshot("early", func(s *rinit.Service) { s.Runlevel = rinit.Boot })
	hand := longrun("hand", func(s *rinit.Service) { s.Autostart = false })
	w := newWorld(t, graph(t, early, hand, longrun("late")), scripted(map[string]manners{"early start": {life: 2 * time.Second}, "late run": {life: -1}}))
	id := w.ask(func(id RequestID) Event { return Boot{id, []string{"early", "hand", "late", "absent"}} })
	w.pass(10 * time.Second)
	want(t, w, "0s start of early", "2s run of late")
	if _, done := w.replies[id]; !done {
		t.Error("the boot is not over")
	}
	w.closing = true
	end := w.ask(func(id RequestID) Event { return Shutdown{id, time.Minute} })
	if got := w.failures(w.start("hand")); got != "everything is being stopped" {
		t.Error(got)
	}
	w.pass(10 * time.Second)
	if got := w.failures(end); got != "" {
		t.Error(got)
	}
}

func TestAShutdownNamesWhatHeldItUp(t *testing.T) {
	w := newWorld(t, graph(t, longrun("deaf", func(s *rinit.Service) { s.Run.TimeoutKill = time.Hour }), longrun("undying"), longrun("good", needs("deaf"))), scripted(map[string]manners{
		"deaf run": {life: -1, asked: -1}, "undying run": {life: -1, asked: -1, killed: -1}, "good run": {life: -1},
	}))
	w.start("good", "undying")
	w.pass(10 * time.Second)
	w.closing = true
	id := w.ask(func(id RequestID) Event { return Shutdown{id, 4 * time.Second} })
	w.pass(3 * time.Second)
	if _, early := w.replies[id]; early {
		t.Error("the shutdown is over before its deadline")
	}
	w.pass(10 * time.Second)
	if got := w.failures(id); got != "was not down in time: it was ending; was not down in time: it was ending" {
		t.Error(got)
	}
}

func TestExitsInWords(t *testing.T) {
	for _, c := range []struct {
		exit Exit
		want string
	}{{Exit{Code: 3}, "exit code 3"}, {Exit{Signal: 9}, "killed by SIGKILL"}, {Exit{Signal: 40}, "killed by signal 40"}, {Exit{Err: "no such program"}, "no such program"}} {
		if got := c.exit.String(); got != c.want || c.exit.OK() {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

// TestStartedAgainWhileItEnds: what was dismissed begins anew, and waits for what it
// needs as if it had been down.
func TestStartedAgainWhileItEnds(t *testing.T) {
	a := longrun("a", needs("d"), func(s *rinit.Service) { s.Finish = rinit.NewScript("sh", "x\n"); s.Finish.Timeout = 10 * time.Second })
	d := longrun("d", func(s *rinit.Service) { s.Run.MaxDeaths = 1 })
	runs := 0
	w := newWorld(t, graph(t, a, d), func(s Spawn) manners {
		switch {
		case s.Part == PartFinish:
			return manners{life: 4 * time.Second}
		case s.Service.Name == "a":
			return manners{life: 3 * time.Second}
		}
		if runs++; runs == 1 {
			return manners{life: 4500 * time.Millisecond}
		}
		return manners{life: -1, ready: 2500 * time.Millisecond}
	})
	w.start("a")
	w.pass(3500 * time.Millisecond)
	w.ask(func(id RequestID) Event { return Stop{id, []string{"a"}, false} })
	w.pass(1500 * time.Millisecond)
	w.start("a")
	w.pass(2600 * time.Millisecond)
	want(t, w, "0s run of d", "0s run of a", "3s finish of a", "5s run of d", "7.5s run of a")
}
