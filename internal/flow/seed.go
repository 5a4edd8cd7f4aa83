// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// volume is a writable subvolume that all nodes share, and where it is mounted.
type volume struct{ name, where string }

// volumes lists the shared subvolumes, parents before what is mounted in them.
// Where a volume lies below another, the outer one leaves it out.
func volumes() []volume {
	return []volume{
		{"@var", "var"},
		{"@log", "var/log"},
		{"@cache", "var/cache"},
		{"@containers", "var/lib/containers"},
		{"@home", "home"},
		{"@root", "root"},
		{"@srv", "srv"},
		{"@local", "usr/local"},
	}
}

// seedVolumes copies what a node ships below /var and the other shared folders
// to where they live, if it is missing there: a package's state folder is thus
// there at first boot, and nothing of the machine's own is ever overwritten. All
// of it is durable on return, and a cut leaves no half of a file under its name.
func (m *Machine) seedVolumes(ctx context.Context, sys *System, nodeNumber int) error {
	mountPoint := map[string]bool{}
	for _, v := range volumes() {
		mountPoint[v.where] = true
	}
	s := seeder{m: m, ctx: ctx, node: sys.Nodes.Root(nodeNumber), top: sys.Nodes.Top, skip: mountPoint}
	for _, v := range volumes() {
		if err := s.volume(v); err != nil {
			return fmt.Errorf("fill %s from node %d: %w", v.name, nodeNumber, err)
		}
	}
	if !s.changed {
		return nil
	}
	return m.Btrfs.Sync(sys.Nodes.Top)
}

// seeder fills volumes. Others than root can write in some of their folders, and
// could put a link in a folder's place between a look and a write: so folders are
// held open, and names have no slash.
type seeder struct {
	m       *Machine
	ctx     context.Context
	node    string          // tree of the node
	top     string          // of the file system
	skip    map[string]bool // folders of the node that are mount points of volumes
	changed bool
}

func (s *seeder) volume(v volume) error {
	to, err := os.OpenRoot(filepath.Join(s.top, v.name))
	if err != nil {
		return err
	}
	defer to.Close()
	return s.dir(v.where, v.where, to)
}

// seedPrefix begins the names of what is being copied.
const seedPrefix = ".rastos-seed-"

// dir fills one folder, which exists on both sides, of the volume mounted at where.
func (s *seeder) dir(where, name string, to *os.Root) error {
	entries, err := os.ReadDir(filepath.Join(s.node, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := dropLeftovers(to); err != nil {
		return err
	}
	var copied []string
	for _, e := range entries {
		missing, err := s.entry(where, filepath.Join(name, e.Name()), e, to)
		if err != nil {
			return err
		}
		if missing {
			if err := s.copy(filepath.Join(name, e.Name()), to, seedPrefix+e.Name()); err != nil {
				return err
			}
			copied = append(copied, e.Name())
		}
	}
	if len(copied) == 0 {
		return nil
	}
	// Contents first: a name must not be durable before them.
	if err := s.m.Btrfs.Sync(s.top); err != nil {
		return err
	}
	for _, c := range copied {
		if err := to.Rename(seedPrefix+c, c); err != nil {
			return err
		}
	}
	return nil
}

// entry fills a folder that is there, makes one for a mount point, and tells
// whether it is anything else that is missing.
func (s *seeder) entry(where, name string, e fs.DirEntry, to *os.Root) (missing bool, err error) {
	info, err := to.Lstat(e.Name())
	switch {
	case err == nil && (!info.IsDir() || !e.IsDir() || s.skip[name]):
		return false, nil
	case err == nil:
		return false, s.below(where, name, to, info)
	case !errors.Is(err, fs.ErrNotExist):
		return false, err
	case !e.IsDir() || !s.holdsVolume(where, name):
		return true, nil
	}
	// The mount points inside have to be there, their contents not.
	s.changed = true
	shipped, err := e.Info()
	if err != nil {
		return false, err
	}
	if err := to.Mkdir(e.Name(), 0o755); err != nil {
		return false, err
	}
	if err := to.Chmod(e.Name(), shipped.Mode()); err != nil || s.skip[name] {
		return false, err
	}
	if info, err = to.Lstat(e.Name()); err != nil {
		return false, err
	}
	return false, s.below(where, name, to, info)
}

// below goes down into the folder that info was read from, or into nothing.
func (s *seeder) below(where, name string, to *os.Root, info fs.FileInfo) error {
	sub, err := to.OpenRoot(filepath.Base(name))
	if err != nil {
		return err
	}
	defer sub.Close()
	now, err := sub.Stat(".")
	if err != nil {
		return err
	}
	if !os.SameFile(info, now) {
		return fmt.Errorf("/%s was replaced meanwhile", name)
	}
	return s.dir(where, name, sub)
}

// copy leaves the copying to cp: owner, mode, times, links and attributes of a
// whole tree are what it is for. The path leads to the open folder.
func (s *seeder) copy(from string, to *os.Root, name string) error {
	dir, err := to.Open(".")
	if err != nil {
		return err
	}
	defer dir.Close()
	s.changed = true
	_, err = s.m.Programs.Output(s.ctx, "cp", "--archive", "--reflink=auto", "--remove-destination", "--no-target-directory",
		filepath.Join(s.node, from), fmt.Sprintf("/proc/%d/fd/%d/%s", os.Getpid(), dir.Fd(), name))
	return err
}

// dropLeftovers removes what a cut left of a copy.
func dropLeftovers(to *os.Root) error {
	dir, err := to.Open(".")
	if err != nil {
		return err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, n := range names {
		if !strings.HasPrefix(n, seedPrefix) {
			continue
		}
		if err := to.RemoveAll(n); err != nil {
			return err
		}
	}
	return nil
}

// holdsVolume tells whether a folder is, or holds, the mount point of another
// volume than the one being filled.
func (s *seeder) holdsVolume(where, name string) bool {
	for p := range s.skip {
		if p != where && (p == name || strings.HasPrefix(p, name+"/")) {
			return true
		}
	}
	return false
}
