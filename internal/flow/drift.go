// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/solve"
	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/internal/declare"
	"github.com/rastos/rastos/internal/lockfile"
	"github.com/rastos/rastos/internal/manifest"
	"github.com/rastos/rastos/internal/report"
)

// DriftRequest says which system is compared with which manifest.
type DriftRequest struct {
	Place
	File  string // the manifest; "": the one that the system has
	Files bool   // the files of packages, and of /etc, too
}

// Drift is what differs between a system as it runs, its manifest and its lock.
type Drift struct {
	Root        string       `json:"root"`
	Manifest    string       `json:"manifest"` // SHA-256
	Differences []Difference `json:"differences"`
	Ignored     int          `json:"ignored"` // so many more that [drift] ignore names
}

// Difference is one thing that is another way than it should be.
type Difference struct {
	Kind   string `json:"kind"` // package, reason, lock, setting, user, service, network, file, content, etc
	Name   string `json:"name"`
	Wanted string `json:"wanted"`
	Found  string `json:"found"`
}

// Drift compares; it changes nothing and asks no server. On a machine booted
// from a node, what runs is compared, not what boots next.
func (m *Machine) Drift(ctx context.Context, sink report.Sink, s Settings, r DriftRequest) (*Drift, error) {
	root, d, err := m.declaredFor(ApplyRequest{Place: r.Place, File: r.File})
	if err != nil {
		return nil, err
	}
	w, err := m.worldFor(root, d, s)
	if err != nil {
		return nil, err
	}
	env, err := w.Env()
	if err != nil {
		return nil, err
	}
	db, err := trans.Installed(env)
	if err != nil {
		return nil, err
	}
	t, err := m.Tree(root)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	f := &drifter{installed: db.Packages(), mf: d.Manifest, told: map[string]bool{}}
	if err := f.packages(ctx, env); err != nil {
		return nil, err
	}
	if err := f.lock(t); err != nil {
		return nil, err
	}
	settings, err := m.differences(m.configuratorOf(d.Manifest, d.text, t, root), true)
	if err != nil {
		return nil, err
	}
	f.settings(settings)
	if err := f.people(t); err != nil {
		return nil, err
	}
	if r.Files {
		v, err := m.PkgVerify(ctx, sink, w, VerifyRequest{})
		if err != nil {
			return nil, err
		}
		f.files(v)
	}
	if err := m.ofNode(f, sink, w.sys, t, r.Files); err != nil {
		return nil, err
	}
	return f.report(root), nil
}

// drifter collects differences.
type drifter struct {
	installed []*desc.Package
	mf        *manifest.Manifest
	found     []Difference
	told      map[string]bool // paths that a setting speaks of
}

func (f *drifter) add(kind, name, wanted, found string) {
	d := Difference{kind, name, wanted, found}
	same := func(o Difference) bool { return o.Kind == kind && o.Name == name }
	if !slices.ContainsFunc(f.found, same) { // the manifest's word goes before the lock's
		f.found = append(f.found, d)
	}
}

func (f *drifter) version(name string) string {
	for _, p := range f.installed {
		if p.Name == name {
			return p.Version
		}
	}
	return ""
}

// packages compares with what the manifest declares. A name that nothing has a
// meaning for is missing like any other.
func (f *drifter) packages(ctx context.Context, env trans.Env) error {
	u := declare.Universe{Installed: f.installed, IgnorePkg: env.IgnorePkg, Arch: []string{env.Arch},
		Repos: func() ([]solve.Repo, error) {
			repos, err := trans.Databases(ctx, env)
			if errors.Is(err, trans.ErrNoDatabase) {
				return nil, nil
			}
			return repos, err
		}}
	decl := declaration(f.mf)
	change, err := declare.Work(u, decl, declare.Options{})
	for lost := unknownTargets(err); len(lost) > 0; lost = unknownTargets(err) {
		for _, name := range lost {
			f.add("package", name, "installed", "missing")
		}
		decl.Targets = slices.DeleteFunc(decl.Targets, func(t string) bool { return slices.Contains(lost, t) })
		change, err = declare.Work(u, decl, declare.Options{})
	}
	if err != nil {
		return err
	}
	for _, target := range change.Targets {
		name := target[strings.IndexByte(target, '/')+1:]
		f.add("package", name, "installed", cmp.Or(f.version(desc.ParseDep(name).Name), "missing"))
	}
	for _, name := range change.Gone {
		f.add("package", name, "absent", f.version(name))
	}
	for _, n := range change.Notes {
		if n.Kind == declare.NoteForeign {
			f.add("package", n.Package, "installed", "missing")
		}
	}
	for _, p := range f.installed {
		if reason, ok := change.Reasons[p.Name]; ok {
			f.add("reason", p.Name, reason.String(), p.Reason.String())
		}
	}
	return nil
}

// unknownTargets are the names for which an error says that they mean nothing.
func unknownTargets(err error) (names []string) {
	var one *solve.NotFoundError
	var many *solve.NotFoundListError
	switch {
	case errors.As(err, &many):
		for _, e := range many.List {
			names = append(names, e.Target)
		}
	case errors.As(err, &one):
		names = append(names, one.Target)
	}
	return names
}

// lock compares with what the lock pins.
func (f *drifter) lock(t Tree) error {
	l, err := readLock(t.ReadFile, systemLockPath)
	var broken *lockfile.Error
	switch {
	case errors.As(err, &broken):
		f.add("lock", "rastos.lock", "a lock", err.Error())
		return nil
	case err != nil:
		return err
	case l == nil:
		f.add("lock", "rastos.lock", "a lock", "missing")
		return nil
	case l.Manifest != f.mf.SHA256:
		f.add("lock", "rastos.lock", "the lock of the manifest", "that of another state of it")
	}
	for _, pin := range l.Packages {
		if version := f.version(pin.Name); version != pin.Version {
			f.add("package", pin.Name, pin.Version+" (locked)", cmp.Or(version, "missing"))
		}
	}
	for _, p := range f.installed {
		if _, ok := l.Package(p.Name); !ok {
			f.add("package", p.Name, "absent (locked)", p.Version)
		}
	}
	return nil
}

// files takes over what is wrong with the files of packages. What people are
// expected to change is no drift.
func (f *drifter) files(v *Verified) {
	for _, one := range v.Findings {
		if !one.Backup {
			f.add("content", cmp.Or(one.Path, one.Package), "as "+one.Package+" has it", one.Text)
			f.told[strings.TrimPrefix(one.Path, "/")] = true
		}
	}
}

func (f *drifter) settings(list []Setting) {
	for _, s := range list {
		if s.Waits != "" {
			f.add(s.Kind, s.Name, "as the manifest says", s.Waits)
			continue
		}
		var paths []string
		for _, c := range s.Changes {
			paths = append(paths, "/"+c.Path)
			f.told[c.Path] = true
		}
		f.add(s.Kind, s.Name, "as the manifest says", "another way in "+strings.Join(paths, ", "))
	}
}

// report sorts out what is meant to differ.
func (f *drifter) report(root string) *Drift {
	d := &Drift{Root: root, Manifest: f.mf.SHA256, Differences: []Difference{}}
	for _, one := range f.found {
		if one.ignored(f.mf.Drift.Ignore) {
			d.Ignored++
			continue
		}
		d.Differences = append(d.Differences, one)
	}
	return d
}

// ignored tells whether a pattern names a difference. ".service" may be left
// out, as elsewhere in a manifest.
func (d Difference) ignored(patterns []string) bool {
	names := []string{d.Kind + ":" + d.Name, d.Kind + ":" + strings.TrimSuffix(d.Name, ".service")}
	return slices.ContainsFunc(patterns, func(p string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return solve.Match(p, n) })
	})
}
