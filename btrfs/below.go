// SPDX-License-Identifier: GPL-3.0-or-later

package btrfs

import (
	"path/filepath"
	"slices"
	"strings"
)

// Below returns the subvolumes that lie inside the subvolume at path, at any
// depth, as paths that begin with path; what lies deepest comes first, so that
// they can be deleted in this order. Subvolumes that are reached only through a
// mount inside path are not among them.
func Below(path string) ([]string, error) {
	self, err := Info(path)
	if err != nil {
		return nil, err
	}
	all, err := List(path)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(all, func(s Subvolume) bool { return s.ID == self.ID })
	if i < 0 {
		return nil, nil // deleted meanwhile
	}
	prefix := all[i].Path + "/"
	if all[i].Path == "" {
		prefix = "" // the top level holds all
	}
	var out []string
	for _, s := range all {
		if rel, ok := strings.CutPrefix(s.Path, prefix); ok && s.ID != self.ID {
			out = append(out, filepath.Join(path, rel))
		}
	}
	slices.Reverse(out) // sorted by path: parents come first
	return out, nil
}
