// SPDX-License-Identifier: GPL-3.0-or-later

package pacman

import "github.com/rastos/rastos/alpm/desc"

// unmetCode is the exit code of -T where a dependency is not met.
const unmetCode = 127

// deptest is -T: it prints the dependencies that nothing installed meets.
func (s *session) deptest() int {
	code := 0
	installed := s.conf.Local.Packages()
	for _, target := range s.opt.Targets {
		if s.conf.Local.Package(target) != nil || satisfier(installed, target) != nil {
			continue
		}
		s.print(target, "\n")
		code = unmetCode
	}
	return code
}

// satisfier is the first package that meets a dependency, or nil.
func satisfier(list []*desc.Package, dep string) *desc.Package {
	d := desc.ParseDep(dep)
	for _, p := range list {
		if p.Satisfies(d) {
			return p
		}
	}
	return nil
}
