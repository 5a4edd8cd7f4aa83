// SPDX-License-Identifier: GPL-3.0-or-later

package deploy

import (
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/rastos/rastos/internal/deploy/etcmerge"
)

// Difference is a path at which a live /etc is not what the node shipped.
type Difference struct {
	Path string `json:"path"`
	What string `json:"what"` // added, removed, changed, type, or mode: owner, mode or attributes alone
}

// Differences compares the /etc of a deployment with its node's pristine one.
// A folder that was added or removed stands for all that is in it.
func (s *Store) Differences(d Deployment) ([]Difference, error) {
	base, err := s.scanAt(s.pristineEtc(d.Node))
	if err != nil {
		return nil, err
	}
	live, err := s.scanAt(s.EtcPath(d))
	if err != nil {
		return nil, err
	}
	all := maps.Clone(base)
	maps.Copy(all, live)
	var out []Difference
	for _, p := range slices.Sorted(maps.Keys(all)) {
		b, inBase := base[p]
		l, inLive := live[p]
		dir := path.Dir(p)
		_, dirInBase := base[dir]
		_, dirInLive := live[dir]
		what := ""
		switch {
		case !inBase && (dirInBase || p == "."):
			what = "added"
		case !inLive && (dirInLive || p == "."):
			what = "removed"
		case !inBase || !inLive: // its folder is told
		case b.Type != l.Type:
			what = "type"
		case b.Digest != l.Digest || b.Link != l.Link:
			what = "changed"
		case b.Perm != l.Perm || b.UID != l.UID || b.GID != l.GID || !maps.Equal(b.Xattrs, l.Xattrs):
			what = "mode"
		}
		if what != "" {
			out = append(out, Difference{p, what})
		}
	}
	return out, nil
}

func (s *Store) scanAt(dir string) (etcmerge.Tree, error) {
	d, err := s.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return scan(d)
}

// Pending lists the conflicts of a deployment's /etc that wait for a person: those
// on record whose other side still lies beside, those of account files, which have
// none, and what earlier deployments left beside a file.
func (s *Store) Pending(d Deployment) ([]etcmerge.Conflict, error) {
	dir, err := s.Open(s.EtcPath(d))
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	beside := map[string]bool{}
	err = dir.Walk(func(name string, info fs.FileInfo) error {
		// What lies in such a folder is a part of its side.
		if strings.HasSuffix(name, etcmerge.Suffix) && !strings.Contains(path.Dir(name)+"/", etcmerge.Suffix+"/") {
			beside[name] = true
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var out []etcmerge.Conflict
	for _, c := range d.Conflicts {
		if c.Beside == "" || beside[c.Beside] {
			out = append(out, c)
		}
		delete(beside, c.Beside)
	}
	for _, b := range slices.Sorted(maps.Keys(beside)) {
		out = append(out, etcmerge.Conflict{
			Path: strings.TrimSuffix(b, etcmerge.Suffix), Beside: b, Reason: "an earlier deployment left it",
		})
	}
	return out, nil
}

// Decided lists what the merges of a deployment's /etc decided by rule against the
// node, as long as one has the path and the other has not.
func (s *Store) Decided(d Deployment) ([]etcmerge.Conflict, error) {
	live, err := s.Open(s.EtcPath(d))
	if err != nil {
		return nil, err
	}
	defer live.Close()
	shipped, err := s.Open(s.pristineEtc(d.Node))
	if err != nil {
		return nil, err
	}
	defer shipped.Close()
	var out []etcmerge.Conflict
	for _, n := range d.Notes {
		here, err := has(live, n.Path)
		if err != nil {
			return nil, err
		}
		there, err := has(shipped, n.Path)
		if err != nil {
			return nil, err
		}
		if here != there && !slices.ContainsFunc(out, func(c etcmerge.Conflict) bool { return c.Path == n.Path }) {
			out = append(out, n)
		}
	}
	return out, nil
}

// has tells whether there is anything of a name; below a file there is nothing.
func has(d Dir, p string) (bool, error) {
	_, err := d.Lstat(p)
	if isNotExist(err) || errors.Is(err, syscall.ENOTDIR) {
		return false, nil
	}
	return err == nil, err
}

// TakeShipped makes a path of a deployment's /etc, which has nothing there, what the
// node shipped, with the folders above it. Where the node has nothing, it stays away.
func (s *Store) TakeShipped(d Deployment, p string) error {
	live, err := s.Open(s.EtcPath(d))
	if err != nil {
		return err
	}
	defer live.Close()
	shipped, err := s.Open(s.pristineEtc(d.Node))
	if err != nil {
		return err
	}
	defer shipped.Close()
	var changes []etcmerge.Change
	for ; p != "."; p = path.Dir(p) {
		here, err := has(live, p)
		if err != nil {
			return err
		}
		if here {
			break
		}
		info, err := shipped.Lstat(p)
		if isNotExist(err) {
			return nil
		}
		if err != nil {
			return err
		}
		one := etcmerge.Tree{}
		if err := scanOne(shipped, one, p, info); err != nil {
			return err
		}
		changes = slices.Insert(changes, 0, etcmerge.Change{Kind: etcmerge.Take, Path: p, Entry: one[p]})
	}
	return apply(live, shipped, changes)
}

// Settled takes the conflicts of a path, and what was decided there, off a
// deployment's record.
func (s *Store) Settled(number int, p string) error {
	d, err := s.Get(number)
	if err != nil {
		return err
	}
	about := func(c etcmerge.Conflict) bool { return c.Path == p }
	d.Conflicts, d.Notes = slices.DeleteFunc(d.Conflicts, about), slices.DeleteFunc(d.Notes, about)
	return s.Put(d)
}

// Pristine is the content of a file of /etc as the deployment's node shipped it.
func (s *Store) Pristine(d Deployment, p string) ([]byte, error) {
	dir, err := s.Open(s.pristineEtc(d.Node))
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	return dir.ReadFile(p)
}
