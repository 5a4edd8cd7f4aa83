// SPDX-License-Identifier: GPL-3.0-or-later

package pacman

import (
	"context"
	"os"
	"strings"

	"github.com/rastos/rastos/alpm/conf"
	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/localdb"
	"github.com/rastos/rastos/alpm/verify"
	"github.com/rastos/rastos/internal/pacman/show"
)

// query is -Q.
type query struct {
	*session
	ctx       context.Context
	local     *localdb.DB
	repos     repos // only with -m, -n and -u
	needed    dependents
	wanted    dependents
	installed []*desc.Package
}

// localPrefix may stand before the name of an installed package.
const localPrefix = "local/"

func (s *session) query(ctx context.Context) int {
	o := s.opt
	q := &query{session: s, ctx: ctx, local: s.conf.Local, installed: s.conf.Local.Packages()}
	switch {
	case o.Search:
		found, ok := s.search("local", func(...string) []*desc.Package { return q.installed }, false)
		return exitCode(found && ok)
	case o.Groups > 0:
		return q.groups()
	}
	if o.Foreign || o.Native || o.Upgrades {
		var ok bool
		if q.repos, ok = s.usableRepos(packageDB); !ok {
			return 1
		}
	}
	if len(o.Targets) == 0 {
		if o.File || o.Owns {
			s.errorf("no targets specified (use -h for help)")
			return 1
		}
		return q.display(q.installed, 0)
	}
	if o.Owns {
		return q.owners()
	}
	return q.targets()
}

func exitCode(ok bool) int {
	if ok {
		return 0
	}
	return 1
}

// targets looks the targets up, one after the other.
func (q *query) targets() int {
	code, matched := 0, false
	for _, target := range q.opt.Targets {
		p, file := q.find(strings.TrimPrefix(target, localPrefix))
		if p == nil {
			code = 1
			continue
		}
		if q.passes(p) {
			matched = true
			if !q.show([]*desc.Package{p}, file) {
				code = 1
			}
		}
	}
	if !matched {
		return 1
	}
	return code
}

// find is an installed package, or one that provides the name, or with -p a
// file. That it is not there was said.
func (q *query) find(name string) (*desc.Package, *packageFile) {
	if q.opt.File {
		f := q.loadFile(name)
		if f == nil {
			return nil, nil
		}
		return f.Package, f
	}
	p := q.local.Package(name)
	if p == nil {
		p = satisfier(q.installed, name)
	}
	if p == nil {
		q.errorf("package '%s' was not found", name)
		if readable(name) {
			q.warnf("'%s' is a file, you might want to use %s.", name, "-p/--file")
		}
	}
	return p, nil
}

func readable(name string) bool {
	f, err := os.Open(name)
	if err != nil {
		return false
	}
	f.Close()
	return true
}

// display shows those of the packages that pass the filters.
func (q *query) display(list []*desc.Package, code int) int {
	var passed []*desc.Package
	for _, p := range list {
		if q.passes(p) {
			passed = append(passed, p)
		}
	}
	if !q.show(passed, nil) {
		code = 1
	}
	if len(passed) == 0 {
		return 1
	}
	return code
}

// passes applies the filters -e, -d, -m, -n, -t and -u.
func (q *query) passes(p *desc.Package) bool {
	o := q.opt
	if o.Explicit && p.Reason != desc.Explicit || o.Deps && p.Reason != desc.Depend {
		return false
	}
	if o.Foreign || o.Native {
		if _, there := q.repos.find(p.Name); (there != nil) != o.Native {
			return false
		}
	}
	if o.Unrequired > 0 && (len(q.requiredBy(p)) > 0 || o.Unrequired == 1 && len(q.optionalFor(p)) > 0) {
		return false
	}
	if o.Upgrades {
		if _, newer := q.repos.newer(p); newer == nil {
			return false
		}
	}
	return true
}

func (q *query) requiredBy(p *desc.Package) []string {
	if q.needed == nil {
		q.needed = newDependents(q.installed, depends)
	}
	return q.needed.on(p)
}

func (q *query) optionalFor(p *desc.Package) []string {
	if q.wanted == nil {
		q.wanted = newDependents(q.installed, optDepends)
	}
	return q.wanted.on(p)
}

// show shows packages as the options ask; file is where the one package comes
// from with -p. It returns false if something is wrong with one of them.
func (q *query) show(list []*desc.Package, file *packageFile) bool {
	ok := true
	if q.opt.Check == 0 {
		for _, p := range list {
			ok = q.one(p, file) && ok
		}
		return ok
	}
	done := q.check(list, file, func(r verify.Result) {
		ok = q.one(r.Package, file) && ok
		ok = q.printCheck(r) && ok
	})
	return done && ok
}

// one shows all of a package but what a check of its files finds.
func (q *query) one(p *desc.Package, file *packageFile) (ok bool) {
	o := q.opt
	ok = true
	if o.Info > 0 {
		q.info(p, file)
	}
	if o.List {
		ok = q.files(p, file)
	}
	if o.Changelog {
		q.changelog(p, file)
	}
	if o.Info == 0 && !o.List && !o.Changelog && o.Check == 0 {
		q.brief(p)
	}
	return ok
}

// brief is a line: name, version, and with -u the version that there is.
func (q *query) brief(p *desc.Package) {
	if q.opt.Quiet {
		q.print(p.Name, "\n")
		return
	}
	t := q.tint
	q.print(t.Title, p.Name, " ", t.Version, p.Version, t.Off)
	if q.opt.Upgrades {
		r, newer := q.repos.newer(p)
		q.print(" -> ", t.Version, newer.Version, t.Off)
		if q.ignored(p) || r.Usage&conf.UseUpgrade == 0 {
			q.print(" [ignored]")
		}
	}
	q.print("\n")
}

// groups is -Qg.
func (q *query) groups() int {
	members := map[string][]*desc.Package{}
	var names []string // in the order in which they are met
	for _, p := range q.installed {
		for _, g := range p.Groups {
			if members[g] == nil {
				names = append(names, g)
			}
			members[g] = append(members[g], p)
		}
	}
	targets, quiet, code := q.opt.Targets, q.opt.Quiet, 0
	if len(targets) == 0 {
		targets, quiet = names, false
	}
	for _, g := range targets {
		if members[g] == nil {
			q.errorf("group '%s' was not found", g)
			code++
		}
		for _, p := range members[g] {
			switch {
			case !q.passes(p):
			case quiet:
				q.print(p.Name, "\n")
			default:
				q.print(g, " ", p.Name, "\n")
			}
		}
	}
	return code
}

// files lists the files of a package.
func (q *query) files(p *desc.Package, file *packageFile) bool {
	if file == nil {
		if err := q.local.LoadFiles(p); err != nil {
			q.errorf("%v", err)
			return false
		}
	}
	for _, f := range p.Files {
		if !q.opt.Quiet {
			q.print(q.tint.Title, p.Name, q.tint.Off, " ")
		}
		q.print(q.conf.RootDir, f, "\n")
	}
	return true
}

func (q *query) changelog(p *desc.Package, file *packageFile) {
	var text []byte
	if file != nil {
		text = file.changelog
	} else {
		var err error
		if text, err = q.local.Changelog(p); err != nil {
			q.errorf("%v", err)
			return
		}
	}
	if text == nil {
		q.errorf("no changelog available for '%s'.", p.Name)
		return
	}
	q.printf("Changelog for %s:\n%s\n", p.Name, text)
}

// info is -i.
func (q *query) info(p *desc.Package, file *packageFile) {
	i := show.Info{Package: p, RequiredBy: q.requiredBy(p), OptionalFor: q.optionalFor(p)}
	i.Extra = q.opt.Info > 1 && file == nil
	for _, text := range p.OptDepends {
		line := desc.ParseDep(text).String()
		if file == nil && satisfier(q.installed, text) != nil {
			line += " [installed]"
		}
		i.OptDepends = append(i.OptDepends, line)
	}
	if file != nil {
		i.Origin, i.Script, i.Signatures = show.File, file.script, q.signatures(file)
	} else {
		script, err := q.local.Install(p)
		if err != nil {
			q.errorf("%v", err)
		}
		i.Script = script != nil
	}
	if i.Extra {
		i.Backups = q.backups(p)
	}
	q.page().Info(i)
}
