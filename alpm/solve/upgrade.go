// SPDX-License-Identifier: GPL-3.0-or-later

package solve

import (
	"cmp"
	"slices"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/version"
)

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
		if s.remName[lp.Name] != nil || s.addName[lp.Name] != nil || s.held[lp.Name] {
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

// replacersOf are the packages of r that replace the installed one.
func replacersOf(r Repo, lp *desc.Package) (out []*desc.Package) {
	for _, p := range sortedByName(r.DB.Replacers(lp.Name)) {
		if slices.ContainsFunc(p.Replaces, func(text string) bool { return literal(lp, desc.ParseDep(text)) }) {
			out = append(out, p)
		}
	}
	return slices.Compact(out)
}

// replace reports whether repository r brings a replacement for the installed
// package lp that was no target yet. One that was takes lp's place too, but
// then, with pacman, lp's own newer version is still looked for.
func (s *state) replace(lp *desc.Package, r Repo) bool {
	replaced := false
	for _, p := range replacersOf(r, lp) {
		if s.ignored(p) || s.ignored(lp) {
			s.note(Note{Kind: NoteIgnoredReplace, Package: lp.Name, Version: lp.Version, Other: p.Name, OtherVersion: p.Version},
				"%s is not replaced by %s: an ignore list names one of them", lp.Name, p.Name)
			continue
		}
		if s.ask(Question{Kind: QuestionReplace, Package: p, Repo: r.Name, Other: lp, Default: Yes}) != Yes {
			continue
		}
		n := s.addName[p.Name]
		switch {
		case n == nil:
			n = &node{pkg: p, repo: r.Name, target: cmp.Or(s.there[p.Name], p.Name), reason: lp.Reason}
			s.addNode(n)
			replaced = true
			n.upgrades = []*desc.Package{lp}
		case n.pkg != p:
			s.note(Note{Kind: NoteNotReplaced, Package: lp.Name, Other: p.Name, Repo: r.Name},
				"%s cannot be replaced by %s of %s, since %s is a target", lp.Name, p.Name, r.Name, label(n.pkg, n.repo))
			continue
		default:
			if lp.Reason == desc.Explicit {
				n.reason = desc.Explicit
			}
			if len(n.upgrades) > 0 {
				n.upgrades = append(n.upgrades, lp)
			}
		}
		n.replaces = append(n.replaces, lp)
	}
	return replaced
}

// upgrade adds sp when it is newer than the installed lp.
func (s *state) upgrade(lp, sp *desc.Package, r Repo) {
	n := Note{Package: lp.Name, Version: lp.Version, OtherVersion: sp.Version, Repo: r.Name}
	order := version.Compare(sp.Version, lp.Version)
	switch {
	case order == 0:
		return
	case order < 0 && !s.r.Downgrade:
		n.Kind = NoteNewer
		s.note(n, "%s: installed %s is newer than %s in %s", lp.Name, lp.Version, sp.Version, r.Name)
		return
	case s.ignored(sp) || s.ignored(lp):
		n.Kind = NoteIgnoredUpgrade
		if order < 0 {
			n.Kind = NoteIgnoredDowngrade
		}
		s.note(n, "%s stays at %s instead of %s: an ignore list names it", lp.Name, lp.Version, sp.Version)
		return
	case order < 0:
		n.Kind = NoteSysDowngrade
		s.note(n, "%s goes back from %s to %s", lp.Name, lp.Version, sp.Version)
	}
	s.addNode(&node{pkg: sp, repo: r.Name, target: cmp.Or(s.there[sp.Name], sp.Name), reason: lp.Reason, upgrades: []*desc.Package{lp}})
}
