// SPDX-License-Identifier: GPL-3.0-or-later

package solve

import "github.com/rastos/rastos/alpm/desc"

// wanted returns the dependencies of p as the request reads them. The list
// must not be changed.
func (s *state) wanted(p *desc.Package) []desc.Dep {
	if s.r.NoDeps {
		return nil
	}
	deps, known := s.deps[p]
	if !known {
		deps = make([]desc.Dep, 0, len(p.Depends))
		for _, text := range p.Depends {
			deps = append(deps, s.plain(desc.ParseDep(text)))
		}
		s.deps[p] = deps
	}
	return deps
}

// ranges are the dependencies of p that speak of one name more than once, as
// in "lib>=3" and "lib<4": they mean one package, which meets all of them.
func (s *state) ranges(p *desc.Package) [][]desc.Dep {
	if s.r.NoVersions {
		return nil
	}
	var out [][]desc.Dep
	for _, list := range sameName(s.wanted(p)) {
		met := satisfiesAll(p, list)
		for _, a := range s.assume {
			met = met || satisfiesAll(a, list)
		}
		if !met {
			out = append(out, list)
		}
	}
	return out
}

// sameName are those dependencies, by their names, that share one. The names
// are in the order in which they come a second time.
func sameName(deps []desc.Dep) (out [][]desc.Dep) {
	for i, d := range deps {
		earlier := 0
		for _, e := range deps[:i] {
			if e.Name == d.Name {
				earlier++
			}
		}
		if earlier != 1 {
			continue
		}
		var list []desc.Dep
		for _, e := range deps {
			if e.Name == d.Name {
				list = append(list, e)
			}
		}
		out = append(out, list)
	}
	return out
}

// plain strips the version where the request ignores versions.
func (s *state) plain(d desc.Dep) desc.Dep {
	if s.r.NoVersions {
		d.Op, d.Version = desc.Any, ""
	}
	return d
}

func (s *state) assumed(d desc.Dep) bool {
	for _, p := range s.assume {
		if p.Satisfies(d) {
			return true
		}
	}
	return false
}
