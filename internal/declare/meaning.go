// SPDX-License-Identifier: GPL-3.0-or-later

package declare

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/solve"
)

// literal takes what the names of installed packages answer.
func (w *worker) literal() error {
	for _, target := range w.decl.Targets {
		d := dependency(target)
		if p := w.byName[d.Name]; p != nil && d.AllowsVersion(p.Version) {
			w.declared[p.Name] = true
			continue
		}
		w.open = append(w.open, target)
	}
	for _, name := range w.decl.Own {
		if w.byName[name] != nil {
			w.declared[name] = true
		}
	}
	for _, name := range w.decl.Foreign {
		switch {
		case w.byName[name] != nil:
			w.declared[name] = true
		case w.provider(desc.Dep{Name: name}) != nil:
			w.virtual = append(w.virtual, name)
		default:
			w.note(NoteForeign, name, name+" is declared as from the AUR, which this version cannot build")
		}
	}
	return nil
}

// dependency reads a target without its repository: what is installed does not
// tell where it came from.
func dependency(target string) desc.Dep {
	if _, name, ok := strings.Cut(target, "/"); ok {
		target = name
	}
	return desc.ParseDep(target)
}

// others finds out what the remaining targets mean. What the engine has to
// install stays in open.
func (w *worker) others() error {
	targets := w.open
	w.open = nil
	if len(targets) > 0 || w.opt.Upgrade {
		if err := w.load(); err != nil {
			return err
		}
	}
	for _, target := range targets {
		w.meaning(target)
	}
	return nil
}

func (w *worker) load() (err error) {
	if !w.loaded {
		w.repos, err = w.Repos()
		w.loaded = err == nil
	}
	return err
}

// meaning is what a target means that no installed package is called by.
func (w *worker) meaning(target string) {
	d, repos := dependency(target), w.reposOf(target)
	provider := w.provider(d)
	if p := literalIn(repos, d); p != nil {
		if provider != nil && w.declared[provider.Name] && excludes(provider, p) {
			w.virtual = append(w.virtual, target) // both are declared, and only one can be there
			return
		}
		w.open = append(w.open, target)
		return
	}
	switch {
	case w.byName[d.Name] != nil:
		w.open = append(w.open, target) // its version does not do, and no other is known: the engine says so
	case provider != nil:
		w.virtual = append(w.virtual, target)
	case hasProvider(repos, d):
		w.virtual = append(w.virtual, target)
		w.open = append(w.open, target)
	case d.Op == desc.Any && len(groupOf(repos, d.Name)) > 0:
		for _, m := range groupOf(repos, d.Name) {
			if w.byName[m.Package.Name] != nil {
				w.declared[m.Package.Name] = true
			} else {
				w.open = append(w.open, m.Repo+"/"+m.Package.Name)
			}
		}
	default:
		w.replaced(target, d, repos)
	}
}

// excludes tells whether two packages cannot be installed together.
func excludes(a, b *desc.Package) bool {
	conflicts := func(a, b *desc.Package) bool {
		return slices.ContainsFunc(a.Conflicts, func(text string) bool { return b.Satisfies(desc.ParseDep(text)) })
	}
	return conflicts(a, b) || conflicts(b, a)
}

// replaced looks for a package that stands for one that is gone.
func (w *worker) replaced(target string, d desc.Dep, repos []solve.Repo) {
	for _, p := range w.Installed {
		if replaces(p, d) {
			w.declared[p.Name] = true
			w.note(NoteReplaced, target, fmt.Sprintf("%s is replaced by %s, which is installed", target, p.Name))
			return
		}
	}
	for _, r := range repos {
		for _, p := range r.DB.Replacers(d.Name) {
			if replaces(p, d) {
				w.open = append(w.open, r.Name+"/"+p.Name)
				w.note(NoteReplaced, target, fmt.Sprintf("%s is replaced by %s", target, p.Name))
				return
			}
		}
	}
	w.open = append(w.open, target) // the engine says best what is wrong with it
}

// replaces tells whether p stands for the package that d names. Which version
// that had, nothing tells any more.
func replaces(p *desc.Package, d desc.Dep) bool {
	return d.Op == desc.Any && slices.ContainsFunc(p.Replaces, func(text string) bool { return desc.ParseDep(text).Name == d.Name })
}

// provider is an installed package that meets d, one that is declared before
// others.
func (w *worker) provider(d desc.Dep) *desc.Package {
	var found *desc.Package
	for _, p := range w.Installed {
		if p.Satisfies(d) && (found == nil || w.declared[p.Name] && !w.declared[found.Name]) {
			found = p
		}
	}
	return found
}

// reposOf are the repositories that a target may come from.
func (w *worker) reposOf(target string) []solve.Repo {
	repo, _, ok := strings.Cut(target, "/")
	if !ok {
		return slices.DeleteFunc(slices.Clone(w.repos), func(r solve.Repo) bool {
			return r.Usage != 0 && r.Usage&(solve.UseInstall|solve.UseUpgrade) == 0
		})
	}
	return slices.DeleteFunc(slices.Clone(w.repos), func(r solve.Repo) bool { return r.Name != repo })
}

// literalIn is the first package of the repositories that is called as d says.
func literalIn(repos []solve.Repo, d desc.Dep) *desc.Package {
	for _, r := range repos {
		if p := r.DB.Package(d.Name); p != nil && d.AllowsVersion(p.Version) {
			return p
		}
	}
	return nil
}

func hasProvider(repos []solve.Repo, d desc.Dep) bool {
	return slices.ContainsFunc(repos, func(r solve.Repo) bool {
		return slices.ContainsFunc(r.DB.Providers(d.Name), func(p *desc.Package) bool { return p.Satisfies(d) })
	})
}

// groupOf are the members of a group, each from the first repository that has
// it there.
func groupOf(repos []solve.Repo, group string) []solve.Candidate {
	var out []solve.Candidate
	seen := map[string]bool{}
	for _, r := range repos {
		for _, p := range r.DB.Group(group) {
			if !seen[p.Name] {
				seen[p.Name] = true
				out = append(out, solve.Candidate{Package: p, Repo: r.Name})
			}
		}
	}
	return out
}
