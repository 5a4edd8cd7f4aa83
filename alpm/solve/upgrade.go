// SPDX-License-Identifier: GPL-3.0-or-later

package solve

import (
	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/version"
)

// replacer is a package that names an installed one in its replaces.
type replacer struct {
	pkg *desc.Package
	dep desc.Dep
}

// sysUpgrade adds, for every installed package that is no target yet, its
// replacement or its newer version. The first repository that has either
// decides; inside one, a replacement goes before the package of that name.
func (s *state) sysUpgrade() error {
	if !s.r.SysUpgrade {
		return nil
	}
	s.stage(StageUpgrade)
	repos := s.reposFor(UseUpgrade)
	for _, lp := range sortedByName(s.u.Installed) {
		if s.remName[lp.Name] != nil || s.addName[lp.Name] != nil {
			continue
		}
		for _, r := range repos {
			if s.replace(lp, r) {
				break
			}
			if sp := r.DB.Package(lp.Name); sp != nil {
				s.upgrade(lp, sp, r)
				break
			}
		}
	}
	return nil
}

// replacersOf are the packages of r that replace the one of that name, once for
// each of their replaces that names it.
func replacersOf(r Repo, name string) (out []replacer) {
	for _, p := range sortedByName(r.DB.Replacers(name)) {
		for _, text := range p.Replaces {
			if d := desc.ParseDep(text); d.Name == name {
				out = append(out, replacer{p, d})
			}
		}
	}
	return out
}

// replace reports whether repository r brings a replacement for the installed
// package lp that was no target yet. One that was takes lp's place too, but
// then, with pacman, lp's own newer version is still looked for.
func (s *state) replace(lp *desc.Package, r Repo) bool {
	replaced := false
	for _, c := range replacersOf(r, lp.Name) {
		if !literal(lp, s.plain(c.dep)) {
			continue
		}
		if s.ignored(c.pkg) || s.ignored(lp) {
			s.note(Note{Kind: NoteIgnoredReplace, Package: lp.Name, Version: lp.Version, Other: c.pkg.Name, OtherVersion: c.pkg.Version},
				"%s is not replaced by %s: an ignore list names one of them", lp.Name, c.pkg.Name)
			continue
		}
		if s.ask(Question{Kind: QuestionReplace, Package: c.pkg, Repo: r.Name, Other: lp, Default: Yes}) != Yes {
			continue
		}
		n := s.addName[c.pkg.Name]
		switch {
		case n == nil:
			n = &node{pkg: c.pkg, repo: r.Name, target: c.pkg.Name, reason: lp.Reason}
			s.addNode(n)
			replaced = true
		case n.pkg != c.pkg:
			s.note(Note{Kind: NoteNotReplaced, Package: lp.Name, Other: c.pkg.Name, Repo: r.Name},
				"%s cannot be replaced by %s of %s, since %s is a target", lp.Name, c.pkg.Name, r.Name, label(n.pkg, n.repo))
			continue
		default:
			if lp.Reason == desc.Explicit {
				n.reason = desc.Explicit
			}
		}
		n.replaces = append(n.replaces, lp)
	}
	return replaced
}

// upgrade adds sp when it is newer than the installed lp.
func (s *state) upgrade(lp, sp *desc.Package, r Repo) {
	n := Note{Package: lp.Name, Version: lp.Version, OtherVersion: sp.Version, Repo: r.Name}
	cmp := version.Compare(sp.Version, lp.Version)
	switch {
	case cmp == 0:
		return
	case cmp < 0 && !s.r.Downgrade:
		n.Kind = NoteNewer
		s.note(n, "%s: installed %s is newer than %s in %s", lp.Name, lp.Version, sp.Version, r.Name)
		return
	case s.ignored(sp) || s.ignored(lp):
		n.Kind = NoteIgnoredUpgrade
		if cmp < 0 {
			n.Kind = NoteIgnoredDowngrade
		}
		s.note(n, "%s stays at %s instead of %s: an ignore list names it", lp.Name, lp.Version, sp.Version)
		return
	case cmp < 0:
		n.Kind = NoteSysDowngrade
		s.note(n, "%s goes back from %s to %s", lp.Name, lp.Version, sp.Version)
	}
	s.addNode(&node{pkg: sp, repo: r.Name, target: sp.Name, reason: lp.Reason})
}
