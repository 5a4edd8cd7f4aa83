// SPDX-License-Identifier: GPL-3.0-or-later

package trans

import (
	"cmp"
	"errors"
	"io/fs"
	"path"
	"slices"
	"sort"
	"strings"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/trans/rootfs"
)

// spot is where the files of a directory are staged.
type spot struct {
	dir  string // an existing directory, without links, or one that is made
	late bool   // it is another one, further up
	new  bool   // it is not there yet
}

// survey finds out which directories the new files need and where the files of
// each are staged.
func (s *stager) survey() error {
	s.head.Overlap = s.check.overlap
	for p := range s.check.moved {
		s.head.Moved = append(s.head.Moved, p)
	}
	sort.Strings(s.head.Moved)
	if s.check.overlap {
		s.taken = map[string]bool{}
		for _, a := range s.archives {
			for _, f := range a.files {
				if !strings.HasSuffix(f, "/") {
					s.taken[f] = true
				}
			}
		}
	}
	made, dirs := map[string]int64{}, map[string]bool{".": true} // the last resort of restaging.room
	for _, a := range s.archives {
		if err := s.roomForFiles(a); err != nil {
			return err
		}
		if err := s.surveyOne(a, made, dirs); err != nil {
			return err
		}
	}
	for p := range dirs {
		s.head.Dirs = append(s.head.Dirs, p)
	}
	for p, t := range made {
		s.head.Made = append(s.head.Made, madeDir{p, t})
	}
	sort.Strings(s.head.Dirs)
	slices.SortFunc(s.head.Made, func(a, b madeDir) int { return cmp.Compare(a.Path, b.Path) })
	return nil
}

func (s *stager) surveyOne(a *archive, made map[string]int64, dirs map[string]bool) error {
	note := func(dir string) error {
		at, err := s.spot(dir)
		if err != nil {
			return err
		}
		dirs[at.dir] = true
		for at.new && dir != "" {
			if _, known := made[dir]; !known && !at.late {
				made[dir] = 0
			}
			if dir, _ = rootfs.SplitPath(dir); dir != "" {
				if at, err = s.spot(dir); err != nil {
					return err
				}
			}
		}
		return nil
	}
	last := "\x00"
	for _, f := range a.files {
		dir := strings.TrimSuffix(f, "/")
		if dir == f {
			dir, _ = rootfs.SplitPath(f)
		}
		if dir == last || s.noExtract.match(f) {
			continue
		}
		last = dir
		if err := note(dir); err != nil {
			return err
		}
	}
	for _, d := range a.dirEntries {
		dir := strings.TrimSuffix(d.Name, "/")
		if t, ours := made[dir]; ours {
			made[dir] = max(t, d.ModTime.UnixNano())
		}
	}
	return nil
}

// spot finds out where the files of a directory are staged: in it, where it is
// there or nothing is, else in the next one above that will still be there.
func (s *stager) spot(dir string) (spot, error) {
	if at, known := s.at[dir]; known {
		return at, nil
	}
	if dir == "" {
		return spot{dir: "."}, nil
	}
	up, base := rootfs.SplitPath(dir)
	above, err := s.spot(up)
	if err != nil {
		return spot{}, err
	}
	at := spot{dir: path.Join(above.dir, base), new: true}
	switch {
	case above.late:
		at = above
	case !above.new:
		at, err = s.look(dir, above)
	case s.taken[dir]:
		at = spot{dir: above.dir, late: true, new: above.new}
	}
	if err == nil {
		s.at[dir] = at
	}
	return at, err
}

// look decides about a directory whose parent is there.
func (s *stager) look(dir string, above spot) (spot, error) {
	late := spot{dir: above.dir, late: true}
	info, err := s.tree.Lstat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if s.taken[dir] {
			return late, nil
		}
		_, base := rootfs.SplitPath(dir)
		return spot{dir: path.Join(above.dir, base), new: true}, nil
	}
	if err != nil {
		return spot{}, err
	}
	if !info.IsDir() {
		if info.Mode()&fs.ModeSymlink == 0 || s.linkGoes(dir) {
			return late, nil
		}
	}
	real, err := s.tree.Dir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return late, nil // a link that leads nowhere
	}
	return spot{dir: real}, err
}

// linkGoes: placing decides the same, package by package. Here one answer is
// given to all, since they share the directory.
func (s *stager) linkGoes(dir string) bool {
	return s.check.moved[dir] || s.check.forced[dir] || slices.ContainsFunc(s.archives, func(a *archive) bool {
		return s.old[a.info.Name] != nil && a.has(dir+"/")
	})
}

// roomForFiles makes sure that every directory that becomes a file will be
// empty by then. fileCheck asks for the files in it alone, as pacman does, which
// then finds out in the middle of the upgrade.
func (s *stager) roomForFiles(a *archive) error {
	going := s.check.removed
	if old := s.old[a.info.Name]; old != nil {
		going = append(slices.Clone(going), old)
	}
	for _, p := range going {
		for _, f := range p.Files {
			dir := strings.TrimSuffix(f, "/")
			if dir == f || !a.has(dir) {
				continue
			}
			if info, err := s.tree.Lstat(dir); err != nil || !info.IsDir() {
				continue
			}
			stray, err := s.stray(dir, going)
			if err != nil {
				return err
			}
			if stray != "" {
				return &FileConflictError{Conflicts: []FileConflict{{Package: a.info.Name, Path: stray}}}
			}
		}
	}
	return nil
}

// stray finds something in a directory that none of the packages has.
func (s *stager) stray(dir string, going []*desc.Package) (string, error) {
	entries, err := s.tree.Names(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		name, found := dir+"/"+e.Name(), ""
		listed := name
		if e.IsDir() {
			listed += "/"
			if found, err = s.stray(name, going); err != nil || found != "" {
				return found, err
			}
		}
		if !slices.ContainsFunc(going, func(p *desc.Package) bool { return listHas(p.Files, listed) }) {
			return name, nil
		}
	}
	return "", nil
}
