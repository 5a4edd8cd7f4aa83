// SPDX-License-Identifier: GPL-3.0-or-later

package state

import (
	"fmt"
	"syscall"
	"time"

	"github.com/rastos/rastos/rinit"
)

// RunID names one run of a script; none is given twice.
type RunID uint64

// RequestID names a request; its answer bears it.
type RequestID uint64

// Part is which of a service's scripts runs.
type Part string

// The parts, by the sections of service files.
const (
	PartRun    Part = "run"
	PartFinish Part = "finish"
	PartStart  Part = "start"
	PartStop   Part = "stop"
)

// Exit is how a script ended.
type Exit struct {
	Code   int            `json:"code"`
	Signal syscall.Signal `json:"signal,omitempty"` // that ended it
	Err    string         `json:"error,omitempty"`  // it could not be started
}

// OK tells whether it did what it was to do.
func (e Exit) OK() bool { return e == Exit{} }

func (e Exit) String() string {
	switch {
	case e.Err != "":
		return e.Err
	case e.Signal != 0:
		return fmt.Sprintf("killed by %s", signalName(e.Signal))
	}
	return fmt.Sprintf("exit code %d", e.Code)
}

// signalName is the name of the signals that mostly end a process.
func signalName(s syscall.Signal) string {
	if name, known := map[syscall.Signal]string{
		syscall.SIGHUP: "SIGHUP", syscall.SIGINT: "SIGINT", syscall.SIGQUIT: "SIGQUIT", syscall.SIGILL: "SIGILL", syscall.SIGABRT: "SIGABRT",
		syscall.SIGBUS: "SIGBUS", syscall.SIGFPE: "SIGFPE", syscall.SIGKILL: "SIGKILL", syscall.SIGSEGV: "SIGSEGV", syscall.SIGPIPE: "SIGPIPE",
		syscall.SIGALRM: "SIGALRM", syscall.SIGTERM: "SIGTERM", syscall.SIGUSR1: "SIGUSR1", syscall.SIGUSR2: "SIGUSR2", syscall.SIGSYS: "SIGSYS",
	}[s]; known {
		return name
	}
	return fmt.Sprintf("signal %d", int(s))
}

// Event is what happens to a Manager.
type Event interface{ event() }

// Exited says that the process of a run has ended.
type Exited struct {
	Run  RunID
	Exit Exit
}

// Ready says that a run has told that it is ready.
type Ready struct{ Run RunID }

// Wake says that time has passed.
type Wake struct{}

// Boot starts what is enabled and starts by itself: runlevel boot, then default.
type Boot struct {
	Request RequestID
	Enabled []string
}

// Start asks for services to be up, with all that they need.
type Start struct {
	Request RequestID
	Names   []string
}

// Stop asks for services to be down. Recursive takes along what depends on them,
// which else is a reason to refuse.
type Stop struct {
	Request   RequestID
	Names     []string
	Recursive bool
}

// Restart asks for services to end and start again; what depends on them stays.
type Restart struct {
	Request RequestID
	Names   []string
}

// Reload brings a new graph. What is down follows it at once, what is not when it
// is down next.
type Reload struct {
	Request RequestID
	Graph   *rinit.Graph
}

// Shutdown stops everything, runlevel default before boot. What is there after
// Within is killed.
type Shutdown struct {
	Request RequestID
	Within  time.Duration
}

func (Exited) event()   {}
func (Ready) event()    {}
func (Wake) event()     {}
func (Boot) event()     {}
func (Start) event()    {}
func (Stop) event()     {}
func (Restart) event()  {}
func (Reload) event()   {}
func (Shutdown) event() {}

// Action is what a Manager wants done.
type Action interface{ action() }

// Spawn starts a script. Exited must follow, also where it cannot be started.
type Spawn struct {
	Run     RunID
	Service *rinit.Service
	Part    Part
	Script  *rinit.Script
}

// Signal sends a signal to the process of a run, by the name that the script has
// for it.
type Signal struct {
	Run  RunID
	Name string
}

// Kill ends the process of a run and all that came from it.
type Kill struct{ Run RunID }

// Sweep ends what the process of a run has left behind.
type Sweep struct{ Run RunID }

// Reply answers a request. There is one for each.
type Reply struct {
	Request RequestID
	Results []Result
}

// Result is what became of one service that a request was about.
type Result struct {
	Service string `json:"service"`
	Failure string `json:"failure,omitempty"` // why it did not go as asked
}

// Note is something that people want to know.
type Note struct {
	Service string // empty: about the manager
	Text    string
	Bad     bool
}

func (Spawn) action()  {}
func (Signal) action() {}
func (Kill) action()   {}
func (Sweep) action()  {}
func (Reply) action()  {}
func (Note) action()   {}
