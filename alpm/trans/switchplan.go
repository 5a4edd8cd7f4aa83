// SPDX-License-Identifier: GPL-3.0-or-later

package trans

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/rastos/rastos/alpm/desc"
)

// switching works out, from what the tree holds now, what the switch of some
// steps changes in it. Nothing is changed here: the operations are written to
// the journal first.
type switching struct {
	*runner
	moved map[string]bool // fileCheck.moved
	// leaves are the paths that the operations so far take away; in the tree
	// they are still there.
	leaves map[string]bool
	// rmdirs are the directories that operations of this run may have removed.
	rmdirs map[string]bool
	ops    []operation
}

func (w *switching) add(op operation) { w.ops = append(w.ops, op) }

// take returns the operations of one step.
func (w *switching) take() []operation {
	ops := w.ops
	w.ops = nil
	return ops
}

// removal takes a package out, the files before their directories.
func (w *switching) removal(p *desc.Package) error {
	for _, f := range slices.Backward(p.Files) {
		if w.noUpgrade.match(f) {
			continue
		}
		if err := w.goes(p, nil, f); err != nil {
			return err
		}
	}
	return nil
}

// goes takes away one path of an installed package; with new, it is obsolete
// in an upgrade.
func (w *switching) goes(p, new *desc.Package, f string) error {
	path := strings.TrimSuffix(f, "/")
	if w.leaves[path] {
		return nil
	}
	info, err := w.tree.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("look at /%s: %w", path, err)
	case info.IsDir() && new != nil && listHas(new.Files, f):
		return nil // a person's, in the place of a file that NoExtract keeps out
	case info.IsDir():
		return w.dirGoes(p, new, path)
	}
	// A link that a person put in a directory's place goes too, as with pacman.
	if sum, listed := backupSum(p, path); listed && !w.opt.NoSave {
		local, err := w.tree.MD5(path)
		if err != nil {
			return fmt.Errorf("read /%s: %w", path, err)
		}
		if local != "" && local != sum {
			return w.save(p, path)
		}
	}
	w.leaves[path] = true
	w.add(operation{Do: opRemove, Path: path, ID: w.tree.Identity(path)})
	return nil
}

// dirGoes takes away a directory that nobody else has. Whether it is empty
// shows when its turn comes.
func (w *switching) dirGoes(p, new *desc.Package, path string) error {
	if new != nil && listHas(new.Files, path+"/") || w.tree.IsMountPoint(path) {
		return nil
	}
	owned, err := w.dirs.byOther(p, path+"/")
	if err != nil || owned {
		return err
	}
	w.rmdirs[path] = true
	w.add(operation{Do: opRmdir, Path: path, ID: w.tree.Identity(path)})
	return nil
}

// save keeps a changed file as .pacsave; earlier ones move on.
func (w *switching) save(p *desc.Package, path string) error {
	name := func(n int) string { return path + pacsave(n) }
	last, err := lastPacsave(w.tree, path)
	if err != nil {
		return err
	}
	for n := last + 1; n > 0; n-- {
		if id := w.tree.Identity(name(n - 1)); id != "" {
			w.add(operation{Do: opRename, Path: name(n - 1), To: name(n), ID: id})
		}
	}
	w.leaves[path] = true
	w.add(operation{Do: opRename, Path: path, To: name(0), ID: w.tree.Identity(path),
		tell: &Event{Kind: EventPacsave, Name: p.Name, Path: name(0), Text: "/" + path + " was changed and is kept"}})
	return nil
}

// put brings the files of a staged package to their places; old is its
// installed version, if it is upgraded.
func (w *switching) put(p *stagedPackage, old *desc.Package) error {
	if old != nil {
		if err := w.clearWay(p.entry, old); err != nil {
			return err
		}
	}
	for i := range p.Files {
		f := &p.Files[i]
		if f.Dir != nil {
			w.dir(f)
			continue
		}
		if f.Keep != nil {
			w.add(operation{Do: opDress, Path: f.Path, ID: f.Inode, Dir: f.Keep})
			continue
		}
		if f.Unlinked {
			w.unlinked(p.entry, old, f.Path)
			continue
		}
		if err := w.file(p, old, f); err != nil {
			return err
		}
	}
	if old != nil {
		return w.obsolete(p.entry, old)
	}
	return nil
}

// unlinked is runner.unlinked.
func (w *switching) unlinked(new, old *desc.Package, path string) {
	if !w.leaves[path] && w.leftByNone(new, old, path) {
		w.leaves[path] = true
		w.add(operation{Do: opRemove, Path: path, ID: w.tree.Identity(path)})
	}
}

// clearWay is runner.clearWay.
func (w *switching) clearWay(new, old *desc.Package) error {
	for _, f := range old.Files {
		dir := strings.TrimSuffix(f, "/")
		if dir == f {
			if err := w.fileForDir(new, old, f); err != nil {
				return err
			}
			continue
		}
		info, err := w.tree.Lstat(dir)
		if err != nil || !(info.IsDir() && listHas(new.Files, dir) || info.Mode()&fs.ModeSymlink != 0 && listHas(new.Files, f)) {
			continue
		}
		for _, g := range slices.Backward(old.Files) {
			if strings.HasPrefix(g, f) {
				if err := w.goes(old, new, g); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// fileForDir takes away a file of the old version where the new one has a
// directory: changed, it is kept as .pacsave.
func (w *switching) fileForDir(new, old *desc.Package, f string) error {
	if !listHas(new.Files, f+"/") || w.noUpgrade.match(f) {
		return nil
	}
	if info, err := w.tree.Lstat(f); err != nil || info.IsDir() {
		return nil
	}
	return w.goes(old, new, f)
}

// dir makes a directory that is not there, or may not be when its turn comes.
func (w *switching) dir(f *stagedFile) {
	if !f.Late && !w.rmdirs[f.Path] {
		if info, err := w.tree.Lstat(f.Path); err == nil && info.IsDir() {
			return
		}
		if _, err := w.tree.Dir(f.Path); err == nil {
			return // a link to one
		}
	}
	w.add(operation{Do: opMkdir, Path: f.Path, Dir: f.Dir, Unlink: f.Unlink})
}

// file decides what becomes of a staged file, as placing.decideFile does.
func (w *switching) file(p *stagedPackage, old *desc.Package, f *stagedFile) error {
	move := operation{Do: opMove, Path: f.Temp, To: f.Path}
	orig, was := backupSum(old, f.Path)
	shipped, is := backupSum(p.entry, f.Path)
	keep := w.noUpgrade.match(f.Path)
	if !was && !is && !keep || w.leaves[f.Path] {
		w.add(move)
		return nil
	}
	info, err := w.tree.Lstat(f.Path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.IsDir() {
		w.add(move)
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at /%s: %w", f.Path, err)
	}
	switch {
	case keep:
		w.pacnew(p, move)
		return nil
	case !is:
		return w.giveUp(old, f, orig, move)
	case !f.Plain:
		if to, err := w.tree.Readlink(f.Path); err == nil && to == f.Link {
			w.add(move)
		} else {
			w.pacnew(p, move)
		}
		return nil
	}
	local, err := w.tree.MD5(f.Path)
	before := w.tree.Identity(pacnewName(f.Path))
	switch {
	case err != nil:
		return fmt.Errorf("read /%s: %w", f.Path, err)
	case local == shipped, orig != "" && orig == local && orig != shipped:
		w.add(move) // the same, or only the package changed it
		if before != "" && !blocked(w.tree, pacnewName(f.Path)) {
			w.add(operation{Do: opRemove, Path: pacnewName(f.Path), ID: before}) // of an earlier version
		}
	case orig != "" && orig == shipped && before == "":
		w.add(operation{Do: opDrop, Path: f.Temp}) // only the person changed it
	case orig != "" && orig == shipped: // in an earlier one's place
		w.beside(p, move, nil)
	default:
		w.pacnew(p, move)
	}
	return nil
}

func (w *switching) giveUp(old *desc.Package, f *stagedFile, orig string, move operation) error {
	local, err := w.tree.MD5(f.Path)
	if err != nil {
		return fmt.Errorf("read /%s: %w", f.Path, err)
	}
	if local != "" && local != orig && !w.opt.NoSave {
		if err := w.save(old, f.Path); err != nil {
			return err
		}
	}
	w.add(move)
	return nil
}

func (w *switching) pacnew(p *stagedPackage, move operation) {
	event := pacnewEvent(p.Name, move.To)
	w.beside(p, move, &event)
}

// beside is placing.beside.
func (w *switching) beside(p *stagedPackage, move operation, tell *Event) {
	move.To, move.tell = pacnewName(move.To), tell
	if blocked(w.tree, move.To) {
		event := blockedEvent(p.Name, move.To)
		move = operation{Do: opDrop, Path: move.Path, tell: &event}
	}
	w.add(move)
}

// obsolete takes away what the old version had and the new one has not.
func (w *switching) obsolete(new, old *desc.Package) error {
	written := w.realNames(new.Files, old)
	for _, f := range slices.Backward(old.Files) {
		path := strings.TrimSuffix(f, "/")
		if w.stays(new, new.Files, path) || w.noUpgrade.match(f) || w.moved[path] {
			continue
		}
		if written != nil {
			if real, err := w.tree.RealPath(path); err == nil && written[real] {
				continue
			}
		}
		if err := w.goes(old, new, f); err != nil {
			return err
		}
	}
	return nil
}
