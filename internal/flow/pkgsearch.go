// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"context"
	"slices"
	"strings"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/solve"
	"github.com/rastos/rastos/alpm/syncdb"
	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/internal/report"
)

// FoundPackage is one package that a search found.
type FoundPackage struct {
	Name        string   `json:"name"`
	Version     string   `json:"version"`
	Repository  string   `json:"repository,omitempty"` // "": it is in none, only installed
	Installed   string   `json:"installed,omitempty"`  // the version that is
	Groups      []string `json:"groups,omitempty"`
	Provides    []string `json:"provides,omitempty"`
	Description string   `json:"description"`

	rank int
}

// How well a word fits a package, the best first.
const (
	rankName = iota
	rankProvide
	rankNameStart
	rankNamePart
	rankGroup
	rankProvidePart
	rankDescription
	rankNone
)

// fit tells how well all words fit: as well as the one that fits worst, and
// then as all of them do together.
func fit(p *desc.Package, words []string) (int, bool) {
	worst, sum := 0, 0
	for _, word := range words {
		r := fitWord(p, word)
		if r == rankNone {
			return 0, false
		}
		worst, sum = max(worst, r), sum+r
	}
	return worst*rankNone*(len(words)+1) + sum, true
}

func fitWord(p *desc.Package, word string) int {
	name, best := syncdb.Fold(p.Name), rankNone
	switch {
	case name == word:
		return rankName
	case strings.HasPrefix(name, word):
		best = rankNameStart
	case strings.Contains(name, word):
		best = rankNamePart
	case slices.ContainsFunc(p.Groups, func(g string) bool { return syncdb.Fold(g) == word }):
		best = rankGroup
	case strings.Contains(syncdb.Fold(p.Description), word):
		best = rankDescription
	}
	for _, text := range p.Provides {
		switch provide := syncdb.Fold(desc.ParseDep(text).Name); {
		case provide == word:
			return rankProvide
		case strings.Contains(provide, word):
			best = min(best, rankProvidePart)
		}
	}
	return best
}

// PkgSearch finds packages whose name, description, groups or provides have
// all of the words, the best fits first.
func (m *Machine) PkgSearch(ctx context.Context, sink report.Sink, w *World, words []string) ([]FoundPackage, error) {
	v, err := w.view(ctx, false)
	if err != nil {
		return nil, err
	}
	v.tellAbsent(sink, "rastos pkg sync")
	folded := make([]string, len(words))
	for i, word := range words {
		folded[i] = syncdb.Fold(word)
	}
	var found []FoundPackage
	add := func(repo string, p *desc.Package) {
		n, ok := fit(p, folded)
		if !ok {
			return
		}
		f := FoundPackage{
			Name: p.Name, Version: p.Version, Repository: repo, Groups: p.Groups, Provides: p.Provides, Description: p.Description, rank: n,
		}
		if q := v.local.Package(p.Name); q != nil {
			f.Installed = q.Version
		}
		found = append(found, f)
	}
	for _, r := range v.repos {
		if !r.Usage.Allows(solve.UseSearch) {
			continue
		}
		for _, p := range r.db.Containing(words...) {
			add(r.Name, p)
		}
	}
	for _, p := range v.installed {
		if _, q := v.available(p.Name); q == nil {
			add("", p)
		}
	}
	if err := v.damage(); err != nil {
		return nil, err
	}
	slices.SortStableFunc(found, func(a, b FoundPackage) int {
		if a.rank != b.rank {
			return a.rank - b.rank
		}
		return strings.Compare(a.Name, b.Name)
	})
	if len(found) == 0 {
		return nil, v.unfound("nothing is found for %s", strings.Join(words, " "))
	}
	return found, nil
}

// SyncOptions say what PkgSync fetches.
type SyncOptions struct {
	Force bool // also what did not change
	Files bool // also the lists of files, which `pkg files` and `pkg owns` look into
}

// SyncedRepo is one repository after a refresh.
type SyncedRepo struct {
	Name     string `json:"name"`
	Changed  bool   `json:"changed"`
	Files    bool   `json:"files"` // its lists of files are here
	Packages int    `json:"packages"`
}

// PkgSync brings the databases of the repositories up to date.
func (m *Machine) PkgSync(ctx context.Context, sink report.Sink, w *World, o SyncOptions) ([]SyncedRepo, error) {
	if err := m.needRootAt(w.Root, "sync"); err != nil {
		return nil, err
	}
	env, err := w.Env()
	if err != nil {
		return nil, err
	}
	changed, err := trans.Refresh(ctx, env, trans.SyncOptions{Force: o.Force}, packageEvents(sink))
	if err != nil {
		return nil, err
	}
	if o.Files {
		lists, err := trans.Refresh(ctx, env, trans.SyncOptions{Force: o.Force, Files: true}, packageEvents(sink))
		if err != nil {
			return nil, err
		}
		changed = append(changed, lists...)
	}
	dbs, err := trans.Lookup(ctx, env, false)
	if err != nil {
		return nil, err
	}
	out := make([]SyncedRepo, 0, len(dbs))
	for i, db := range dbs {
		name := env.Repos[i].Name
		r := SyncedRepo{Name: name, Changed: slices.Contains(changed, name), Files: exists(trans.FileLists(env, name))}
		if db != nil {
			r.Packages = db.Len()
		}
		out = append(out, r)
	}
	return out, nil
}
