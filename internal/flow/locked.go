// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/solve"
	"github.com/rastos/rastos/alpm/syncdb"
	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/internal/declare"
	"github.com/rastos/rastos/internal/lockfile"
	"github.com/rastos/rastos/internal/manifest"
	"github.com/rastos/rastos/internal/report"
)

// noLockError is --locked without a lock.
type noLockError struct{ file string }

func (e *noLockError) Error() string { return "--locked: there is no lock " + e.file }
func (e *noLockError) Hint() string  { return "a run without --locked writes it" }
func (e *noLockError) ExitCode() int { return 3 }

// otherManifestError is a lock that belongs to another manifest.
type otherManifestError struct{ file string }

func (e *otherManifestError) Error() string {
	return "--locked: the lock " + e.file + " belongs to another state of the manifest"
}
func (e *otherManifestError) Hint() string {
	return "the manifest was changed since the lock was written; a run without --locked renews it"
}
func (e *otherManifestError) ExitCode() int { return 3 }

// lockedError names all that cannot be had as the lock says.
type lockedError struct{ differences []string }

func (e *lockedError) Error() string {
	return "--locked: the packages cannot be had as the lock says\n  " + strings.Join(e.differences, "\n  ")
}
func (e *lockedError) Hint() string {
	return "put the archives back on a server or into the cache, or renew the lock by a run without --locked"
}
func (e *lockedError) ExitCode() int { return 4 }

// lockFor reads the lock of a manifest and checks that it is the manifest's.
func lockFor(mf *manifest.Manifest, file string) (*lockfile.Lock, error) {
	l, err := readLock(os.ReadFile, file)
	switch {
	case err != nil:
		return nil, err
	case l == nil:
		return nil, &noLockError{file}
	case l.Manifest != mf.SHA256:
		return nil, &otherManifestError{file}
	}
	return l, nil
}

// pinned narrows the repositories of env to what the lock pins. What their
// databases no longer have comes from the archives themselves. have are packages
// from no repository, by name, with their versions.
func pinned(ctx context.Context, sink report.Sink, env *trans.Env, l *lockfile.Lock, have map[string]string) error {
	repos, err := trans.Databases(ctx, *env)
	if err != nil && !errors.Is(err, trans.ErrNoDatabase) {
		return err
	}
	p := &pinning{env: env, repos: repos, events: packageEvents(sink), lists: map[string][]*desc.Package{}}
	for _, pin := range l.Packages {
		if err := p.add(ctx, pin, have); err != nil {
			return err
		}
	}
	if len(p.differences) > 0 {
		return &lockedError{p.differences}
	}
	for i := range env.Repos {
		env.Repos[i].DB = syncdb.New(env.Repos[i].Name, p.lists[env.Repos[i].Name])
	}
	return nil
}

// pinning collects pinned packages, and what is wrong with any.
type pinning struct {
	env         *trans.Env
	repos       []solve.Repo
	events      trans.Events
	lists       map[string][]*desc.Package // by repository, each sorted by name as the lock is
	differences []string
}

func (p *pinning) differ(pin lockfile.Package, format string, args ...any) {
	p.differences = append(p.differences, pin.Entry()+": "+fmt.Sprintf(format, args...))
}

func (p *pinning) add(ctx context.Context, pin lockfile.Package, have map[string]string) error {
	if pin.Repository == "" {
		if version := have[pin.Name]; version == "" {
			p.differ(pin, "it came from no repository, and is not installed")
		} else if version != pin.Version {
			p.differ(pin, "it came from no repository, and here it is %s", version)
		}
		return nil
	}
	at := slices.IndexFunc(p.repos, func(r solve.Repo) bool { return r.Name == pin.Repository && r.DB != nil })
	if !slices.ContainsFunc(p.env.Repos, func(r trans.Repo) bool { return r.Name == pin.Repository }) {
		p.differ(pin, "the manifest has no repository %s", pin.Repository)
		return nil
	}
	var now *desc.Package
	if at >= 0 {
		now = p.repos[at].DB.Package(pin.Name)
	}
	if now != nil && pinOf(now, pin.Repository) == pin {
		p.lists[pin.Repository] = append(p.lists[pin.Repository], now)
		return nil
	}
	old, err := trans.LoadPin(ctx, *p.env, trans.Pin{
		Repo: pin.Repository, Name: pin.Name, Version: pin.Version, Filename: pin.Filename, SHA256: pin.SHA256, Size: pin.Size,
	}, p.events)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, fs.ErrPermission):
		return err
	case err != nil:
		p.differ(pin, "%s, and its archive cannot be had: %v", moved(pin, now), err)
	default:
		p.lists[pin.Repository] = append(p.lists[pin.Repository], old)
	}
	return nil
}

// moved says how a repository differs from a pin.
func moved(pin lockfile.Package, now *desc.Package) string {
	switch {
	case now == nil:
		return "it is gone from " + pin.Repository
	case now.Version != pin.Version:
		return fmt.Sprintf("%s has %s now", pin.Repository, now.Version)
	case now.SHA256 != pin.SHA256:
		return fmt.Sprintf("%s has another archive of it, with the checksum %s instead of %s", pin.Repository, now.SHA256, pin.SHA256)
	}
	return fmt.Sprintf("%s has another archive of it", pin.Repository)
}

// pinsOf are the pins for the work on declarations: all, or those that a
// repository has.
func pinsOf(l *lockfile.Lock, all bool) []declare.Pin {
	var out []declare.Pin
	for _, p := range l.Packages {
		if all || p.Repository != "" {
			out = append(out, declare.Pin{Name: p.Name, Version: p.Version, Repo: p.Repository})
		}
	}
	return out
}
