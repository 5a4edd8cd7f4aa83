// SPDX-License-Identifier: GPL-3.0-or-later

package solve

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/version"
)

// addTargets turns the names of the request into packages. It finds all names
// that mean nothing, not only the first.
func (s *state) addTargets() error { return s.each(s.r.Targets, s.addTarget) }

// each does something with every target. Those that cannot be are told
// together, if they name nothing.
func (s *state) each(targets []string, do func(string) error) error {
	var lost []*NotFoundError
	var twice error
	var unselected *selectError
	for _, t := range targets {
		err := do(t)
		var none *NotFoundError
		var dup *DuplicateError
		switch {
		case errors.As(err, &none):
			lost = append(lost, none)
		case errors.As(err, &dup):
			twice = cmp.Or(twice, err)
		case errors.As(err, &unselected): // the others are gone through all the same
			s.lost = true
			continue
		default:
			if err != nil {
				return err
			}
			continue
		}
		s.tellLost(err)
	}
	switch {
	case len(lost) > 1:
		return &NotFoundListError{lost}
	case len(lost) == 1:
		return lost[0]
	case twice == nil && unselected != nil:
		return unselected.err
	}
	return twice
}

// selectError is that of Request.Select.
type selectError struct{ err error }

func (e *selectError) Error() string { return e.err.Error() }

func (s *state) tellLost(err error) {
	s.lost = true
	if s.r.Lost != nil {
		s.r.Lost(err)
	}
}

func (s *state) addTarget(target string) error {
	repos, name := s.reposFor(UseInstall|UseUpgrade), target
	if repo, rest, ok := strings.Cut(target, "/"); ok {
		i := slices.IndexFunc(s.u.Repos, func(r Repo) bool { return r.Name == repo })
		if i < 0 {
			return &NotFoundError{Target: target, Repository: repo}
		}
		// Naming the repository overrides its Usage.
		repos, name = s.u.Repos[i:i+1], rest
	}
	c, ignored := s.find(desc.ParseDep(name), repos, lookup{prompt: true})
	switch {
	case c != nil:
		return s.addChosen(*c, target)
	case ignored:
		s.note(Note{Kind: NoteSkipped, Package: name}, "%s is on an ignore list and was left out", target)
		return nil
	}
	if name == target { // Usage says nothing of groups
		repos = s.u.Repos
	}
	return s.addGroup(repos, name, target)
}

// addGroup makes the members of a group targets, those of earlier
// repositories first.
func (s *state) addGroup(repos []Repo, group, target string) error {
	members, found := s.members(repos, group)
	if !found {
		return &NotFoundError{Target: target, Near: s.nearRepos(group)}
	}
	if s.lost {
		return nil // nothing will come of it, so nobody is asked
	}
	if s.r.Select != nil && len(members) > 0 {
		var err error
		if members, err = s.r.Select(group, members); err != nil {
			return &selectError{err}
		}
	}
	for _, c := range members {
		if err := s.addChosen(c, target); err != nil {
			return err
		}
	}
	return nil
}

// members are what a group offers: what is up to date already or on an ignore
// list is passed over, in later repositories too.
func (s *state) members(repos []Repo, group string) (members []Candidate, found bool) {
	seen := map[string]bool{}
	for _, r := range repos {
		for _, p := range sortedByName(r.DB.Group(group)) {
			found = true
			if seen[p.Name] {
				continue
			}
			seen[p.Name] = true
			old := s.local.named(p.Name)
			if s.r.Needed && old != nil && version.Compare(p.Version, old.Version) == 0 {
				s.noteUpToDate(p)
				continue
			}
			if s.ignored(p) && s.ask(Question{Kind: QuestionIgnored, Package: p, Repo: r.Name, Default: Yes}) != Yes {
				s.note(Note{Kind: NoteIgnoredMember, Package: p.Name, Version: p.Version, Other: group},
					"%s is on an ignore list and was left out of group %s", p.Name, group)
				continue
			}
			members = append(members, Candidate{p, r.Name})
		}
	}
	return members, found
}

func (s *state) noteUpToDate(p *desc.Package) {
	s.note(Note{Kind: NoteUpToDate, Package: p.Name, Version: p.Version}, "%s-%s is up to date", p.Name, p.Version)
}

// addPackages adds the targets that come from files. It goes through all of
// them even if some cannot be targets.
func (s *state) addPackages() error {
	var first error
	for i, p := range s.r.Packages {
		var err error
		if p != nil {
			err = s.addChosen(Candidate{Package: p}, p.Name)
		} else {
			err = s.r.Unread[i]
		}
		if err != nil {
			first = cmp.Or(first, err)
			s.tellLost(err)
		}
	}
	return first
}

// addChosen makes a package a target of the transaction.
func (s *state) addChosen(c Candidate, target string) error {
	p := c.Package
	if n := s.addName[p.Name]; n != nil {
		if n.pkg == p {
			return nil
		}
		return &DuplicateError{Name: p.Name, First: label(n.pkg, n.repo), Second: label(p, c.Repo), Again: p}
	}
	if old := s.local.named(p.Name); old != nil {
		switch cmp := version.Compare(p.Version, old.Version); {
		case cmp == 0 && s.r.Needed:
			s.noteUpToDate(p)
			s.there[p.Name] = target
			return nil
		case cmp == 0:
			s.note(Note{Kind: NoteReinstall, Package: p.Name, Version: p.Version},
				"%s-%s is up to date and will be reinstalled", p.Name, p.Version)
		case cmp < 0:
			s.note(Note{Kind: NoteDowngrade, Package: p.Name, Version: old.Version, OtherVersion: p.Version},
				"%s goes back from %s to %s", p.Name, old.Version, p.Version)
		}
	}
	s.addNode(&node{pkg: p, repo: c.Repo, target: target, reason: desc.Explicit})
	return nil
}

func label(p *desc.Package, repo string) string {
	if repo == "" {
		return fmt.Sprintf("the file of %s-%s", p.Name, p.Version)
	}
	return fmt.Sprintf("%s/%s-%s", repo, p.Name, p.Version)
}

// addRemovals turns the removal targets into installed packages.
func (s *state) addRemovals() error {
	if err := s.each(s.r.Remove, s.addTargetRemoval); err != nil {
		return err
	}
	for _, n := range s.add {
		if s.remName[n.pkg.Name] != nil {
			return &DuplicateError{Name: n.pkg.Name, First: "a package to install", Second: "a package to remove"}
		}
	}
	return nil
}

func (s *state) addTargetRemoval(target string) error {
	name := strings.TrimPrefix(target, "local/")
	if p := s.local.named(name); p != nil {
		s.addRemoval(p, CauseRequested, "")
		return nil
	}
	found := false
	for _, p := range sortedByName(s.u.Installed) {
		if slices.Contains(p.Groups, name) {
			s.addRemoval(p, CauseRequested, "")
			found = true
		}
	}
	if !found {
		return notInstalled(s.u.Installed, name)
	}
	return nil
}

func (s *state) reposFor(u Usage) []Repo {
	var out []Repo
	for _, r := range s.u.Repos {
		if r.usable(u) {
			out = append(out, r)
		}
	}
	return out
}

func (s *state) checkArch() error {
	s.began = len(s.add) > 0
	if len(s.u.Arch) == 0 {
		return nil
	}
	var first *ArchError
	for _, n := range s.add {
		if err := s.archAllowed(n.pkg); err != nil {
			if first == nil {
				first = err
			}
			first.All = append(first.All, n.pkg)
		}
	}
	if first == nil {
		return nil
	}
	return first
}

func (s *state) archAllowed(p *desc.Package) *ArchError {
	if len(s.u.Arch) == 0 || p.Arch == "any" || p.Arch == "" || slices.Contains(s.u.Arch, p.Arch) {
		return nil
	}
	return &ArchError{Package: p.Name, Arch: p.Arch, Allowed: s.u.Arch}
}
