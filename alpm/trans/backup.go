// SPDX-License-Identifier: GPL-3.0-or-later

package trans

import (
	"archive/tar"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/extract"
	"github.com/rastos/rastos/alpm/trans/rootfs"
)

// placing decides where each file of one package goes.
type placing struct {
	*runner
	a      *archive
	old    *desc.Package
	tree   *rootfs.Tree
	events []Event
}

func (j *placing) decide(h *tar.Header) (extract.Decision, error) {
	path, listed, err := j.a.listed(h)
	if err != nil {
		return extract.Decision{}, err
	}
	if j.noExtract.match(listed) {
		return extract.Decision{Skip: true, Gone: j.takenOut(j.old, listed)}, nil
	}
	if h.Typeflag == tar.TypeDir {
		return extract.Decision{ReplaceLink: j.linkGoes(path)}, nil
	}
	return j.decideFile(h, path)
}

// takenOut tells whether a file that NoExtract keeps out goes with the installed
// version that has it.
func (r *runner) takenOut(old *desc.Package, file string) bool {
	return old != nil && listHas(old.Files, file) && !r.noUpgrade.match(file)
}

// listed is the path of an entry, and as the list of files has it. One that is
// not there is an error: the check for conflicts went by the list.
func (a *archive) listed(h *tar.Header) (path, listed string, err error) {
	path = entryPath(h.Name)
	listed = path
	if h.Typeflag == tar.TypeDir {
		listed += "/"
	}
	if !a.has(listed) {
		err = &VerifyError{Object: a.step.Package.Entry(), Path: a.path,
			Err: fmt.Errorf("%w: %s is not in its .MTREE", ErrMismatch, path)}
	}
	return path, listed, err
}

// entryPath is the path of an entry of an archive.
func entryPath(name string) string { return strings.Trim(strings.TrimPrefix(name, "./"), "/") }

// linkGoes tells whether there is a link at path, where this package has a
// directory. That is no conflict only if the path was the installed version's,
// or another package's that gives it up, or may be overwritten; then the link
// goes, with pacman.
func (j *placing) linkGoes(path string) bool {
	if j.old == nil && !j.check.moved[path] && !j.check.forced[path] {
		return false
	}
	info, err := j.tree.Lstat(path)
	return err == nil && info.Mode()&fs.ModeSymlink != 0
}

func (j *placing) decideFile(h *tar.Header, path string) (extract.Decision, error) {
	orig, was := backupSum(j.old, path)
	is, keep := j.a.backup[path], j.noUpgrade.match(path)
	d := extract.Decision{MD5: is}
	if !was && !is && !keep {
		return d, nil
	}
	info, err := j.tree.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.IsDir() {
		return d, nil // new; a directory in the way is for the extraction to refuse
	}
	switch {
	case err != nil:
		return d, err
	case keep:
		return j.pacnew(path), nil
	case !is:
		return d, j.giveUp(path, orig)
	case h.Typeflag != tar.TypeReg:
		return j.decideLink(h, path, d)
	default:
		d.Settle = func(shipped string) (extract.Decision, error) { return j.settleFile(path, orig, shipped) }
	}
	return d, nil
}

// giveUp handles what was a backup file and is an ordinary one now. pacman
// removes it with the old version, and keeps it as .pacsave if it was changed.
func (j *placing) giveUp(path, orig string) error {
	local, err := j.tree.MD5(path)
	if err != nil || local == "" || local == orig || j.opt.NoSave {
		return err
	}
	return j.save(j.old, path)
}

// settleFile compares three versions of a backup file: as the installed
// package shipped it (orig), as it is, and as the new package ships it.
func (j *placing) settleFile(path, orig, shipped string) (extract.Decision, error) {
	local, err := j.tree.MD5(path)
	if err != nil {
		return extract.Decision{}, err
	}
	before := j.tree.Identity(pacnewName(path)) != ""
	switch {
	case local == shipped, orig != "" && orig == local && orig != shipped:
		// The same, and replaced for its times; or only the package changed it.
		// A .pacnew of an earlier version has had its time.
		if before && !blocked(j.tree, pacnewName(path)) {
			err = j.tree.Remove(pacnewName(path))
		}
		return extract.Decision{}, err
	case orig != "" && orig == shipped && before:
		return j.beside(path), nil
	case orig != "" && orig == shipped: // only the person changed it
		return extract.Decision{Skip: true}, nil
	}
	return j.pacnew(path), nil
}

// decideLink handles a link among the backup files: there is no content to
// compare but where it leads.
func (j *placing) decideLink(h *tar.Header, path string, d extract.Decision) (extract.Decision, error) {
	if to, err := j.tree.Readlink(path); err == nil && to == h.Linkname {
		return d, nil
	}
	as := j.pacnew(path)
	d.As, d.Skip = as.As, as.Skip
	return d, nil
}

// pacnew puts a package's file beside the one that is kept, and tells of it.
func (j *placing) pacnew(path string) extract.Decision {
	d := j.beside(path)
	if !d.Skip {
		j.events = append(j.events, pacnewEvent(j.a.info.Name, path))
	}
	return d
}

// beside is where a file goes whose name is kept. An empty directory there is no
// obstacle; with one that has something in it the file is left out.
func (j *placing) beside(path string) extract.Decision {
	as := pacnewName(path)
	if blocked(j.tree, as) {
		j.events = append(j.events, blockedEvent(j.a.info.Name, as))
		return extract.Decision{Skip: true}
	}
	if info, err := j.tree.Lstat(as); err == nil && info.IsDir() {
		_ = j.tree.Remove(as + "/")
	}
	j.a.aside = append(j.a.aside, path)
	return extract.Decision{As: as}
}

// blocked tells whether there is a directory at path that something is in.
func blocked(t *rootfs.Tree, path string) bool {
	info, err := t.Lstat(path)
	if err != nil || !info.IsDir() {
		return false
	}
	empty, err := t.Empty(path)
	return err != nil || !empty
}

func blockedEvent(pkg, path string) Event {
	return Event{Kind: EventWarning, Name: pkg, Path: path, About: AboutBlocked,
		Text: "the package's version of the file that was kept is left out: /" + path + " is a directory"}
}

// pacnewEvent tells that a package's version of a file is put beside it.
func pacnewEvent(pkg, path string) Event {
	return Event{Kind: EventPacnew, Name: pkg, Path: pacnewName(path),
		Text: "/" + path + " was kept; the package's version is beside it"}
}

func pacnewName(path string) string { return path + ".pacnew" }

// backupSum looks a path up among the backup files of an installed package.
func backupSum(p *desc.Package, path string) (md5 string, listed bool) {
	if p == nil {
		return "", false
	}
	for _, b := range p.Backup {
		if b.Path == path {
			return b.MD5, true
		}
	}
	return "", false
}
