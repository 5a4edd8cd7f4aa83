// SPDX-License-Identifier: GPL-3.0-or-later

package trans

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// maxCushion is what stays free at most, beside what is needed.
const maxCushion = 20 * bytesPerMiB

// checkSpace compares what the new files take with what is free, for each file
// system on its own. Old versions are counted as room only where they are as
// large as the new ones at least: new files come before old ones go.
func checkSpace(env *Env, archives []*archive) error {
	if env.Space == nil {
		return nil
	}
	type use struct {
		fs     FileSystem
		path   string
		needed int64
	}
	uses := map[uint64]*use{}
	mounts := map[string]FileSystem{}
	for _, a := range archives {
		grows := int64(0)
		for _, p := range a.places {
			path, err := nearestExisting(env.Root, p.dir)
			if err != nil {
				return err
			}
			at, ok := mounts[path]
			if !ok {
				if at, err = env.Space.FileSystem(path); err != nil {
					return fmt.Errorf("ask for the space at %s: %w", path, err)
				}
				mounts[path] = at
			}
			u := uses[at.ID]
			if u == nil {
				u = &use{fs: at, path: path}
				uses[at.ID] = u
			}
			// Half a block is lost at the end of a file on average.
			grows = p.bytes + p.files*at.BlockSize/2
			if old := a.step.Old; old != nil {
				grows -= share(old.InstalledSize, p.bytes, a.size)
			}
			u.needed += max(grows, 0)
		}
	}
	for _, u := range uses {
		cushion := min(u.fs.Total/spaceFraction, maxCushion)
		if u.needed > 0 && u.needed+cushion > u.fs.Free {
			return &SpaceError{Path: u.path, Needed: u.needed + cushion, Free: u.fs.Free}
		}
	}
	return nil
}

// share is the part of the old version's size that is taken to be where this
// part of the new one is.
func share(old, part, whole int64) int64 {
	if whole == 0 {
		return 0
	}
	return int64(float64(old) * float64(part) / float64(whole))
}

// nearestExisting is the host path of dir below root, or of what is above it.
func nearestExisting(root, dir string) (string, error) {
	for {
		path := filepath.Join(root, dir)
		info, err := os.Lstat(path)
		if err == nil && info.IsDir() {
			return path, nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		if dir == "" || dir == "." {
			return root, nil
		}
		if dir = filepath.Dir(dir); dir == "." {
			dir = ""
		}
	}
}
