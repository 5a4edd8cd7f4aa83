// SPDX-License-Identifier: GPL-3.0-or-later

package fat32

import (
	"io/fs"
	"strings"
	"syscall"
)

// Rename gives a file or directory another name, in another directory too. A
// file of that name is replaced; a directory is not. A power cut in the middle
// leaves both names, never none.
func (f *FS) Rename(old, new string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return fail("rename "+old+" to", new, f.rename(old, new))
}

func (f *FS) rename(old, new string) error {
	from, e, _, err := f.lookup(old)
	if err != nil {
		return err
	}
	if e == nil {
		return fs.ErrNotExist
	}
	if inside(clean(new), clean(old)) && e.isDir() {
		return syscall.EINVAL
	}
	to, there, base, err := f.lookup(new)
	if err != nil {
		return err
	}
	if to.cluster == from.cluster {
		to = from // one directory in memory, not two that forget each other's changes
	}
	if _, err := encodeName(base); err != nil {
		return err
	}
	switch {
	case there != nil && to == from && there.from == e.from:
		return f.respell(from, e, base)
	case there != nil && (there.isDir() || e.isDir()):
		return fs.ErrExist
	case there != nil:
		return f.takeOver(from, e, to, there)
	}
	if err := to.insert(base, e.attr, e.cluster, e.size, e.mtime); err != nil {
		return err
	}
	if e.isDir() && to != from {
		if err := f.reparent(e.cluster, to); err != nil {
			return err
		}
	}
	return from.erase(e)
}

func inside(name, dir string) bool {
	return len(name) > len(dir) && name[len(dir)] == '/' && strings.EqualFold(name[:len(dir)], dir)
}

// respell changes the case of a name, or gives a long name for its alias.
func (f *FS) respell(d *dir, e *entry, base string) error {
	if e.name == base {
		return nil
	}
	if err := d.erase(e); err != nil {
		return err
	}
	return d.insert(base, e.attr, e.cluster, e.size, e.mtime)
}

// takeOver makes the entry of the target lead to the contents of the source.
func (f *FS) takeOver(from *dir, e *entry, to *dir, there *entry) error {
	gone, err := f.contents(there)
	if err != nil {
		return err
	}
	if err := to.point(there, e.cluster, e.size, e.mtime); err != nil {
		return err
	}
	if err := from.erase(e); err != nil {
		return err
	}
	f.release(gone)
	return f.flush()
}

// reparent changes what ".." of a directory holds.
func (f *FS) reparent(cluster uint32, parent *dir) error {
	d, err := f.readDir(cluster)
	if err != nil {
		return err
	}
	slot := d.slot(1)
	if string(slot[:2]) != ".." {
		return ErrDamaged
	}
	setCluster(slot, f.upward(parent))
	return d.writeBack(1, 2)
}
