// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"errors"
	"io/fs"
	"strings"
)

// splitTree is a node's tree with the /etc of a deployment in it.
type splitTree struct {
	Tree      // all but etc
	etc  Tree // an /etc itself
}

// of tells which tree has a name, and as what.
func (s splitTree) of(name string) (Tree, string) {
	name = strings.TrimLeft(name, "/")
	if name == "etc" {
		return s.etc, "."
	}
	if below, ok := strings.CutPrefix(name, "etc/"); ok {
		return s.etc, below
	}
	return s.Tree, name
}

func (s splitTree) ReadFile(name string) ([]byte, error) {
	t, at := s.of(name)
	return t.ReadFile(at)
}

func (s splitTree) WriteFile(name string, data []byte, perm fs.FileMode) error {
	t, at := s.of(name)
	return t.WriteFile(at, data, perm)
}

func (s splitTree) MkdirAll(name string, perm fs.FileMode) error {
	t, at := s.of(name)
	if at == "." {
		return nil
	}
	return t.MkdirAll(at, perm)
}

func (s splitTree) Symlink(target, name string) error {
	t, at := s.of(name)
	return t.Symlink(target, at)
}

func (s splitTree) Readlink(name string) (string, error) {
	t, at := s.of(name)
	return t.Readlink(at)
}

func (s splitTree) Lstat(name string) (fs.FileInfo, error) {
	t, at := s.of(name)
	return t.Lstat(at)
}

func (s splitTree) ReadDir(name string) ([]fs.DirEntry, error) {
	t, at := s.of(name)
	return t.ReadDir(at)
}

func (s splitTree) Remove(name string) error {
	t, at := s.of(name)
	return t.Remove(at)
}

func (s splitTree) RemoveAll(name string) error {
	t, at := s.of(name)
	return t.RemoveAll(at)
}

func (s splitTree) Chown(name string, uid, gid int) error {
	t, at := s.of(name)
	return t.Chown(at, uid, gid)
}

func (s splitTree) Chmod(name string, mode fs.FileMode) error {
	t, at := s.of(name)
	return t.Chmod(at, mode)
}

// Close gives both back.
func (s splitTree) Close() error { return errors.Join(s.Tree.Close(), s.etc.Close()) }
