// SPDX-License-Identifier: GPL-3.0-or-later

package rinit

import (
	"path"
	"strings"
	"time"
)

// Type is what kind of service a file describes.
type Type string

// The types of services.
const (
	Bundle  Type = "bundle"  // a name for several services
	Longrun Type = "longrun" // a process that stays
	Oneshot Type = "oneshot" // something that is done once, and perhaps undone
	Virtual Type = "virtual" // what several services can provide; ours
)

// Runlevel is when services that start by themselves do so.
type Runlevel string

// Everything in Boot is up before Default begins, and goes down after it.
const (
	Boot    Runlevel = "boot"
	Default Runlevel = "default"
)

// Service is what a file says.
type Service struct {
	Name        string
	Type        Type
	Description string // ours; for people
	Runlevel    Runlevel
	Autostart   bool // with its runlevel, once it is enabled

	// Lists of names, sorted.
	Dependencies []string // started first; each must be up
	Requires     []string // each must be up when this one starts; not started for it
	RequiresOne  []string // one of these must be up when this one starts
	Wants        []string // ours: started first; this one starts even if they fail
	After        []string // ours: if these start too, then first
	Contents     []string // of a bundle
	Providers    []string // ours: of a virtual service; in order of preference

	Run, Finish *Script // of a longrun: the process; what cleans up after it
	Start, Stop *Script // of a oneshot
	Env         []Variable
}

// Variable is one of the environment.
type Variable struct{ Name, Value string }

// Script is something to run.
type Script struct {
	Prefix      string        // bash or sh: who reads Execute; path: Execute is a program and its arguments
	Execute     string        // whole lines
	Timeout     time.Duration // a start has succeeded or failed by then
	TimeoutKill time.Duration // from DownSignal to SIGKILL
	MaxDeaths   int           // this many tries in all
	DownSignal  string        // as "SIGHUP"
	User, Group string        // empty: the manager's
	Notify      int           // descriptor that readiness is told on, or NoNotify
}

// NoNotify is the Notify of a script that does not tell when it is ready.
const NoNotify = -1

// NewService returns a service with all that a file need not say.
func NewService(name string, t Type) Service {
	return Service{Name: name, Type: t, Runlevel: Default, Autostart: true}
}

// NewScript returns a script with all that a file need not say.
func NewScript(prefix, execute string) *Script {
	return &Script{
		Prefix: prefix, Execute: execute, Timeout: 3 * time.Second, TimeoutKill: 3 * time.Second, MaxDeaths: 3,
		DownSignal: "SIGHUP", Notify: NoNotify,
	}
}

// Argv returns the program that the script runs and its arguments.
func (s *Script) Argv() []string {
	if s.Prefix == "path" {
		return strings.Fields(s.Execute)
	}
	return []string{s.Prefix, "-c", s.Execute}
}

// The endings of service files, by who runs the service.
const (
	SystemExt = ".system"
	UserExt   = ".user"
)

// NameOf returns the name that a service file must have by the name of the
// file; ok is false where it is none.
func NameOf(file string) (name string, ok bool) {
	base := path.Base(file)
	for _, ext := range []string{SystemExt, UserExt} {
		if name, ok := strings.CutSuffix(base, ext); ok && name != "" {
			return name, true
		}
	}
	return "", false
}
