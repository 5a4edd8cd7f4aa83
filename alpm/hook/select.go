// SPDX-License-Identifier: GPL-3.0-or-later

package hook

import "slices"

// PackageChange is what a transaction does to the files of one package.
type PackageChange struct {
	Name string
	// OldFiles are those of the installed version, NewFiles those of the new
	// one without what NoExtract keeps out. Without a leading slash.
	OldFiles, NewFiles []string
}

// Change is a whole transaction. A reinstallation or downgrade is an upgrade.
type Change struct {
	Installed, Upgraded, Removed []PackageChange
}

// Run is a hook that a change triggers.
type Run struct {
	Hook *Hook
	// Targets are the matches, sorted and each once, of a hook that needs them.
	Targets []string
}

// Select returns the hooks that a change triggers at a moment, in their order.
func Select(hooks []*Hook, when When, change Change) []Run {
	var runs []Run
	for _, h := range hooks {
		if h.When != when {
			continue
		}
		triggered := false
		var targets []string
		for _, t := range h.Triggers {
			matches := t.matches(change)
			if len(matches) == 0 {
				continue
			}
			triggered = true
			if !h.NeedsTargets {
				break
			}
			targets = append(targets, matches...)
		}
		if triggered {
			slices.Sort(targets)
			runs = append(runs, Run{Hook: h, Targets: slices.Compact(targets)})
		}
	}
	return runs
}

// matches returns the names that trigger, in no order, some perhaps twice.
func (t Trigger) matches(c Change) []string {
	patterns := Compile(t.Targets)
	if t.Type == Package {
		return t.packages(patterns, c)
	}
	return t.paths(patterns, c)
}

func (t Trigger) packages(patterns Patterns, c Change) []string {
	var names []string
	add := func(op Operation, list []PackageChange) {
		if t.Operations&op == 0 {
			return
		}
		for _, p := range list {
			if patterns.Match(p.Name) {
				names = append(names, p.Name)
			}
		}
	}
	add(Install, c.Installed)
	add(Upgrade, c.Upgraded)
	add(Remove, c.Removed)
	return names
}

// paths compares the matching files that come with those that go, over the
// whole transaction: a path that is in both is upgraded, even if it moves from
// one package to another.
func (t Trigger) paths(patterns Patterns, c Change) []string {
	comes, goes := map[string]bool{}, map[string]bool{}
	for _, list := range [][]PackageChange{c.Installed, c.Upgraded} {
		for _, p := range list {
			collect(comes, patterns, p.NewFiles)
		}
	}
	for _, list := range [][]PackageChange{c.Upgraded, c.Removed} {
		for _, p := range list {
			collect(goes, patterns, p.OldFiles)
		}
	}
	var names []string
	for name := range comes {
		op := Install
		if goes[name] {
			op = Upgrade
		}
		if t.Operations&op != 0 {
			names = append(names, name)
		}
	}
	for name := range goes {
		if !comes[name] && t.Operations&Remove != 0 {
			names = append(names, name)
		}
	}
	return names
}

func collect(into map[string]bool, patterns Patterns, files []string) {
	for _, f := range files {
		if patterns.Match(f) {
			into[f] = true
		}
	}
}
