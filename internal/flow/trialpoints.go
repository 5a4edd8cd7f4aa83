// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/rastos/rastos/internal/node"
)

// Packages that are tried may have folders and files below /var and its like,
// which all nodes share. Each of these is mounted from the trial's tree, on an
// empty one of its kind that goes with the trial.

// point is one of them.
type point struct {
	volume string // its path from the top level of the file system
	dir    bool
}

// points finds what a tree has in the shared folders that neither the tree that
// it was made from has nor the machine, and has it shown.
func (x *exchange) points(from, to, top string) (found []point, err error) {
	own := map[string]bool{}
	for _, v := range volumes() {
		own[v.where] = true
	}
	for _, v := range volumes() {
		f := pointFinder{x: x, from: from, to: to, volume: v, top: top, skip: own}
		if err := f.dir(""); err != nil {
			return nil, fmt.Errorf("compare /%s with what is tried: %w", v.where, err)
		}
		found = append(found, f.found...)
	}
	return found, nil
}

type pointFinder struct {
	x             *exchange
	from, to, top string
	volume        volume
	skip          map[string]bool // folders that are volumes of their own
	found         []point
}

// dir looks into one folder of the volume, which the machine has.
func (f *pointFinder) dir(rel string) error {
	entries, err := os.ReadDir(filepath.Join(f.to, f.volume.where, rel))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := filepath.Join(rel, e.Name())
		if where := filepath.Join(f.volume.where, name); !f.skip[where] {
			if err := f.entry(name, where, e); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *pointFinder) entry(name, where string, e fs.DirEntry) error {
	if _, err := os.Lstat(filepath.Join(f.from, where)); err == nil && !e.IsDir() {
		return nil // no package that is tried brings it
	}
	volume := filepath.Join(f.volume.name, name)
	info, err := os.Lstat(filepath.Join(f.top, volume))
	switch {
	case err == nil && info.IsDir() && e.IsDir():
		return f.dir(name)
	case err == nil:
		return nil // the machine's stays
	case !errors.Is(err, fs.ErrNotExist):
		return err
	case !e.IsDir() && !e.Type().IsRegular():
		f.x.obstacle("it brings /%s, which is neither a file nor a folder and would stay", where)
		return nil
	}
	if _, err := os.Lstat(filepath.Join(f.from, where)); err == nil {
		return nil // the node has had it, and somebody removed it
	}
	f.found = append(f.found, point{volume: volume, dir: e.IsDir()})
	f.x.Shown = append(f.x.Shown, shown{Dir: "/" + where, Source: filepath.Join(f.to, where), Access: "rw", File: !e.IsDir()})
	return nil
}

// pointsFile names, in the work folder of a trial, what goes with it.
const pointsFile = "points.json"

// makePoints makes what is mounted on; the list is on the disk before the first.
func (m *Machine) makePoints(sys *System, t *Trial, points []point) error {
	data, err := json.Marshal(t.Points)
	if err != nil {
		return err
	}
	rel, err := filepath.Rel(sys.Nodes.Top, filepath.Join(t.Work, pointsFile))
	if err != nil {
		return err
	}
	if err := sys.files.WriteFile(filepath.ToSlash(rel), data, 0o600); err != nil {
		return err
	}
	top, err := os.OpenRoot(sys.Nodes.Top)
	if err != nil {
		return err
	}
	defer top.Close()
	for _, p := range points {
		if p.dir {
			err = top.Mkdir(p.volume, 0o755)
		} else {
			err = top.WriteFile(p.volume, nil, 0o644)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// dropPoints removes them again, unless something was put there since.
func (m *Machine) dropPoints(sys *System, work string) error {
	data, err := os.ReadFile(filepath.Join(work, pointsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var points []string
	if err := json.Unmarshal(data, &points); err != nil {
		return fmt.Errorf("read %s: %w", filepath.Join(work, pointsFile), err)
	}
	top, err := os.OpenRoot(sys.Nodes.Top)
	if err != nil {
		return err
	}
	defer top.Close()
	for _, p := range points {
		info, err := top.Lstat(p)
		if errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir() && info.Size() > 0 {
			continue
		}
		if err == nil {
			err = top.Remove(p)
		}
		if err != nil && !errors.Is(err, syscall.ENOTEMPTY) {
			return err
		}
	}
	return nil
}

// endTrials removes what trials of earlier boots, and such that never came to
// run, have in the shared folders. Their work folders are garbage like any other.
func (m *Machine) endTrials(sys *System) error {
	folder := filepath.Join(sys.Nodes.Top, node.Folder, "work")
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		work := filepath.Join(folder, e.Name())
		if _, err := os.Lstat(filepath.Join(work, pointsFile)); err != nil {
			continue
		}
		release, busy, err := m.holdWork(filepath.Join(work, "lock"))
		if err != nil || busy {
			if err != nil {
				return err
			}
			continue
		}
		err = m.dropPoints(sys, work)
		release()
		if err != nil {
			return err
		}
	}
	return nil
}
