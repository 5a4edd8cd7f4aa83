// SPDX-License-Identifier: GPL-3.0-or-later

// Package esptest is what tests of the EFI system partition share: the contract
// that every backend of boot.ESP keeps (Run), and a partition in memory that
// can be full, can be cut after any effect, and then shows a rename half done,
// as FAT does.
package esptest

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"sort"
	"strings"
	"time"
)

// ErrCut is what every call returns once the power is off.
var ErrCut = errors.New("the power was cut")

// RenameCut is what a cut in the middle of a rename leaves.
type RenameCut int

// The three ways.
const (
	OldName RenameCut = iota
	BothNames
	NeitherName
)

// Memory is a partition in memory.
type Memory struct {
	Size   int64 // bytes; 0 means 64 MiB
	Cut    int   // effects until the power goes; 0 means never
	AtCut  RenameCut
	Writes int // effects so far
	files  map[string]file
}

type file struct {
	name string // as written; keys are folded
	dir  bool
	data []byte
}

func clean(name string) string {
	return strings.Trim(path.Clean("/"+strings.ReplaceAll(name, `\`, "/")), "/")
}

func key(name string) string { return strings.ToLower(clean(name)) }

func (m *Memory) get(name string) (file, bool) {
	if key(name) == "" {
		return file{dir: true}, true
	}
	f, ok := m.files[key(name)]
	return f, ok
}

func (m *Memory) put(name string, f file) {
	if m.files == nil {
		m.files = map[string]file{}
	}
	if old, ok := m.files[key(name)]; ok {
		f.name = old.name // FAT keeps the case of the first writer
	} else {
		f.name = path.Base(clean(name))
	}
	m.files[key(name)] = f
}

func notExist(op, name string) error { return &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist} }

// effect counts; done says that this is the one that is cut in the middle.
func (m *Memory) effect() (now bool, err error) {
	if m.Cut > 0 && m.Writes >= m.Cut {
		return false, ErrCut
	}
	m.Writes++
	return m.Writes == m.Cut, nil
}

func (m *Memory) alive() error {
	if m.Cut > 0 && m.Writes >= m.Cut {
		return ErrCut
	}
	return nil
}

// ReadFile is boot.ESP's.
func (m *Memory) ReadFile(name string) ([]byte, error) {
	if err := m.alive(); err != nil {
		return nil, err
	}
	f, ok := m.get(name)
	switch {
	case !ok:
		return nil, notExist("read", name)
	case f.dir:
		return nil, fmt.Errorf("read %s: it is a folder", name)
	}
	return bytes.Clone(f.data), nil
}

// WriteFile is boot.ESP's; a cut leaves half of the file.
func (m *Memory) WriteFile(name string, data []byte) error {
	parent, ok := m.get(path.Dir(clean(name)))
	if !ok || !parent.dir {
		return notExist("write", name)
	}
	old, exists := m.get(name)
	if exists && old.dir {
		return fmt.Errorf("write %s: it is a folder", name)
	}
	if free, _ := m.free(); int64(len(data)) > free+int64(len(old.data)) {
		return fmt.Errorf("write %s: no space left on device", name)
	}
	cut, err := m.effect()
	if err != nil {
		return err
	}
	if cut {
		m.put(name, file{data: bytes.Clone(data[:len(data)/2])})
		return ErrCut
	}
	m.put(name, file{data: bytes.Clone(data)})
	return nil
}

// Remove is boot.ESP's.
func (m *Memory) Remove(name string) error {
	f, ok := m.get(name)
	if !ok {
		return notExist("remove", name)
	}
	if f.dir && len(m.children(name)) > 0 {
		return fmt.Errorf("remove %s: the folder is not empty", name)
	}
	cut, err := m.effect()
	if err != nil {
		return err
	}
	delete(m.files, key(name))
	if cut {
		return ErrCut
	}
	return nil
}

// Rename is boot.ESP's; a cut leaves what AtCut says.
func (m *Memory) Rename(from, to string) error {
	f, ok := m.get(from)
	if !ok {
		return notExist("rename", from)
	}
	if target, ok := m.get(to); ok && target.dir {
		return fmt.Errorf("rename %s: %s is a folder", from, to)
	}
	if parent, ok := m.get(path.Dir(clean(to))); !ok || !parent.dir {
		return notExist("rename", to)
	}
	cut, err := m.effect()
	if err != nil {
		return err
	}
	if !cut || m.AtCut != BothNames && m.AtCut != OldName {
		delete(m.files, key(from))
	}
	if !cut || m.AtCut == BothNames {
		delete(m.files, key(to))
		m.put(to, f)
	}
	if cut {
		return ErrCut
	}
	return nil
}

func (m *Memory) children(dir string) []string {
	prefix := key(dir) + "/"
	if key(dir) == "" {
		prefix = ""
	}
	var names []string
	for k := range m.files {
		if rest, ok := strings.CutPrefix(k, prefix); ok && rest != "" && !strings.Contains(rest, "/") {
			names = append(names, k)
		}
	}
	sort.Strings(names)
	return names
}

// ReadDir is boot.ESP's.
func (m *Memory) ReadDir(dir string) ([]fs.FileInfo, error) {
	if err := m.alive(); err != nil {
		return nil, err
	}
	f, ok := m.get(dir)
	switch {
	case !ok:
		return nil, notExist("read folder", dir)
	case !f.dir:
		return nil, fmt.Errorf("read folder %s: it is a file", dir)
	}
	var infos []fs.FileInfo
	for _, k := range m.children(dir) {
		infos = append(infos, info{m.files[k]})
	}
	return infos, nil
}

// MkdirAll is boot.ESP's.
func (m *Memory) MkdirAll(dir string) error {
	var at string
	for part := range strings.SplitSeq(clean(dir), "/") {
		at = path.Join(at, part)
		f, ok := m.get(at)
		switch {
		case ok && f.dir:
			continue
		case ok:
			return fmt.Errorf("make folder %s: %s is a file", dir, at)
		}
		if _, err := m.effect(); err != nil {
			return err
		}
		m.put(at, file{dir: true})
	}
	return m.alive()
}

// Free is boot.ESP's.
func (m *Memory) Free() (int64, error) { return m.free() }

func (m *Memory) free() (int64, error) {
	size := m.Size
	if size == 0 {
		size = 64 << 20
	}
	for _, f := range m.files {
		size -= int64(len(f.data))
	}
	return size, m.alive()
}

// Sync is boot.ESP's.
func (m *Memory) Sync() error { return m.alive() }

// Restore gives the power back.
func (m *Memory) Restore() { m.Cut, m.Writes = 0, 0 }

type info struct{ f file }

func (i info) Name() string       { return i.f.name }
func (i info) Size() int64        { return int64(len(i.f.data)) }
func (i info) ModTime() time.Time { return time.Time{} }
func (i info) IsDir() bool        { return i.f.dir }
func (i info) Sys() any           { return nil }

func (i info) Mode() fs.FileMode {
	if i.f.dir {
		return fs.ModeDir | 0o755
	}
	return 0o644
}
