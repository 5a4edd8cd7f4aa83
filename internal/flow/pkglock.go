// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"context"
	"errors"
	"fmt"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/internal/lockfile"
	"github.com/rastos/rastos/internal/report"
)

// LockedPackage is what a lock pins of one package, beside what is installed.
type LockedPackage struct {
	Name       string `json:"name"`
	Pinned     string `json:"pinned,omitempty"`    // "": the lock does not have it
	Installed  string `json:"installed,omitempty"` // "": it is not
	Repository string `json:"repository,omitempty"`
	File       string `json:"file,omitempty"`
	Size       int64  `json:"size,omitempty"`
	SHA256     string `json:"sha256,omitempty"`
	Fits       bool   `json:"fits"`
}

// LockState is a system's lock, and whether it is that of the system.
type LockState struct {
	File string `json:"file"`
	// Missing: there is none. OfManifest: it belongs to the manifest as it is.
	Missing    bool            `json:"missing,omitempty"`
	OfManifest bool            `json:"of_manifest"`
	Fits       bool            `json:"fits"` // all packages do, and the manifest
	Packages   []LockedPackage `json:"packages"`
}

// errNoManifestToLock is a system of which nothing can be pinned.
func errNoManifestToLock(root string) error {
	return &confError{report.WithHint(
		errors.New(root+" has no manifest, and a lock belongs to one"),
		"`rastos apply` works with a manifest; etc/rastos/rastos.toml is where a system has it")}
}

// PkgLock holds a system's lock against what is installed.
func (m *Machine) PkgLock(w *World) (*LockState, error) {
	if w.mf == nil {
		return nil, errNoManifestToLock(w.Root)
	}
	env, t, err := m.lockedTree(w)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	lock, err := readLock(t.ReadFile, systemLockPath)
	if err != nil {
		return nil, err
	}
	db, err := trans.Installed(env)
	if err != nil {
		return nil, err
	}
	s := &LockState{File: "/" + systemLockPath, Missing: lock == nil, Packages: []LockedPackage{}}
	if lock == nil {
		lock = &lockfile.Lock{}
	}
	s.OfManifest = lock.Manifest == w.mf.SHA256
	s.compare(lock, db.Packages())
	return s, nil
}

// compare goes through both lists, which are sorted by name.
func (s *LockState) compare(lock *lockfile.Lock, installed []*desc.Package) {
	s.Fits = s.OfManifest
	pins := lock.Packages
	for len(pins) > 0 || len(installed) > 0 {
		var l LockedPackage
		if len(pins) > 0 && (len(installed) == 0 || pins[0].Name <= installed[0].Name) {
			p := pins[0]
			l = LockedPackage{Name: p.Name, Pinned: p.Version, Repository: p.Repository, File: p.Filename, Size: p.Size, SHA256: p.SHA256}
			pins = pins[1:]
		}
		if len(installed) > 0 && (l.Name == "" || installed[0].Name == l.Name) {
			l.Name, l.Installed = installed[0].Name, installed[0].Version
			installed = installed[1:]
		}
		l.Fits = l.Pinned == l.Installed
		s.Fits = s.Fits && l.Fits
		s.Packages = append(s.Packages, l)
	}
}

// lockedTree is where a lock lies and what it pins: of a machine booted from a
// node, the deployment that boots next.
func (m *Machine) lockedTree(w *World) (trans.Env, Tree, error) {
	env, err := w.HeadEnv()
	if err != nil {
		return env, nil, err
	}
	t, err := m.headTree(w)
	return env, t, err
}

// RenewLock pins what is installed.
func (m *Machine) RenewLock(ctx context.Context, w *World) (*LockState, error) {
	if err := m.needRootAt(w.Root, "lock"); err != nil {
		return nil, err
	}
	if w.mf == nil {
		return nil, errNoManifestToLock(w.Root)
	}
	env, t, err := m.lockedTree(w)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	old, _ := readLock(t.ReadFile, systemLockPath) // a broken one is written anew
	pins := pinner{env: env, mf: w.mf, tree: t, old: old}
	if _, err := pins.write(ctx); err != nil {
		return nil, fmt.Errorf("renew the lock: %w", err)
	}
	return m.PkgLock(w)
}
