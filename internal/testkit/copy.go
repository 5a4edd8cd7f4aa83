// SPDX-License-Identifier: GPL-3.0-or-later

package testkit

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// CopyTree copies a tree of folders, files and links with their modes, owners and
// times, as cp -a does; without the process, which takes longer than a small tree.
func CopyTree(to, from string) error {
	var folders []string // whose times come last: what is made in them changes them
	err := filepath.WalkDir(from, func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		if e.IsDir() {
			folders = append(folders, p)
		}
		return copyOne(filepath.Join(to, p[len(from):]), p, info)
	})
	for _, p := range folders {
		info, statErr := os.Stat(p)
		if statErr == nil {
			at := filepath.Join(to, p[len(from):])
			statErr = errors.Join(os.Chmod(at, info.Mode()), os.Chtimes(at, info.ModTime(), info.ModTime()))
		}
		err = errors.Join(err, statErr)
	}
	return err
}

func copyOne(to, from string, info fs.FileInfo) error {
	var err error
	switch info.Mode().Type() {
	case fs.ModeDir:
		err = os.Mkdir(to, 0o700)
	case fs.ModeSymlink:
		var target string
		if target, err = os.Readlink(from); err == nil {
			err = os.Symlink(target, to)
		}
	default:
		var data []byte
		if data, err = os.ReadFile(from); err == nil {
			err = os.WriteFile(to, data, 0o600)
		}
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && err == nil && os.Geteuid() == 0 {
		err = os.Lchown(to, int(st.Uid), int(st.Gid))
	}
	if err != nil || !info.Mode().IsRegular() {
		return err
	}
	return errors.Join(os.Chmod(to, info.Mode()), os.Chtimes(to, info.ModTime(), info.ModTime()))
}
