// SPDX-License-Identifier: GPL-3.0-or-later

package deploy

import (
	"io/fs"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/rastos/rastos/internal/deploy/etcmerge"
)

// Carry brings what changed from the tree base to the tree next into a third one,
// which has come from base in its own way: each path by the rules of package
// etcmerge, /etc with its account files by key, and nothing that skip names. Where
// both changed, the third tree stays as it is and next's version is laid beside.
// Paths of conflicts are relative to the trees.
func (s *Store) Carry(base, next, into string, skip func(name string) bool) ([]etcmerge.Conflict, error) {
	how := func(b, l, n etcmerge.Tree, src etcmerge.Source, keyed etcmerge.KeyedMerge) (etcmerge.Result, error) {
		for _, t := range []etcmerge.Tree{b, l, n} {
			for p := range t {
				if skip(path.Join("etc", p)) {
					delete(t, p)
				}
			}
		}
		return etcmerge.Late(b, l, n, src, keyed)
	}
	etc := func(root string) string { return filepath.Join(root, "etc") }
	res, err := s.mergeInto(how, etc(into), etc(base), etc(into), etc(next))
	if err != nil {
		return nil, err
	}
	var out []etcmerge.Conflict
	for _, c := range append(res.Conflicts, res.Notes...) {
		c.Path = path.Join("etc", c.Path)
		if c.Beside != "" {
			c.Beside = path.Join("etc", c.Beside)
		}
		out = append(out, c)
	}
	rest, err := s.carryRest(base, next, into, func(name string) bool {
		return name == "etc" || strings.HasPrefix(name, "etc/") || skip(name)
	})
	return append(out, rest...), err
}

// carryRest is Carry without /etc: it reads the contents only of what changed.
func (s *Store) carryRest(base, next, into string, skip func(name string) bool) ([]etcmerge.Conflict, error) {
	var sides [3]Dir
	var looks [3]map[string]look
	for i, p := range []string{base, into, next} {
		d, err := s.Open(p)
		if err != nil {
			return nil, err
		}
		defer d.Close()
		sides[i] = d
		if looks[i], err = lookAt(d, skip); err != nil {
			return nil, err
		}
	}
	var trees [3]etcmerge.Tree
	paths := changedPaths(looks[etcmerge.Base], looks[etcmerge.Live], looks[etcmerge.Next])
	for i, d := range sides {
		trees[i] = etcmerge.Tree{".": {Type: fs.ModeDir}}
		for p := range paths {
			if _, ok := looks[i][p]; !ok {
				continue
			}
			info, err := d.Lstat(p)
			if err != nil {
				return nil, err
			}
			if err := scanOne(d, trees[i], p, info); err != nil {
				return nil, err
			}
		}
	}
	res, err := etcmerge.Late(trees[etcmerge.Base], trees[etcmerge.Live], trees[etcmerge.Next], source(sides), nil)
	if err != nil {
		return nil, err
	}
	return append(res.Conflicts, res.Notes...), apply(sides[etcmerge.Live], sides[etcmerge.Next], res.Changes)
}

// look is what a glance tells of a file. Two trees that came from one snapshot
// share inodes: the same one, unchanged since, is the same file.
type look struct {
	mode    fs.FileMode
	uid     uint32
	gid     uint32
	ino     uint64
	changed time.Duration // since the epoch; 0 for a directory, which changes with what is in it
}

func lookAt(d Dir, skip func(name string) bool) (map[string]look, error) {
	out := map[string]look{}
	return out, d.Walk(func(name string, info fs.FileInfo) error {
		if skip(name) {
			return nil
		}
		l := look{mode: info.Mode()}
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			l.uid, l.gid = st.Uid, st.Gid
			if !info.IsDir() {
				l.ino, l.changed = st.Ino, time.Duration(st.Ctim.Nano())
			}
		}
		out[name] = l
		return nil
	})
}

// changedPaths are the paths at which base and next may differ, with the
// directories that they lie in, and what live has in directories that went.
func changedPaths(base, live, next map[string]look) map[string]bool {
	out := map[string]bool{}
	add := func(p string) {
		for ; p != "." && !out[p]; p = path.Dir(p) {
			out[p] = true
		}
	}
	gone := map[string]bool{}
	for p, b := range base {
		n, ok := next[p]
		if !ok || n != b {
			add(p)
		}
		if b.mode.IsDir() && (!ok || !n.mode.IsDir()) {
			gone[p] = true
		}
	}
	for p := range next {
		if _, ok := base[p]; !ok {
			add(p)
		}
	}
	if len(gone) == 0 {
		return out
	}
	for p := range live {
		for dir := path.Dir(p); dir != "."; dir = path.Dir(dir) {
			if gone[dir] {
				add(p)
				break
			}
		}
	}
	return out
}
