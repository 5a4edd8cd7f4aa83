// SPDX-License-Identifier: GPL-3.0-or-later

package pacman

import (
	"encoding/base64"
	"slices"
	"strings"

	"github.com/rastos/rastos/alpm/conf"
	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/keyring"
	"github.com/rastos/rastos/internal/pacman/show"
)

// syncSearch is -Ss. As with pacman, Usage says where something is looked for;
// all packages are listed, whatever it says.
func (s *session) syncSearch(list repos) int {
	any := false
	for _, r := range list {
		if len(s.opt.Targets) > 0 && r.Usage&conf.UseSearch == 0 {
			continue
		}
		found, ok := s.search(r.Name, r.DB.Containing, true)
		if !ok {
			return 1
		}
		any = any || found
	}
	return exitCode(any)
}

// syncGroups is -Sg.
func (s *session) syncGroups(list repos) int {
	if len(s.opt.Targets) == 0 {
		return s.allGroups(list)
	}
	code := 0
	for _, group := range s.opt.Targets {
		found := false
		for _, r := range list {
			for _, p := range r.DB.Group(group) {
				found = true
				if !s.opt.Quiet {
					s.print(group, " ")
				}
				s.print(p.Name, "\n")
			}
		}
		if !found {
			code = 1
		}
	}
	return code
}

// allGroups lists all groups, with -gg their members.
func (s *session) allGroups(list repos) int {
	seen := map[string]bool{}
	found := false
	for _, r := range list {
		for _, group := range groupsOf(r.DB.Packages()) {
			found = true
			if s.opt.Groups > 1 {
				for _, p := range r.DB.Group(group) {
					s.print(group, " ", p.Name, "\n")
				}
				continue
			}
			if !seen[group] {
				s.print(group, "\n")
			}
			seen[group] = true
		}
	}
	return exitCode(found)
}

// groupsOf are the groups of packages in the order in which they are met.
func groupsOf(list []*desc.Package) (groups []string) {
	seen := map[string]bool{}
	for _, p := range list {
		for _, g := range p.Groups {
			if !seen[g] {
				seen[g] = true
				groups = append(groups, g)
			}
		}
	}
	return groups
}

// syncInfo is -Si.
func (s *session) syncInfo(list repos) int {
	if len(s.opt.Targets) == 0 {
		for i := range list {
			for _, p := range list[i].DB.Packages() {
				s.repoInfo(list, &list[i], p)
			}
		}
		return 0
	}
	failed := 0
	for _, target := range s.opt.Targets {
		repoName, name, qualified := strings.Cut(target, "/")
		if !qualified {
			repoName, name = "", target
		}
		foundRepo, foundPackage := false, false
		for i := range list {
			if qualified && list[i].Name != repoName {
				continue
			}
			foundRepo = true
			if p := list[i].DB.Package(name); p != nil {
				s.repoInfo(list, &list[i], p)
				foundPackage = true
			}
		}
		if !foundRepo {
			s.errorf("repository '%s' does not exist", repoName)
			failed++
		}
		if !foundPackage {
			s.errorf("package '%s' was not found", target)
			failed++
		}
	}
	return failed
}

// repoInfo shows one package of a repository.
func (s *session) repoInfo(list repos, r *repo, p *desc.Package) {
	info := show.Info{Package: p, Origin: show.Repository, Repo: r.Name, Extra: s.opt.Info > 1, OptDepends: p.OptDepends}
	if info.Extra {
		info.RequiredBy = newDependents(list.packages(), depends).on(p)
		info.OptionalFor = newDependents(list.packages(), optDepends).on(p)
		info.Signatures = s.signerIDs(p)
	}
	s.page().Info(info)
}

// packages are those of all repositories.
func (list repos) packages() (all []*desc.Package) {
	for _, r := range list {
		all = append(all, r.DB.Packages()...)
	}
	return all
}

// signerIDs names the keys that the signature of a package is by: as pacman
// does, by the last 16 digits.
func (s *session) signerIDs(p *desc.Package) (ids []string) {
	sig, err := base64.StdEncoding.DecodeString(p.PGPSig)
	if err != nil || len(sig) == 0 {
		return nil
	}
	for _, name := range keyring.Signers(sig) {
		ids = append(ids, name[max(0, len(name)-16):])
	}
	if len(ids) == 0 {
		s.errorf(malformed, p.Name)
	}
	return ids
}

// syncList is -Sl.
func (s *session) syncList(list repos) int {
	code := 0
	chosen := list
	if len(s.opt.Targets) > 0 {
		chosen = nil
		for _, name := range s.opt.Targets {
			i := slices.IndexFunc(list, func(r repo) bool { return r.Name == name })
			if i < 0 {
				s.errorf("repository \"%s\" was not found.", name)
				code = 1
				continue
			}
			chosen = append(chosen, list[i])
		}
	}
	page := s.page()
	for _, r := range chosen {
		for _, p := range r.DB.Packages() {
			if s.opt.Quiet {
				s.print(p.Name, "\n")
				continue
			}
			t := s.tint
			s.print(t.Repo, r.Name, " ", t.Title, p.Name, " ", t.Version, p.Version, t.Off)
			page.Present(p, s.conf.Local.Package(p.Name))
			s.print("\n")
		}
	}
	return code
}
