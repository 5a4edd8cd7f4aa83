// SPDX-License-Identifier: GPL-3.0-or-later

package rinit

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"
)

// sectionKind is a section that a file may have.
type sectionKind struct {
	name   string
	types  []Type // of the services that may have it
	need   bool
	script func(*Service) **Script // where it goes, if it says what to run
}

// sectionKinds are all sections, in the order in which Encode writes them.
var sectionKinds = []sectionKind{
	{name: "run", types: []Type{Longrun}, need: true, script: func(s *Service) **Script { return &s.Run }},
	{name: "finish", types: []Type{Longrun}, script: func(s *Service) **Script { return &s.Finish }},
	{name: "start", types: []Type{Oneshot}, need: true, script: func(s *Service) **Script { return &s.Start }},
	{name: "stop", types: []Type{Oneshot}, script: func(s *Service) **Script { return &s.Stop }},
	{name: "options", types: []Type{Bundle, Longrun, Oneshot, Virtual}},
	{name: env, types: []Type{Longrun, Oneshot}},
}

// env is the section whose keys are variables.
const env = "env"

// field is a key of a section.
type field struct {
	key     string
	types   []Type // of the services that may have it
	script  bool   // it stands where something is run; else in [options]
	need    bool
	ours    bool // rinit does not know it
	code    bool
	ordered bool     // a list whose order means something
	choices []string // the only values
	max     uint64
	initial string // what holds where the key is absent
	check   func(value string) (wrong string)
	// at is where the value goes: a *string, *bool, *int, *time.Duration (the
	// file has milliseconds) or *[]string.
	at func(*Service, *Script) any
}

var (
	processes = []Type{Longrun, Oneshot}
	everyType = []Type{Bundle, Longrun, Oneshot, Virtual}
)

// fields are all keys, in the order in which Encode writes them.
var fields = []field{
	{key: "prefix", script: true, types: processes, need: true, choices: []string{"bash", "sh", "path"}, at: func(_ *Service, x *Script) any { return &x.Prefix }},
	{key: "execute", script: true, types: processes, need: true, code: true, at: func(_ *Service, x *Script) any { return &x.Execute }},
	{key: "timeout", script: true, types: processes, max: math.MaxUint32, initial: "3000", at: func(_ *Service, x *Script) any { return &x.Timeout }},
	{key: "timeout_kill", script: true, types: processes, max: math.MaxUint32, initial: "3000", at: func(_ *Service, x *Script) any { return &x.TimeoutKill }},
	{key: "max_deaths", script: true, types: processes, max: math.MaxUint8, initial: "3", at: func(_ *Service, x *Script) any { return &x.MaxDeaths }},
	{key: "down_signal", script: true, types: processes, choices: signals, initial: "SIGHUP", at: func(_ *Service, x *Script) any { return &x.DownSignal }},
	{key: "user", script: true, types: processes, check: account, at: func(_ *Service, x *Script) any { return &x.User }},
	{key: "group", script: true, types: processes, check: account, at: func(_ *Service, x *Script) any { return &x.Group }},
	{key: "notify", script: true, types: processes, max: math.MaxUint8, at: func(_ *Service, x *Script) any { return &x.Notify }},

	{key: "description", types: everyType, ours: true, check: printable, at: func(s *Service, _ *Script) any { return &s.Description }},
	{key: "dependencies", types: processes, check: nameWrong, at: func(s *Service, _ *Script) any { return &s.Dependencies }},
	{key: "requires", types: processes, check: nameWrong, at: func(s *Service, _ *Script) any { return &s.Requires }},
	{key: "requires-one", types: processes, check: nameWrong, at: func(s *Service, _ *Script) any { return &s.RequiresOne }},
	{key: "wants", types: processes, ours: true, check: nameWrong, at: func(s *Service, _ *Script) any { return &s.Wants }},
	{key: "after", types: processes, ours: true, check: nameWrong, at: func(s *Service, _ *Script) any { return &s.After }},
	{key: "contents", types: []Type{Bundle}, need: true, check: nameWrong, at: func(s *Service, _ *Script) any { return &s.Contents }},
	{key: "providers", types: []Type{Virtual}, need: true, ours: true, ordered: true, check: nameWrong, at: func(s *Service, _ *Script) any { return &s.Providers }},
	{key: "autostart", types: everyType, initial: "yes", at: func(s *Service, _ *Script) any { return &s.Autostart }},
	{key: "runlevel", types: everyType, choices: []string{string(Boot), string(Default)}, initial: string(Default), at: func(s *Service, _ *Script) any { return (*string)(&s.Runlevel) }},
}

// signals are those of Linux, as down_signal names them.
var signals = []string{
	"SIGHUP", "SIGINT", "SIGQUIT", "SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE", "SIGKILL", "SIGUSR1", "SIGSEGV", "SIGUSR2",
	"SIGPIPE", "SIGALRM", "SIGTERM", "SIGSTKFLT", "SIGCHLD", "SIGCONT", "SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGURG",
	"SIGXCPU", "SIGXFSZ", "SIGVTALRM", "SIGPROF", "SIGWINCH", "SIGIO", "SIGPWR", "SIGSYS",
}

func sectionOf(name string) (sectionKind, bool) {
	i := slices.IndexFunc(sectionKinds, func(k sectionKind) bool { return k.name == name })
	if i < 0 {
		return sectionKind{}, false
	}
	return sectionKinds[i], true
}

// sectionNames are those that a service of this type may have; all, where the
// type is not known.
func sectionNames(t Type) (names []string) {
	for _, k := range sectionKinds {
		if t == "" || slices.Contains(k.types, t) {
			names = append(names, k.name)
		}
	}
	return names
}

// fieldOf finds a key in a section; any type of service may have it.
func fieldOf(section sectionKind, key string) (field, bool) {
	i := slices.IndexFunc(fields, func(f field) bool { return f.key == key && f.script == (section.script != nil) })
	if i < 0 || section.name == env {
		return field{}, false
	}
	return fields[i], true
}

// fieldsOf are the keys of a section of a service of this type.
func fieldsOf(section sectionKind, t Type) (out []field) {
	for _, f := range fields {
		if section.name != env && f.script == (section.script != nil) && slices.Contains(f.types, t) {
			out = append(out, f)
		}
	}
	return out
}

func (f field) list() bool {
	_, ok := f.at(&Service{}, &Script{}).(*[]string)
	return ok
}

// nameWrong says what keeps a word from being the name of a service.
func nameWrong(name string) string {
	const most = 200 // a file of that name must exist, with an ending
	switch {
	case name == "":
		return "is empty"
	case len(name) > most:
		return fmt.Sprintf("has more than %d bytes", most)
	case name[0] == '-' || name[0] == '.' || name[0] == '#':
		return fmt.Sprintf("begins with %q", name[:1])
	}
	for _, r := range name {
		switch {
		case strings.ContainsRune("/[]()=", r):
			return fmt.Sprintf("holds %q", r)
		case unicode.IsSpace(r) || !unicode.IsPrint(r):
			return "holds a blank or a control character"
		}
	}
	return ""
}

// account says what keeps a word from being a user's or group's name.
func account(name string) string {
	if name == "" || strings.ContainsFunc(name, func(r rune) bool { return unicode.IsSpace(r) || r == ':' || !unicode.IsPrint(r) }) {
		return "is no name of an account"
	}
	return ""
}

// printable says what keeps a text from being shown to people.
func printable(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) && r != '\t' }) {
		return "holds a control character"
	}
	return ""
}
