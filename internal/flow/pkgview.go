// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/localdb"
	"github.com/rastos/rastos/alpm/syncdb"
	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/alpm/version"
	"github.com/rastos/rastos/internal/report"
)

// packageView is what can be looked up about the packages of a system: those
// that are installed, and those of the repositories.
type packageView struct {
	env       trans.Env
	local     *localdb.DB
	installed []*desc.Package
	repos     []repoView // in their order
	absent    []string   // repositories whose databases were never fetched
}

// repoView is one repository and its database.
type repoView struct {
	*trans.Repo
	db *syncdb.DB
}

// exitUnfound is the documented code of a package that is not found.
const exitUnfound = 4

// unfoundError is what nothing was found for.
type unfoundError struct{ what, hint string }

func (e *unfoundError) Error() string { return e.what }
func (e *unfoundError) Hint() string  { return e.hint }
func (e *unfoundError) ExitCode() int { return exitUnfound }

// unfound names a package, and what is called nearly so.
func (v *packageView) unfound(format string, args ...any) error {
	e := &unfoundError{what: fmt.Sprintf(format, args...)}
	if len(v.absent) > 0 {
		e.hint = fmt.Sprintf("the databases of %s were never fetched: `rastos pkg sync`", strings.Join(v.absent, ", "))
	}
	return e
}

// installedView looks at what is installed alone.
func (w *World) installedView() (*packageView, error) {
	env, err := w.Env()
	if err != nil {
		return nil, err
	}
	v := &packageView{env: env}
	if v.local, err = trans.Installed(env); err != nil {
		return nil, err
	}
	v.installed = v.local.Packages()
	return v, nil
}

// view looks at the repositories, too; with lists, at the files of their packages.
func (w *World) view(ctx context.Context, lists bool) (*packageView, error) {
	v, err := w.installedView()
	if err != nil {
		return nil, err
	}
	return v, v.open(ctx, lists)
}

func (v *packageView) open(ctx context.Context, lists bool) error {
	dbs, err := trans.Lookup(ctx, v.env, lists)
	if err != nil {
		return err
	}
	for i, db := range dbs {
		if db == nil {
			v.absent = append(v.absent, v.env.Repos[i].Name)
			continue
		}
		v.repos = append(v.repos, repoView{&v.env.Repos[i], db})
	}
	return nil
}

// tellAbsent says which repositories could not be looked into.
func (v *packageView) tellAbsent(sink report.Sink, verb string) {
	if len(v.absent) > 0 {
		report.Warnf(sink, "the databases of %s are not here; `%s` fetches them", strings.Join(v.absent, ", "), verb)
	}
}

// available finds a package by "name" in the first repository that has it, or
// by "repository/name".
func (v *packageView) available(name string) (repo string, p *desc.Package) {
	want, bare, named := strings.Cut(name, "/")
	if !named {
		want, bare = "", name
	}
	for _, r := range v.repos {
		if want != "" && r.Name != want {
			continue
		}
		if p := r.db.Package(bare); p != nil {
			return r.Name, p
		}
	}
	return "", nil
}

// newer is the package that an upgrade would bring for an installed one.
func (v *packageView) newer(p *desc.Package) (repo string, newer *desc.Package) {
	for _, r := range v.repos {
		if q := r.db.Package(p.Name); q != nil {
			if version.Compare(q.Version, p.Version) > 0 {
				return r.Name, q
			}
			return "", nil
		}
	}
	return "", nil
}

// damage is what kept a database from giving all its answers.
func (v *packageView) damage() error {
	for _, r := range v.repos {
		if err := r.db.Err(); err != nil {
			return err
		}
	}
	return nil
}

// requiredBy names the installed packages that depend on p.
func (v *packageView) requiredBy(p *desc.Package) []string {
	return v.users(p, func(q *desc.Package) []string { return q.Depends })
}

// optionalFor names the installed packages that can use p.
func (v *packageView) optionalFor(p *desc.Package) []string {
	return v.users(p, func(q *desc.Package) []string { return q.OptDepends })
}

func (v *packageView) users(p *desc.Package, of func(*desc.Package) []string) []string {
	var out []string
	for _, q := range v.installed {
		if slices.ContainsFunc(of(q), func(text string) bool { return p.Satisfies(desc.ParseDep(text)) }) {
			out = append(out, q.Name)
		}
	}
	return out
}
