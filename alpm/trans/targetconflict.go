// SPDX-License-Identifier: GPL-3.0-or-later

package trans

import "github.com/rastos/rastos/alpm/trans/rootfs"

import "strings"

// targets checks the new packages against each other: only a directory may be
// in two of them. It returns the conflicts of each with those after it.
func (c *fileCheck) targets() map[*archive][]FileConflict {
	total := 0
	for _, a := range c.archives {
		total += len(a.files)
	}
	// A file is kept by its path, a directory by its path with the slash.
	owner := make(map[string]*archive, total)
	contested := map[string]bool{}
	for _, a := range c.archives {
		for _, f := range a.files {
			path := strings.TrimSuffix(f, "/")
			other := owner[path]
			if other == nil && path == f {
				other = owner[f+"/"]
			}
			if other != nil && other != a {
				contested[path] = true
			}
			if owner[f] == nil {
				owner[f] = a
			}
		}
	}
	c.throughLinks(owner)
	if len(contested) == 0 {
		return nil
	}
	c.overlap = true
	return c.between(contested)
}

// between finds who has what at contested paths. A file in two packages may be
// overwritten, by permission.
func (c *fileCheck) between(contested map[string]bool) map[*archive][]FileConflict {
	var who []*archive
	has := map[*archive][]string{}
	for _, a := range c.archives {
		for _, f := range a.files {
			if contested[strings.TrimSuffix(f, "/")] {
				has[a] = append(has[a], f)
			}
		}
		if has[a] != nil {
			who = append(who, a)
		}
	}
	found := map[*archive][]FileConflict{}
	for i, a := range who {
		for _, b := range who[i+1:] {
			for _, f := range has[a] {
				path := strings.TrimSuffix(f, "/")
				clash := b.has(path)
				if path == f {
					clash = clash && !c.overwrite.match(f) || b.has(f+"/")
				}
				if clash {
					found[a] = append(found[a], FileConflict{Package: a.info.Name, Other: b.info.Name, Path: f})
				}
			}
		}
	}
	return found
}

// throughLinks notices paths below something that is no directory in another
// package of the plan (usr/lib64/x, where usr/lib64 is a link).
func (c *fileCheck) throughLinks(owner map[string]*archive) {
	seen := map[string]bool{}
	for _, a := range c.archives {
		for _, f := range a.files {
			for dir, _ := rootfs.SplitPath(f); dir != "" && !seen[dir]; dir, _ = rootfs.SplitPath(dir) {
				seen[dir] = true
				if owner[dir] != nil {
					c.overlap = true
					return
				}
			}
		}
	}
}
