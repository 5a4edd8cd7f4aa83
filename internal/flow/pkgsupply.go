// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/history"
	"github.com/rastos/rastos/alpm/pkgfile"
	"github.com/rastos/rastos/alpm/solve"
	"github.com/rastos/rastos/alpm/syncdb"
	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/internal/report"
)

// supplier finds the archives of very versions: in the repositories, in the
// cache, or where they were given as files.
type supplier struct {
	w       *World
	env     trans.Env
	sink    report.Sink
	entries []history.Entry // that may tell where they came from
}

// wanted is one version of a package.
type wanted struct {
	name string
	history.Version
	reason desc.Reason
}

// supply lets a request have each package that is wanted, and says of which
// there is no archive.
func (u *supplier) supply(ctx context.Context, wants []wanted, req *trans.Request) (lacking []string, err error) {
	if len(wants) == 0 {
		return nil, nil
	}
	repos, err := trans.Lookup(ctx, u.env, false)
	if err != nil {
		return nil, err
	}
	lists := map[string][]*desc.Package{} // of repositories that get these versions
	for _, w := range wants {
		want := w.Version
		if known, ok := history.Known(u.entries, w.name, want.Version); ok && want.SHA256 == "" {
			want.Repo, want.File, want.SHA256, want.Size = known.Repo, known.File, known.SHA256, known.Size
		}
		repo, pkg, file := u.find(ctx, repos, w.name, want)
		switch {
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case pkg != nil:
			lists[repo] = append(lists[repo], pkg)
			req.Targets = append(req.Targets, repo+"/"+w.name)
		case file != "":
			req.Files = append(req.Files, file)
		default:
			lacking = append(lacking, fmt.Sprintf("the archive of %s %s is neither in a repository nor in the cache", w.name, want.Version))
		}
	}
	if len(lacking) == 0 {
		u.offer(repos, lists)
	}
	return lacking, nil
}

func (u *supplier) lackingHint() string { return "put the archives into " + u.env.CacheDir }

// offer lets repositories have what is to come back, in place of what they
// have of those names.
func (u *supplier) offer(repos []*syncdb.DB, lists map[string][]*desc.Package) {
	env := &u.env
	env.Repos = slices.Clone(env.Repos)
	for i := range env.Repos {
		r := &env.Repos[i]
		packages := slices.Clone(lists[r.Name])
		if repos[i] != nil {
			for _, p := range repos[i].Packages() {
				if !slices.ContainsFunc(lists[r.Name], func(q *desc.Package) bool { return q.Name == p.Name }) {
					packages = append(packages, p)
				}
			}
		}
		r.DB = syncdb.New(r.Name, packages)
		if len(lists[r.Name]) > 0 && !r.Usage.Allows(solve.UseInstall) {
			r.Usage |= solve.UseInstall
		}
	}
}

// find looks for one version: in the repositories, for the archive that the
// history names in the cache or on the servers, for one in the cache by its
// name, and where it was given as a file.
func (u *supplier) find(ctx context.Context, repos []*syncdb.DB, name string, want history.Version) (repo string, p *desc.Package, file string) {
	for _, db := range repos {
		if db == nil {
			continue
		}
		if q := db.Package(name); q != nil && q.Version == want.Version && (want.SHA256 == "" || want.SHA256 == q.SHA256) {
			return db.Name, q, ""
		}
	}
	if want.Repo != "" && want.SHA256 != "" && slices.ContainsFunc(u.env.Repos, func(r trans.Repo) bool { return r.Name == want.Repo }) {
		q, err := trans.LoadPin(ctx, u.env, trans.Pin{
			Repo: want.Repo, Name: name, Version: want.Version, Filename: want.File, SHA256: want.SHA256, Size: want.Size,
		}, packageEvents(u.sink))
		if _, native := u.w.engine.(trans.Native); err == nil && !native {
			return "", nil, filepath.Join(u.env.CacheDir, want.File) // it reads databases by itself
		}
		if err == nil {
			return want.Repo, q, ""
		}
		report.Notef(u.sink, "%s %s from %s: %v", name, want.Version, want.Repo, err)
	}
	for _, file := range u.archives(name, want) {
		if q, err := pkgfile.LoadInfo(file); err == nil && q.Name == name && q.Version == want.Version {
			return "", nil, file
		} else if err != nil && !errors.Is(err, os.ErrNotExist) {
			report.Notef(u.sink, "%s: %v", file, err)
		}
	}
	return "", nil, ""
}

// archives are files that may be it.
func (u *supplier) archives(name string, want history.Version) []string {
	var files []string
	if filepath.IsAbs(want.File) {
		files = append(files, want.File)
	}
	for _, dir := range slices.Concat([]string{u.env.CacheDir}, u.env.Caches) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), name+"-"+want.Version+"-") && strings.Contains(e.Name(), ".pkg.tar") && !strings.HasSuffix(e.Name(), ".sig") && !strings.HasSuffix(e.Name(), ".part") {
				files = append(files, filepath.Join(dir, e.Name()))
			}
		}
	}
	return files
}
