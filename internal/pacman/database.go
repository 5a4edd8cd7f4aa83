// SPDX-License-Identifier: GPL-3.0-or-later

package pacman

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/localdb"
	"github.com/rastos/rastos/alpm/trans"
)

// database is -D: look for mistakes in databases, or change why packages are
// installed. As with pacman, the exit code counts the mistakes.
func (s *session) database(ctx context.Context) int {
	o, code := s.opt, 0
	if o.Check > 0 {
		if o.Check == 1 {
			code = s.checkLocal()
		} else {
			code = s.checkRepos()
		}
		if code == 0 && !o.Quiet {
			s.print("No database errors have been found!\n")
		}
	}
	if o.AllDeps || o.AllExplicit {
		return s.setReasons(ctx)
	}
	return code
}

// checkLocal is -Dk.
func (s *session) checkLocal() int {
	if errs := s.checkEntries(); errs > 0 {
		return errs
	}
	if !s.openLocal() {
		return failedSetup
	}
	list := s.conf.Local.Packages()
	return s.checkDepends(list) + s.checkConflicts(list) + s.checkFiles(list)
}

// checkEntries looks for entries that lack a file.
func (s *session) checkEntries() (errs int) {
	dir := filepath.Join(s.conf.DBPath, "local")
	f, err := os.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0 // nothing was installed yet; pacman makes the directory before it looks
	}
	if err != nil {
		s.errorf("could not open local database directory %s: %s", dir, reason(err))
		return 1
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil {
		s.errorf("could not open local database directory %s: %s", dir, reason(err))
		return 1
	}
	for _, name := range names {
		if name == "ALPM_DB_VERSION" {
			continue
		}
		for _, part := range []struct{ file, text string }{
			{"desc", "description file is missing"}, {"files", "file list is missing"},
		} {
			if _, err := os.Stat(filepath.Join(dir, name, part.file)); err != nil {
				s.errorf("'%s': %s", name, part.text)
				errs++
			}
		}
	}
	return errs
}

// checkRepos is -Dkk: it checks that the repositories together have all that
// their packages need.
func (s *session) checkRepos() int {
	list, err := s.openRepos(packageDB)
	if err != nil {
		s.errorf("%v", err)
		return 1
	}
	var all []*desc.Package
	for _, r := range list {
		if r.err != nil {
			s.errorf("database '%s' is not valid (%s)", r.Name, databaseError(r.err))
		}
		all = append(all, r.DB.Packages()...)
	}
	return s.checkDepends(all)
}

// offers finds packages by what they are called and what they provide.
type offers map[string][]*desc.Package

func newOffers(list []*desc.Package) offers {
	o := offers{}
	for _, p := range list {
		o[p.Name] = append(o[p.Name], p)
		for _, text := range p.Provides {
			if name := desc.ParseDep(text).Name; name != p.Name {
				o[name] = append(o[name], p)
			}
		}
	}
	return o
}

// satisfiers are the packages that meet d, in the order of the list.
func (o offers) satisfiers(d desc.Dep) (list []*desc.Package) {
	for i, p := range o[d.Name] {
		if p.Satisfies(d) && (i == 0 || o[d.Name][i-1] != p) {
			list = append(list, p)
		}
	}
	return list
}

func (s *session) checkDepends(list []*desc.Package) (errs int) {
	there := newOffers(list)
	for _, p := range list {
		for _, text := range p.Depends {
			if d := desc.ParseDep(text); len(there.satisfiers(d)) == 0 {
				s.errorf("missing '%s' dependency for '%s'", d, p.Name)
				errs++
			}
		}
	}
	return errs
}

func (s *session) checkConflicts(list []*desc.Package) (errs int) {
	there, told := newOffers(list), map[[2]string]bool{}
	for _, p := range list {
		for _, text := range p.Conflicts {
			for _, q := range there.satisfiers(desc.ParseDep(text)) {
				pair := [2]string{p.Name, q.Name}
				if q.Name == p.Name || told[pair] {
					continue
				}
				told[pair] = true
				s.errorf("'%s' conflicts with '%s'", p.Name, q.Name)
				errs++
			}
		}
	}
	return errs
}

// checkFiles tells of files with two owners. That is no mistake to pacman's
// exit code.
func (s *session) checkFiles(list []*desc.Package) (errs int) {
	type file struct{ path, owner string }
	var files []file
	for _, p := range list {
		if err := s.conf.Local.LoadFiles(p); err != nil {
			s.errorf("%v", err)
			errs++
		}
		for _, f := range p.Files {
			if !strings.HasSuffix(f, "/") {
				files = append(files, file{f, p.Name})
			}
		}
	}
	sort.SliceStable(files, func(i, j int) bool { return files[i].path < files[j].path })
	for i := 1; i < len(files); i++ {
		if a, b := files[i-1], files[i]; a.path == b.path {
			s.errorf("file owned by '%s' and '%s': '%s'", a.owner, b.owner, a.path)
		}
	}
	return errs
}

// setReasons is --asdeps and --asexplicit.
func (s *session) setReasons(ctx context.Context) int {
	if len(s.opt.Targets) == 0 {
		s.errorf("no targets specified (use -h for help)")
		return 1
	}
	as, text := desc.Explicit, "explicitly installed"
	if s.opt.AllDeps {
		as, text = desc.Depend, "installed as dependency"
	}
	lock, ok := s.lock(ctx)
	if !ok {
		return 1
	}
	defer lock.Release()
	code := 0
	for _, name := range s.opt.Targets {
		err := s.conf.Local.SetReason(name, as)
		switch {
		case errors.Is(err, localdb.ErrNotFound):
			s.errorf("could not set install reason for package %s (could not find or read package)", name)
			code = 1
		case err != nil:
			s.errorf("could not set install reason for package %s (%v)", name, err)
			code = 1
		case !s.opt.Quiet:
			s.printf("%s: install reason has been set to '%s'\n", name, text)
		}
	}
	return code
}

// lock takes the lock of the database. That it is held was said.
func (s *session) lock(ctx context.Context) (*trans.Lock, bool) {
	env, err := s.env()
	if err != nil {
		s.errorf("%v", err)
		return nil, false
	}
	lock, err := trans.Acquire(ctx, env, s.recovery)
	if err != nil {
		s.lockFailed(err)
		return nil, false
	}
	return lock, lock.Recovered() == nil || s.openLocal()
}
