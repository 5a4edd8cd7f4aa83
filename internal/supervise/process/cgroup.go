// SPDX-License-Identifier: GPL-3.0-or-later

package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// Cgroups is a folder in the hierarchy of cgroups (version 2) in which services
// get theirs.
type Cgroups struct{ dir string }

// OpenCgroups makes one below the cgroup of this process. The error says why
// there is none.
func OpenCgroups(name string) (*Cgroups, error) {
	mounts, err := mountinfo.GetMounts(mountinfo.FSTypeFilter("cgroup2"))
	if err != nil {
		return nil, fmt.Errorf("look for cgroups: %w", err)
	}
	if len(mounts) == 0 {
		return nil, errors.New("no hierarchy of cgroups of version 2 is mounted")
	}
	own, err := ownCgroup()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(mounts[0].Mountpoint, own, name)
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("make a cgroup: %w", err)
	}
	return &Cgroups{dir}, nil
}

// ownCgroup is the path of this process in the hierarchy of version 2.
func ownCgroup() (string, error) {
	data, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(data)) {
		if path, is := strings.CutPrefix(strings.TrimSpace(line), "0::"); is {
			return path, nil
		}
	}
	return "", errors.New("this process is in no cgroup of version 2")
}

// KillAll ends what is in all cgroups of the folder, which somebody before has
// left, and removes them.
func (c *Cgroups) KillAll() error {
	if c == nil {
		return nil
	}
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return fmt.Errorf("look for cgroups: %w", err)
	}
	var all error
	for _, e := range entries {
		if e.IsDir() {
			left, err := c.New(e.Name())
			if err == nil {
				err = errors.Join(left.kill(), left.remove())
			}
			all = errors.Join(all, err)
		}
	}
	return all
}

// Close removes the folder; cgroups in it that are still used keep it.
func (c *Cgroups) Close() error {
	if c == nil {
		return nil
	}
	err := unix.Rmdir(c.dir)
	if errors.Is(err, unix.EBUSY) || errors.Is(err, unix.ENOTEMPTY) {
		err = nil
	}
	return err
}

// Cgroup holds one process and all that comes from it.
type Cgroup struct {
	path string
	dir  *os.File
}

// New makes a cgroup; nil where there are none.
func (c *Cgroups) New(name string) (*Cgroup, error) {
	if c == nil {
		return nil, nil
	}
	path := filepath.Join(c.dir, name)
	if err := os.Mkdir(path, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("make a cgroup: %w", err)
	}
	dir, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open a cgroup: %w", err)
	}
	return &Cgroup{path, dir}, nil
}

// Drop removes a cgroup in which nothing was started.
func (c *Cgroup) Drop() {
	if c != nil {
		c.dir.Close()
		_ = unix.Rmdir(c.path)
	}
}

// kill ends all that is in the cgroup.
func (c *Cgroup) kill() error {
	if c == nil {
		return nil
	}
	err := os.WriteFile(filepath.Join(c.path, "cgroup.kill"), []byte("1"), 0)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return c.killEach() // Linux before 5.14, or the cgroup is gone
}

// killEach kills processes one by one until none is left: each may have forked
// meanwhile.
func (c *Cgroup) killEach() error {
	for begun := time.Now(); time.Since(begun) < emptied; time.Sleep(time.Millisecond) {
		data, err := os.ReadFile(filepath.Join(c.path, "cgroup.procs"))
		if errors.Is(err, fs.ErrNotExist) || err == nil && len(data) == 0 {
			return nil
		}
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(data)) {
			if pid, err := strconv.Atoi(strings.TrimSpace(line)); err == nil && pid > 1 {
				_ = unix.Kill(pid, unix.SIGKILL) // it may be gone
			}
		}
	}
	return fmt.Errorf("kill all in %s: new processes come faster than they end", c.path)
}

// emptied is how long what was killed may take to be gone.
const emptied = 2 * time.Second

// remove waits until the cgroup is empty and removes it.
func (c *Cgroup) remove() error {
	if c == nil {
		return nil
	}
	c.dir.Close()
	for begun := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		err := unix.Rmdir(c.path)
		switch {
		case err == nil || errors.Is(err, unix.ENOENT):
			return nil
		case !errors.Is(err, unix.EBUSY) || time.Since(begun) > emptied:
			return fmt.Errorf("remove the cgroup %s: %w", c.path, err)
		}
	}
}
