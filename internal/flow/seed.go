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
// there at first boot, and nothing of the machine's own is ever overwritten.
func (m *Machine) seedVolumes(ctx context.Context, sys *System, nodeNumber int) error {
	mountPoint := map[string]bool{}
	for _, v := range volumes() {
		mountPoint[v.where] = true
	}
	root := sys.Nodes.Root(nodeNumber)
	for _, v := range volumes() {
		s := seeder{m: m, ctx: ctx, root: root, top: filepath.Join(sys.Nodes.Top, v.name), where: v.where, skip: mountPoint}
		if err := s.dir("."); err != nil {
			return fmt.Errorf("fill %s from node %d: %w", v.name, nodeNumber, err)
		}
	}
	return nil
}

type seeder struct {
	m     *Machine
	ctx   context.Context
	root  string          // tree of the node
	where string          // folder of the volume in it
	top   string          // the volume itself
	skip  map[string]bool // folders of the node that are mount points of other volumes
}

// dir fills one directory that exists on both sides.
func (s seeder) dir(name string) error {
	entries, err := os.ReadDir(filepath.Join(s.root, s.where, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := s.entry(filepath.Join(name, e.Name()), e); err != nil {
			return err
		}
	}
	return nil
}

func (s seeder) entry(name string, e fs.DirEntry) error {
	from, to := filepath.Join(s.root, s.where, name), filepath.Join(s.top, name)
	info, err := os.Lstat(to)
	switch {
	case err == nil && info.IsDir() && e.IsDir() && !s.skip[filepath.Join(s.where, name)]:
		return s.dir(name)
	case err == nil:
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return err
	case e.IsDir() && s.holdsVolume(name):
		// The mount points inside have to be there, their contents not.
		if err := s.emptyDir(from, to); err != nil {
			return err
		}
		if s.skip[filepath.Join(s.where, name)] {
			return nil
		}
		return s.dir(name)
	}
	// cp is for this: owner, mode, times, links and attributes of a whole tree.
	_, err = s.m.Programs.Output(s.ctx, "cp", "--archive", "--reflink=auto", "--no-target-directory", from, to)
	return err
}

// holdsVolume tells whether a folder is, or holds, the mount point of another
// volume than the one being filled.
func (s seeder) holdsVolume(name string) bool {
	full := filepath.Join(s.where, name)
	for p := range s.skip {
		if p != s.where && (p == full || strings.HasPrefix(p, full+"/")) {
			return true
		}
	}
	return false
}

func (s seeder) emptyDir(from, to string) error {
	info, err := os.Lstat(from)
	if err != nil {
		return err
	}
	if err := os.Mkdir(to, 0o755); err != nil {
		return err
	}
	return os.Chmod(to, info.Mode())
}
