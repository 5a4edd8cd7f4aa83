// SPDX-License-Identifier: GPL-3.0-or-later

package trans

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/extract"
	"github.com/rastos/rastos/alpm/scriptlet"
	"github.com/rastos/rastos/alpm/trans/rootfs"
)

// removeAll removes packages, in the order of the plan.
func (r *runner) removeAll(ctx context.Context) error {
	for _, rm := range r.plan.Remove {
		name := rm.Package.Name
		if ctx.Err() != nil {
			return r.failed("remove", name, context.Cause(ctx))
		}
		r.tell(Event{Kind: EventRemove, Name: name, Text: rm.Package.Version, Done: int64(r.done + 1), Total: int64(r.total)})
		if err := r.removeOne(ctx, r.local.Package(name)); err != nil {
			return r.failed("remove", name, err)
		}
		n := r.finished()
		r.tell(Event{Kind: EventRemove, Name: name, Done: int64(n), Total: int64(r.total), Finished: true})
	}
	return nil
}

func (r *runner) removeOne(ctx context.Context, p *desc.Package) error {
	install, err := r.local.Install(p)
	if err != nil {
		return err
	}
	if err := r.script(ctx, p.Name, install, scriptlet.PreRemove, p.Version); err != nil {
		return err
	}
	if !r.opt.DBOnly {
		for _, f := range slices.Backward(p.Files) {
			if r.noUpgrade.match(f) {
				continue
			}
			if err := r.removeFile(p, nil, f); err != nil {
				return err
			}
		}
		r.tree.Forget()
	}
	// pacman runs post_remove before it forgets the package; so does this, and
	// forgets it even if that was interrupted: its files are gone.
	scriptErr := r.script(ctx, p.Name, install, scriptlet.PostRemove, p.Version)
	r.dirs.forget(p.Name)
	if r.isReplaced(p.Name) {
		// Its entry goes when its replacement has one: after a crash in between,
		// the next upgrade finds it and replaces it again.
		r.pending[p.Name] = true
		return scriptErr
	}
	return errors.Join(r.local.Remove(p.Name), scriptErr)
}

func (r *runner) isReplaced(name string) bool {
	return slices.ContainsFunc(r.plan.Install, func(st Step) bool { return slices.Contains(st.Replaces, name) })
}

// forgetReplaced removes the entries that waited for this package's.
func (r *runner) forgetReplaced(st *Step) error {
	for _, name := range st.Replaces {
		if !r.pending[name] {
			continue
		}
		delete(r.pending, name)
		if err := r.local.Remove(name); err != nil {
			return err
		}
	}
	return nil
}

// removeObsolete removes what the old version had and the new one has not.
func (r *runner) removeObsolete(a *archive, old *desc.Package) error {
	written := r.realNames(a.files, old)
	for _, f := range slices.Backward(old.Files) {
		path := strings.TrimSuffix(f, "/")
		switch {
		case r.stays(a.info, a.files, path), r.noUpgrade.match(f), r.check.moved[path]:
			continue
		}
		if written != nil {
			if real, err := r.tree.RealPath(path); err == nil && written[real] {
				continue
			}
		}
		if err := r.removeFile(old, a, f); err != nil {
			return err
		}
	}
	r.tree.Forget()
	return nil
}

// unlinked takes away what is where a hard link could not be made. Left there, a
// file of the old version would pass for one of the new.
func (r *runner) unlinked(new, old *desc.Package, list []extract.Unlinked) error {
	for _, l := range list {
		path := entryPath(l.Path)
		if !r.leftByNone(new, old, path) {
			continue
		}
		if err := r.tree.Remove(path); err != nil {
			return fmt.Errorf("remove /%s: %w", path, err)
		}
	}
	return nil
}

// leftByNone tells whether there is something at a path that neither NoUpgrade
// nor a list of backup files keeps.
func (r *runner) leftByNone(new, old *desc.Package, path string) bool {
	_, is := backupSum(new, path)
	_, was := backupSum(old, path)
	info, err := r.tree.Lstat(path)
	return err == nil && !info.IsDir() && !is && !was && !r.noUpgrade.match(path)
}

// stays tells whether a path of the old version is one of the new version, too.
// What NoExtract keeps out goes, unless it is a backup file.
func (r *runner) stays(new *desc.Package, files []string, path string) bool {
	if listHas(files, path) {
		_, backup := backupSum(new, path)
		return backup || !r.noExtract.match(path)
	}
	return listHas(files, path+"/") && !r.noExtract.match(path+"/")
}

// realNames are the new version's files by where they really are, if that is
// not where its list has them: an obsolete name may lead to one of them. It is
// nil where no link is on the way.
func (r *runner) realNames(files []string, old *desc.Package) map[string]bool {
	links := false
	for _, list := range [][]string{files, old.Files} {
		last := ""
		for _, f := range list {
			dir, _ := rootfs.SplitPath(f)
			if dir == last {
				continue
			}
			last = dir
			if real, err := r.tree.Dir(dir); err == nil && real != dir && dir != "" {
				links = true
			}
		}
	}
	if !links {
		return nil
	}
	names := make(map[string]bool, len(files))
	for _, f := range files {
		if r.noExtract.match(f) {
			continue
		}
		if real, err := r.tree.RealPath(f); err == nil {
			names[real] = true
		}
	}
	return names
}

// clearWay makes room where a directory of the old version is to be something
// else: the new version has a file there, or a person has put a link to
// another directory there, which the new version's directory replaces. What
// the old version has in it goes before the extraction.
func (r *runner) clearWay(a *archive, old *desc.Package, t *rootfs.Tree) error {
	for _, f := range old.Files {
		dir := strings.TrimSuffix(f, "/")
		if dir == f {
			if err := r.fileForDir(a, old, f); err != nil {
				return err
			}
			continue
		}
		info, err := t.Lstat(dir)
		if err != nil || !(info.IsDir() && a.has(dir) || info.Mode()&fs.ModeSymlink != 0 && a.has(f)) {
			continue
		}
		for _, g := range slices.Backward(old.Files) {
			if strings.HasPrefix(g, f) {
				if err := r.removeFile(old, a, g); err != nil {
					return err
				}
			}
		}
		t.Forget()
	}
	return nil
}

// fileForDir takes away a file of the old version where the new one has a
// directory: changed, it is kept as .pacsave.
func (r *runner) fileForDir(a *archive, old *desc.Package, f string) error {
	if !a.has(f+"/") || r.noUpgrade.match(f) {
		return nil
	}
	if info, err := r.tree.Lstat(f); err != nil || info.IsDir() {
		return nil
	}
	return r.removePlain(old, f)
}

// removeFile removes one path of an installed package p; with a, it is
// obsolete in an upgrade. A directory goes only if nothing is in it and
// nobody else has it.
func (r *runner) removeFile(p *desc.Package, a *archive, f string) error {
	path := strings.TrimSuffix(f, "/")
	info, err := r.tree.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at /%s: %w", path, err)
	}
	if info.IsDir() && a != nil && a.has(f) {
		return nil // a person's, in the place of a file that NoExtract keeps out
	}
	if info.IsDir() {
		return r.removeDir(p, a, path)
	}
	// A link that a person put in a directory's place goes too, as with pacman.
	return r.removePlain(p, path)
}

func (r *runner) removeDir(p *desc.Package, a *archive, path string) error {
	empty, err := r.tree.Empty(path)
	if err != nil {
		return fmt.Errorf("look into /%s: %w", path, err)
	}
	if !empty || a != nil && a.has(path+"/") || r.tree.IsMountPoint(path) {
		return nil
	}
	owned, err := r.dirs.byOther(p, path+"/")
	if err != nil || owned {
		return err
	}
	err = r.tree.Remove(path + "/")
	if errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, syscall.EBUSY) {
		return nil // filled meanwhile, or in use as a mount point elsewhere
	}
	if err != nil {
		return fmt.Errorf("remove /%s: %w", path, err)
	}
	return nil
}

func (r *runner) removePlain(p *desc.Package, path string) error {
	if sum, listed := backupSum(p, path); listed && !r.opt.NoSave {
		local, err := r.tree.MD5(path)
		if err != nil {
			return fmt.Errorf("read /%s: %w", path, err)
		}
		if local != "" && local != sum {
			return r.save(p, path)
		}
	}
	if err := r.tree.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove /%s: %w", path, err)
	}
	return nil
}

// save keeps a changed file as .pacsave; earlier ones move on to .pacsave.1,
// .pacsave.2, …
func (r *runner) save(p *desc.Package, path string) error {
	_, base := rootfs.SplitPath(path)
	last, err := lastPacsave(r.tree, path)
	if err != nil {
		return err
	}
	for n := last + 1; n > 0; n-- {
		err := r.tree.Rename(path+pacsave(n-1), base+pacsave(n))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("move on /%s: %w", path+pacsave(n-1), err)
		}
	}
	if err := r.tree.Rename(path, base+pacsave(0)); err != nil {
		return fmt.Errorf("save /%s: %w", path, err)
	}
	r.tell(Event{Kind: EventPacsave, Name: p.Name, Path: path + pacsave(0), Text: "/" + path + " was changed and is kept"})
	return nil
}

// pacsave is the ending of the nth file that was saved before the last one.
func pacsave(n int) string {
	if n == 0 {
		return ".pacsave"
	}
	return ".pacsave." + strconv.Itoa(n)
}

// lastPacsave is the highest number of the saved files beside path.
func lastPacsave(t *rootfs.Tree, path string) (last int, err error) {
	dir, base := rootfs.SplitPath(path)
	entries, err := t.Names(dir)
	if err != nil {
		return 0, fmt.Errorf("look for files that were saved before /%s: %w", path, err)
	}
	for _, e := range entries {
		if n, ok := strings.CutPrefix(e.Name(), base+pacsave(0)+"."); ok {
			if n, err := strconv.Atoi(n); err == nil {
				last = max(last, n)
			}
		}
	}
	return last, nil
}
