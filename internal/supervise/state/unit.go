// SPDX-License-Identifier: GPL-3.0-or-later

package state

import (
	"fmt"
	"time"

	"github.com/rastos/rastos/rinit"
)

const (
	// Steady is how long a service must be up for its earlier deaths to be
	// forgotten.
	Steady = 10 * time.Second
	// grace is how long a process may take to be gone after SIGKILL.
	grace = 5 * time.Second
	// firstPause and longestPause bound the time before another try; it doubles
	// with each death. The first try comes without one.
	firstPause, longestPause = 200 * time.Millisecond, 30 * time.Second
)

// phase is where a service is on its way up or down.
type phase string

const (
	down     phase = "down"
	waiting  phase = "waiting"  // for what comes before it
	starting phase = "starting" // its script runs and it is not up yet
	pausing  phase = "pausing"  // before another try
	up       phase = "up"
	ending   phase = "ending"   // a longrun was asked to end
	undoing  phase = "undoing"  // the stop script of a oneshot runs
	cleaning phase = "cleaning" // the finish script of a longrun runs
)

// stage is how urgently a script was asked to end.
type stage int

const (
	running stage = iota
	asked         // by its down_signal
	killed
)

// unit is a service that has processes: a longrun or a oneshot.
type unit struct {
	m       *Manager
	name    string
	service *rinit.Service // in force
	next    *rinit.Service // from when it is down; nil: the same
	gone    bool           // is no service any more when it is down

	phase    phase
	want     bool      // up is where it is to be
	since    time.Time // in this phase
	deadline time.Time // when something must happen; zero: never

	run    RunID // of the script that runs; 0: none
	script *rinit.Script
	stage  stage
	stuck  bool  // not even SIGKILL helps
	trace  RunID // whose processes may still be there while it is up or down

	deaths    int // since it was last steady
	cleanups  int // tries of the stop or finish script
	restarts  int // since it was last asked to start
	upSince   time.Time
	unready   bool // it is up because it stayed alive, though it would tell
	lastExit  *Exit
	failure   string // why it is down
	startedAt time.Time
	bounced   bool // it is to end and start again
	lowered   bool // it ends because it was told to
}

func (u *unit) main() *rinit.Script {
	if u.service.Type == rinit.Oneshot {
		return u.service.Start
	}
	return u.service.Run
}

// enter moves to another phase.
func (u *unit) enter(p phase) { u.phase, u.since, u.deadline = p, u.m.now, time.Time{} }

func (u *unit) in(d time.Duration) { u.deadline = u.m.now.Add(d) }

// spawn runs a script of the service.
func (u *unit) spawn(p phase, part Part, script *rinit.Script) {
	u.enter(p)
	u.m.lastRun++
	u.run, u.script, u.stage, u.stuck = u.m.lastRun, script, running, false
	u.m.runs[u.run] = u
	u.in(script.Timeout)
	u.m.act(Spawn{u.run, u.service, part, script})
}

// begin makes a try to start.
func (u *unit) begin() {
	script, part := u.main(), PartRun
	if u.service.Type == rinit.Oneshot {
		part = PartStart
	}
	if script.MaxDeaths == 0 {
		u.fail("max_deaths = 0 allows no try")
		return
	}
	if u.startedAt.IsZero() {
		u.startedAt = u.m.now
	}
	u.spawn(starting, part, script)
}

// ask sends the signal that asks the running script to end.
func (u *unit) ask() {
	u.stage = asked
	u.in(u.script.TimeoutKill)
	u.m.act(Signal{u.run, u.script.DownSignal})
}

func (u *unit) kill() {
	u.stage = killed
	u.in(grace)
	u.m.act(Kill{u.run})
}

// expire does what is due when the deadline has passed.
func (u *unit) expire() {
	u.deadline = time.Time{}
	switch {
	case u.phase == pausing:
		u.begin()
	case u.run == 0 || u.stuck:
	case u.stage == asked:
		u.kill()
	case u.stage == killed:
		u.stuck = true
		u.m.note(u, true, "its process does not end, not even by SIGKILL")
	case u.phase == starting && u.service.Type == rinit.Longrun:
		u.unready = u.script.Notify != rinit.NoNotify
		if u.unready {
			u.m.note(u, true, "has not told within %v that it is ready; it is alive, and so it counts as up", u.script.Timeout)
		}
		u.rise()
	default:
		u.m.note(u, true, "its script has not ended within %v", u.script.Timeout)
		u.ask()
	}
}

// rise makes the service up.
func (u *unit) rise() {
	u.enter(up)
	u.upSince, u.failure = u.m.now, ""
	if u.service.Type == rinit.Oneshot {
		u.deaths = 0
	}
	u.m.note(u, false, "is up")
}

// ready is told by the service.
func (u *unit) ready() {
	switch {
	case u.phase == starting && u.stage == running && u.service.Type == rinit.Longrun:
		u.rise()
	case u.phase == up && u.unready:
		u.unready = false
		u.m.note(u, false, "is ready")
	}
}

// exited goes on after the running script has ended.
func (u *unit) exited(e Exit) {
	timedOut := u.stage != running
	delete(u.m.runs, u.run)
	ended := u.run
	u.run, u.stuck, u.lastExit = 0, false, &e
	switch u.phase {
	case starting, up:
		u.mainExited(ended, e, timedOut)
	case ending:
		u.sweep(ended)
		u.clean()
	case undoing, cleaning:
		u.sweep(ended)
		u.cleaned(e, timedOut)
	}
}

// mainExited goes on after the script that makes the service up.
func (u *unit) mainExited(ended RunID, e Exit, timedOut bool) {
	oneshot := u.service.Type == rinit.Oneshot
	if oneshot && e.OK() && !timedOut {
		u.trace = ended // what it left behind stays until it stops
		u.rise()
		return
	}
	u.sweep(ended)
	if !u.want || u.lowered {
		u.clean()
		return
	}
	u.deaths++
	if u.phase == up && u.m.now.Sub(u.upSince) >= Steady {
		u.deaths = 0 // it has all its tries again
	}
	how := e.String()
	if timedOut {
		how = "it took too long"
	}
	if u.phase == up {
		u.m.note(u, true, "ended: %s", how)
	} else {
		u.m.note(u, true, "did not start: %s", how)
	}
	u.failure = how
	u.clean()
}

// sweep ends what a run has left behind.
func (u *unit) sweep(run RunID) { u.m.act(Sweep{run}) }

// clean runs the finish script of a longrun, if there is one, and goes on.
func (u *unit) clean() {
	u.cleanups = 0
	if u.service.Finish == nil || u.m.cut() {
		u.settled()
		return
	}
	u.cleanup(cleaning, PartFinish, u.service.Finish)
}

// cleanup makes a try of the finish or stop script.
func (u *unit) cleanup(p phase, part Part, script *rinit.Script) {
	if script.MaxDeaths == 0 {
		u.settled()
		return
	}
	u.cleanups++
	u.spawn(p, part, script)
}

// cleaned goes on after the finish or stop script.
func (u *unit) cleaned(e Exit, timedOut bool) {
	part := PartFinish
	if u.phase == undoing {
		part = PartStop
	}
	switch {
	case e.OK() && !timedOut:
		u.settled()
	case u.cleanups < u.script.MaxDeaths && !u.m.cut():
		u.cleanup(u.phase, part, u.script)
	default:
		u.m.note(u, true, "its %s script failed %d times: %s", part, u.cleanups, e)
		u.settled()
	}
}

// settled decides what comes after nothing of the service runs any more.
func (u *unit) settled() {
	switch {
	case !u.want || u.lowered:
		u.fall()
	case u.deaths >= u.main().MaxDeaths:
		u.fail(fmt.Sprintf("died %d times, the last time: %s", u.deaths, u.failure))
	case u.deaths <= 1:
		u.restarts++
		u.begin()
	default:
		u.restarts++
		u.enter(pausing)
		u.in(pause(u.deaths))
	}
}

// pause is the time before another try after some deaths.
func pause(deaths int) time.Duration {
	d := firstPause
	for ; deaths > 2 && d < longestPause; deaths-- {
		d *= 2
	}
	return min(d, longestPause)
}

// fail makes the service down, against what is wanted.
func (u *unit) fail(why string) {
	u.failure, u.want = why, false
	u.m.note(u, true, "is down: %s", why)
	u.fall()
}

// fall makes the service down, and is the moment at which changes take effect.
func (u *unit) fall() {
	if u.trace != 0 {
		u.sweep(u.trace)
		u.trace = 0
	}
	if u.phase != down && u.failure == "" && !u.want {
		u.m.note(u, false, "is down")
	}
	u.enter(down)
	u.unready, u.startedAt, u.bounced, u.lowered = false, time.Time{}, false, false
	if u.next != nil {
		u.service, u.next = u.next, nil
	}
	if u.gone {
		u.want = false
		delete(u.m.units, u.name)
	}
}

// lower begins to make the service down; nothing needs it any more.
func (u *unit) lower() {
	u.lowered = true
	switch u.phase {
	case waiting, pausing:
		u.fall()
	case starting:
		if u.service.Type == rinit.Longrun {
			u.enter(ending)
		}
		if u.stage == running {
			u.ask()
		}
	case up:
		if u.service.Type == rinit.Longrun {
			u.enter(ending)
			u.ask()
			return
		}
		if u.service.Stop == nil {
			u.fall()
			return
		}
		u.cleanups = 0
		u.cleanup(undoing, PartStop, u.service.Stop)
	}
}
