// SPDX-License-Identifier: GPL-3.0-or-later

// Package declare works out what a declaration of packages means to a system:
// what has to be installed, what nothing declares and nothing needs any more,
// and which packages count as asked for.
//
// What is declared and there stays as it is, in its version, unless an upgrade
// is asked for. A name means, in this order: the installed package called so; a
// package of the repositories called so; an installed package that provides it;
// a provider in the repositories; a group; a package that replaces it.
//
// The work is pure: databases come as values, those of the repositories only
// when they are needed, and what comes out is a request to the package engine.
// Once it was run, the same declaration asks for nothing more.
package declare

import (
	"fmt"
	"maps"
	"slices"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/solve"
)

// Declaration is what a manifest says of packages.
type Declaration struct {
	// Targets come from the repositories: names, "repo/name", "name=1",
	// "name>=1", provides, groups.
	Targets []string
	// Foreign come from elsewhere: they count where they are installed, and
	// cannot be installed from here.
	Foreign []string
	// Own are the system's own: asked for where they are installed.
	Own []string
	// Hold lists shell patterns of packages that stay, declared or not.
	Hold []string
}

// Universe is what there is.
type Universe struct {
	Installed []*desc.Package
	// Repos is asked when names alone do not answer.
	Repos func() ([]solve.Repo, error)
	// IgnorePkg lists shell patterns of packages that an upgrade leaves alone.
	IgnorePkg []string
	// Arch lists the allowed architectures beside "any"; empty allows all.
	Arch []string
}

// Options say what else is wanted.
type Options struct {
	Upgrade bool // bring what is installed up to date too
	// HoldBack decides whether packages stay as they are that cannot be
	// upgraded with the rest. nil: the upgrade is not worked out without them.
	HoldBack func([]solve.Held) bool
}

// NoteKind classes a Note.
type NoteKind string

// The notes.
const (
	NoteForeign  NoteKind = "foreign"  // it is declared, not installed, and cannot be from here
	NoteHeld     NoteKind = "held"     // nothing declares or needs it; it is held
	NoteReplaced NoteKind = "replaced" // another package stands for a declared one
	NoteProvided NoteKind = "provided" // an installed package provides a declared name
)

// Note is something that a person should know about what a declaration means.
type Note struct {
	Kind    NoteKind `json:"kind"`
	Package string   `json:"package"`
	Text    string   `json:"text"`
}

// Change is what a system lacks of a declaration.
type Change struct {
	// These are a request to the package engine.
	Targets  []string
	Remove   []string
	Upgrade  bool
	HoldBack bool
	Answer   func(solve.Question) int
	// Gone are all installed packages that are not there afterwards: those of
	// Remove, and those that go for another.
	Gone []string
	// Reasons are those of the packages that are there when the request was
	// run, where they are another now or would come out another.
	Reasons map[string]desc.Reason
	Notes   []Note
}

// Engine tells whether the package engine has anything to do.
func (c *Change) Engine() bool { return len(c.Targets)+len(c.Remove) > 0 || c.Upgrade }

// Empty tells whether the system is as declared.
func (c *Change) Empty() bool { return !c.Engine() && len(c.Reasons) == 0 }

// Work compares a declaration with a system.
func Work(u Universe, d Declaration, o Options) (*Change, error) {
	w := newWorker(u, d, o)
	for _, mean := range []func() error{w.literal, w.others} {
		if err := mean(); err != nil {
			return nil, err
		}
	}
	if err := w.settle(); err != nil {
		return nil, err
	}
	w.change.Targets, w.change.Remove = w.targets, w.remove
	w.finish()
	return w.change, nil
}

// finish says what comes out.
func (w *worker) finish() {
	there := map[string]bool{}
	for _, p := range w.final {
		there[p.Name] = true
	}
	for _, p := range w.Universe.Installed {
		if !there[p.Name] {
			w.change.Gone = append(w.change.Gone, p.Name)
		}
	}
	slices.Sort(w.change.Gone)
	w.tellHeld()
	w.reasons()
}

type worker struct {
	Universe
	decl   Declaration
	opt    Options
	change *Change

	byName   map[string]*desc.Package // installed
	repos    []solve.Repo
	loaded   bool
	declared map[string]bool // packages that the declaration means by their names
	held     map[string]bool // installed packages that are held
	virtual  []string        // declared names that some package provides
	open     []string        // targets that the engine has to install

	settled
}

// settled is what the work comes to.
type settled struct {
	targets  []string
	remove   []string
	solution *solve.Solution // nil: nothing to install
	final    []*desc.Package // what is there afterwards, by name
	needed   map[string]bool // of it
	stays    map[string]bool // not to be removed: it would be installed again
}

func newWorker(u Universe, d Declaration, o Options) *worker {
	w := &worker{
		Universe: u, decl: d, opt: o, change: &Change{Upgrade: o.Upgrade, Reasons: map[string]desc.Reason{}},
		byName:   make(map[string]*desc.Package, len(u.Installed)),
		declared: map[string]bool{}, held: map[string]bool{},
	}
	for _, p := range u.Installed {
		w.byName[p.Name] = p
		if matches(d.Hold, p.Name) {
			w.held[p.Name] = true
		}
	}
	w.change.Answer = w.answer
	return w
}

func matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return solve.Match(p, name) })
}

func (w *worker) note(kind NoteKind, pkg, text string) {
	n := Note{kind, pkg, text}
	if !slices.Contains(w.change.Notes, n) {
		w.change.Notes = append(w.change.Notes, n)
	}
}

// reasons compares why packages count as installed with why they should.
func (w *worker) reasons() {
	asked := w.asked()
	planned := map[string]desc.Reason{}
	if w.solution != nil {
		for _, in := range w.solution.Install {
			planned[in.Package.Name] = in.Reason
		}
	}
	for _, p := range w.final {
		have, changes := planned[p.Name]
		if !changes {
			have = p.Reason
		}
		want := desc.Depend
		switch {
		case asked[p.Name]:
			want = desc.Explicit
		case w.held[p.Name]:
			continue // whoever holds it knows why it is there
		}
		if want != have {
			w.change.Reasons[p.Name] = want
		}
	}
}

// asked are the packages that count as asked for: those that are declared, and
// one for each name that is only provided. Which one must not depend on why it
// was installed, or it would be another one the next time.
func (w *worker) asked() map[string]bool {
	asked := maps.Clone(w.declared)
	for _, name := range w.virtual {
		d := dependency(name)
		var best *desc.Package
		for _, p := range w.final {
			if w.needed[p.Name] && p.Satisfies(d) && (best == nil || w.declared[p.Name] && !w.declared[best.Name]) {
				best = p
			}
		}
		if best != nil {
			asked[best.Name] = true
			if w.byName[best.Name] != nil {
				w.note(NoteProvided, name, fmt.Sprintf("%s is provided by %s", name, best.Name))
			}
		}
	}
	return asked
}

// tellHeld notes what stays only because it is held.
func (w *worker) tellHeld() {
	if len(w.held) == 0 {
		return
	}
	needed := w.neededBy(func(p *desc.Package) bool { return w.declared[p.Name] })
	for _, p := range w.final {
		if w.held[p.Name] && !needed[p.Name] {
			w.note(NoteHeld, p.Name, p.Name+" is not declared and stays: it is held")
		}
	}
}
