// SPDX-License-Identifier: GPL-3.0-or-later

package node

import (
	"errors"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// Delete removes a node. Its children and its newer version close the gap first:
// a cut after that leaves a tree that is as true. Then node.json goes, so that a
// cut leaves no node with half a tree. The caller has made sure that nothing
// boots or mounts it.
func (s *Store) Delete(number int) error {
	n, err := s.Get(number)
	if err != nil {
		return err
	}
	if err := s.closeGap(n); err != nil {
		return err
	}
	if err := s.Files.RemoveAll(metaName(number)); err != nil {
		return err
	}
	if err := s.moveAliases(func(to int) int {
		if to == number {
			return n.Replaces
		}
		return to
	}); err != nil {
		return err
	}
	return s.dropFolder(path.Join(nodesDir, strconv.Itoa(number)))
}

// closeGap lets what refers to a node refer to what the node itself does.
func (s *Store) closeGap(n Node) error {
	all, err := s.List()
	if err != nil {
		return err
	}
	for _, c := range all {
		was := c
		if c.Parent == n.Number {
			c.Parent = n.Parent
		}
		if c.Replaces == n.Number {
			c.Replaces, c.Files = n.Replaces, c.Files || n.Files
		}
		if c == was {
			continue
		}
		if err := s.writeNode(c); err != nil {
			return err
		}
	}
	return nil
}

// dropFolder deletes the subvolume `root` of a folder and then the folder.
func (s *Store) dropFolder(name string) error {
	for _, tree := range []string{"root", "etc"} {
		path := filepath.Join(s.Top, filepath.FromSlash(name), tree)
		sub, err := s.Subvols.IsSubvolume(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if !sub {
			continue
		}
		if err := s.deleteWhole(path); err != nil {
			return err
		}
	}
	return s.Files.RemoveAll(name)
}

// deleteWhole deletes a subvolume with those inside it: a scriptlet may have
// made some, and btrfs deletes none that holds others.
func (s *Store) deleteWhole(root string) error {
	inner, err := s.Subvols.Below(root)
	if err != nil {
		return err
	}
	for _, p := range append(inner, root) {
		if err := s.Subvols.Delete(p); err != nil {
			return err
		}
	}
	return nil
}

// Recover finishes the batches that were committed, and removes what else an
// interrupted transaction left: every work folder that nobody works in, every
// node folder without node.json that is of none, and files that were being
// written. It returns the names that it removed. The caller holds the lock of the
// system: no work begins meanwhile.
func (s *Store) Recover() ([]string, error) {
	var removed []string
	work, err := s.numbers(workDir)
	if err != nil {
		return nil, err
	}
	for _, id := range work {
		gone, err := s.recoverWork(id)
		if err != nil {
			return removed, err
		}
		if gone {
			removed = append(removed, workName(id))
		}
	}
	nodes, err := s.numbers(nodesDir)
	if err != nil {
		return removed, err
	}
	for _, id := range nodes {
		_, err := s.Files.Lstat(metaName(id))
		if err == nil {
			if err := s.Sweep(path.Join(nodesDir, strconv.Itoa(id))); err != nil {
				return removed, err
			}
			continue
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return removed, err
		}
		name := path.Join(nodesDir, strconv.Itoa(id))
		if err := s.dropFolder(name); err != nil {
			return removed, err
		}
		removed = append(removed, name)
	}
	if err := s.adoptAll(); err != nil {
		return removed, err
	}
	if err := s.Sweep(Folder); err != nil {
		return removed, err
	}
	return removed, s.dropAliases()
}

// TempPrefix begins the names of files that WriteFile (host/fsroot) makes and then
// renames.
const TempPrefix = ".rastos-tmp-"

// Unfinished tells by its name whether a file is such a temporary one.
func Unfinished(name string) bool { return strings.HasPrefix(name, TempPrefix) }

// Sweep removes files of a folder that were being written when the power went:
// durable already, and not yet renamed. Each cut would leave one more.
func (s *Store) Sweep(dir string) error {
	entries, err := s.Files.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !Unfinished(e.Name()) || !e.Type().IsRegular() {
			continue
		}
		if err := s.Files.RemoveAll(path.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// recoverWork removes one work folder, unless somebody works there.
func (s *Store) recoverWork(id int) (gone bool, err error) {
	release, busy, err := s.hold(id)
	if err != nil || busy {
		return false, err
	}
	defer release()
	if err := s.finishBatch(id); err != nil {
		return false, err
	}
	return true, s.dropFolder(workName(id))
}

// dropAliases forgets names of nodes that are gone.
func (s *Store) dropAliases() error {
	return s.moveAliases(func(to int) int {
		if _, err := s.Files.Lstat(metaName(to)); errors.Is(err, fs.ErrNotExist) {
			return 0
		}
		return to
	})
}
