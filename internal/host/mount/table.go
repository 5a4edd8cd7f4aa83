// SPDX-License-Identifier: GPL-3.0-or-later

package mount

import (
	"fmt"
	"path/filepath"

	"github.com/moby/sys/mountinfo"
)

// Info is one mount of the table.
type Info struct {
	ID      int
	Source  string
	Root    string // the part of the file system that is shown; on btrfs the subvolume
	Target  string
	Type    string
	Options string // of the mount
	Super   string // of the file system
}

// List reads the mount table of this process's namespace, in mount order.
func List() ([]Info, error) { return list(nil) }

// Under lists the mounts at and below dir, in mount order. Links in dir are
// resolved, because the table knows real paths only.
func Under(dir string) ([]Info, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if abs, err = filepath.EvalSymlinks(abs); err != nil {
		return nil, err
	}
	return list(mountinfo.PrefixFilter(abs))
}

func list(filter mountinfo.FilterFunc) ([]Info, error) {
	mounts, err := mountinfo.GetMounts(filter)
	if err != nil {
		return nil, fmt.Errorf("read the mount table: %w", err)
	}
	out := make([]Info, len(mounts))
	for i, m := range mounts {
		out[i] = Info{
			ID: m.ID, Source: m.Source, Root: m.Root, Target: m.Mountpoint,
			Type: m.FSType, Options: m.Options, Super: m.VFSOptions,
		}
	}
	return out, nil
}
