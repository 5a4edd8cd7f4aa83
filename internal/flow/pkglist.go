// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"context"
	"slices"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/solve"
	"github.com/rastos/rastos/internal/report"
)

// ListFilter chooses among installed packages; all that is set has to hold.
type ListFilter struct {
	Explicit, Deps, Orphans     bool
	Foreign, Native, Upgradable bool
	Patterns                    []string // of names, as a shell has them; none: all
}

// ListedPackage is one installed package.
type ListedPackage struct {
	Name       string `json:"name"`
	Version    string `json:"version"`
	Newer      string `json:"newer,omitempty"`   // what an upgrade would bring
	Ignored    bool   `json:"ignored,omitempty"` // an upgrade leaves it as it is
	Reason     string `json:"reason"`
	Repository string `json:"repository,omitempty"` // that has a package of this name
	Orphan     bool   `json:"orphan,omitempty"`
	Size       int64  `json:"size"`
}

// PkgList lists installed packages by name.
func (m *Machine) PkgList(ctx context.Context, sink report.Sink, w *World, f ListFilter) ([]ListedPackage, error) {
	v, err := w.view(ctx, false)
	if err != nil {
		return nil, err
	}
	if f.Foreign || f.Native || f.Upgradable {
		v.tellAbsent(sink, "rastos pkg sync")
	}
	orphan := orphans(v.installed)
	out := []ListedPackage{}
	for _, p := range v.installed {
		repo, _ := v.available(p.Name)
		l := ListedPackage{
			Name: p.Name, Version: p.Version, Reason: p.Reason.String(), Repository: repo, Orphan: orphan[p.Name], Size: p.InstalledSize,
		}
		if _, newer := v.newer(p); newer != nil {
			l.Newer, l.Ignored = newer.Version, v.ignored(p)
		}
		if f.passes(l) {
			out = append(out, l)
		}
	}
	if err := v.damage(); err != nil {
		return nil, err
	}
	return out, f.unmatched(v.installed)
}

func (f ListFilter) passes(l ListedPackage) bool {
	explicit := l.Reason == desc.Explicit.String()
	switch {
	case f.Explicit && !explicit, f.Deps && explicit, f.Orphans && !l.Orphan,
		f.Foreign && l.Repository != "", f.Native && l.Repository == "", f.Upgradable && l.Newer == "":
		return false
	}
	return len(f.Patterns) == 0 || slices.ContainsFunc(f.Patterns, func(p string) bool { return solve.Match(p, l.Name) })
}

// unmatched is an error for a pattern that no installed package has.
func (f ListFilter) unmatched(installed []*desc.Package) error {
	for _, pattern := range f.Patterns {
		if !slices.ContainsFunc(installed, func(p *desc.Package) bool { return solve.Match(pattern, p.Name) }) {
			return &unfoundError{what: "no installed package is called " + pattern}
		}
	}
	return nil
}

// ignored tells whether an upgrade leaves a package alone.
func (v *packageView) ignored(p *desc.Package) bool {
	matches := func(patterns []string, name string) bool {
		return slices.ContainsFunc(patterns, func(pattern string) bool { return solve.Match(pattern, name) })
	}
	return matches(v.env.IgnorePkg, p.Name) ||
		slices.ContainsFunc(p.Groups, func(g string) bool { return matches(v.env.IgnoreGroup, g) })
}

// orphans are packages that came as dependencies and that nothing needs any
// more, directly or not. What another package can use is not among them.
func orphans(installed []*desc.Package) map[string]bool {
	var uses []desc.Dep
	for _, p := range installed {
		for _, text := range p.OptDepends {
			uses = append(uses, desc.ParseDep(text))
		}
	}
	needed := solve.Needed(installed, func(p *desc.Package) bool {
		return p.Reason == desc.Explicit || slices.ContainsFunc(uses, func(d desc.Dep) bool { return p.Satisfies(d) })
	})
	out := map[string]bool{}
	for _, p := range installed {
		if !needed[p.Name] {
			out[p.Name] = true
		}
	}
	return out
}
