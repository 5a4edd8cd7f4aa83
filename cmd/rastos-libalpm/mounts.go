// SPDX-License-Identifier: GPL-3.0-or-later

//go:build libalpm

package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/rastos/rastos/alpm/libalpm/wire"
	"github.com/rastos/rastos/internal/host/mount"
)

// What a system's programs expect to find, with the modes that these folders
// have in Arch's filesystem package. /tmp is left as it is: libalpm cleans up
// after itself there.
var mountPoints = []struct {
	path, fstype, options string
	mode                  fs.FileMode
}{
	{"proc", "proc", "nosuid,nodev,noexec", 0o555},
	{"sys", "sysfs", "ro,nosuid,nodev,noexec", 0o555},
	{"dev", "tmpfs", "nosuid,mode=0755,size=1m", 0o755},
	{"run", "tmpfs", "nosuid,nodev,mode=0755", 0o755},
}

var devNodes = []string{"null", "zero", "full", "random", "urandom", "tty"}

// makeMounts mounts below the root, in the namespace of this thread. What a
// container around us refuses is left out: scriptlets then have to do without,
// as with pacman.
func (s *session) makeMounts() {
	for _, m := range mountPoints {
		at := filepath.Join(s.cfg.Root, m.path)
		if info, err := os.Lstat(at); err == nil && !info.IsDir() {
			continue // a link in the tree leads who knows where
		}
		if os.Mkdir(at, m.mode) == nil {
			_ = os.Chmod(at, m.mode)
			s.addMade(at)
		}
		if err := mount.Mount(m.fstype, at, m.fstype, m.options); err != nil {
			s.tellMount(at, err)
			continue
		}
		if m.path == "dev" {
			s.makeDevices(at)
		}
	}
}

// addMade: an interrupt takes them away from another thread, outside of the
// namespace, where nothing is mounted on them.
func (s *session) addMade(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.made = append(s.made, path)
}

func (s *session) makeDevices(dev string) {
	for _, n := range devNodes {
		at := filepath.Join(dev, n)
		err := os.WriteFile(at, nil, 0o666)
		if err == nil {
			err = mount.Mount(filepath.Join("/dev", n), at, "", "bind")
		}
		if err != nil {
			s.tellMount(at, err)
		}
	}
	for name, to := range map[string]string{"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2"} {
		_ = os.Symlink(to, filepath.Join(dev, name))
	}
}

// clearMountPoints takes away those that were made, but for what a package now
// owns.
func (s *session) clearMountPoints() {
	for _, m := range mountPoints {
		at := filepath.Join(s.cfg.Root, m.path)
		_ = mount.Detach(at)
		if slices.Contains(s.made, at) && !s.owned[m.path] {
			_ = os.Remove(at)
		}
	}
}

func (s *session) tellMount(at string, err error) {
	s.tell(wire.Event{Source: wire.SourceLog, Name: "debug", File: at, Text: err.Error()})
}
