// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"context"
	"errors"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/internal/report"
)

// PackageFiles are the files of one package. Folders end in "/".
type PackageFiles struct {
	Name       string   `json:"name"`
	Version    string   `json:"version"`
	Repository string   `json:"repository,omitempty"` // "": it is installed
	Files      []string `json:"files"`
}

// PkgFiles lists the files of packages: of those that are installed, and of
// others by the files databases.
func (m *Machine) PkgFiles(ctx context.Context, w *World, names []string) ([]PackageFiles, error) {
	v, err := w.installedView()
	if err != nil {
		return nil, err
	}
	var out []PackageFiles
	var missing []error
	opened := false
	for _, name := range names {
		if p := v.local.Package(name); p != nil {
			if err := v.local.LoadFiles(p); err != nil {
				return nil, err
			}
			out = append(out, PackageFiles{p.Name, p.Version, "", nonNil(p.Files)})
			continue
		}
		if !opened {
			if err := v.open(ctx, true); err != nil {
				return nil, err
			}
			opened = true
		}
		repo, p := v.available(name)
		if p == nil {
			missing = append(missing, v.unfoundFile("there is no package "+name))
			continue
		}
		out = append(out, PackageFiles{p.Name, p.Version, repo, nonNil(p.Files)})
	}
	return out, errors.Join(missing...)
}

// unfoundFile is an error that may be for want of the files databases.
func (v *packageView) unfoundFile(what string) error {
	e := &unfoundError{what: what}
	if len(v.absent) > 0 {
		e.hint = "the lists of files of " + joinNames(v.absent) + " are not here: `rastos pkg sync --files`"
	}
	return e
}

func nonNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// Owner is a package that has a file.
type Owner struct {
	Path       string `json:"path"` // in the package, with a slash in front
	Package    string `json:"package"`
	Version    string `json:"version"`
	Repository string `json:"repository,omitempty"` // "": it is installed
}

// PkgOwns tells which packages have files. What has a slash in it is a path of
// the system; links on the way to it are followed. A bare name is that of a
// file anywhere, looked for in what is installed and then in the files
// databases.
func (m *Machine) PkgOwns(ctx context.Context, sink report.Sink, w *World, files []string) ([]Owner, error) {
	v, err := w.installedView()
	if err != nil {
		return nil, err
	}
	t, err := m.Tree(w.Root)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	o := &ownerSearch{v: v, tree: t, root: w.Root}
	var missing []error
	for _, file := range files {
		found, err := o.find(ctx, file)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			missing = append(missing, v.unfoundFile("no package owns "+file))
		}
		o.owners = append(o.owners, found...)
	}
	return o.owners, errors.Join(missing...)
}

type ownerSearch struct {
	v      *packageView
	tree   Tree
	root   string
	opened bool
	owners []Owner
}

func (o *ownerSearch) find(ctx context.Context, file string) ([]Owner, error) {
	if !strings.Contains(file, "/") {
		return o.byName(ctx, file)
	}
	rel, err := o.inside(file)
	if err != nil {
		return nil, err
	}
	return o.installed(func(f string) bool { return strings.TrimSuffix(f, "/") == rel })
}

// inside is a path below the root, its folders without links.
func (o *ownerSearch) inside(file string) (string, error) {
	if o.root == "/" || !path.IsAbs(file) {
		abs, err := filepath.Abs(file)
		if err != nil {
			return "", err
		}
		file = abs
		if rel, err := filepath.Rel(o.root, abs); err == nil && !strings.HasPrefix(rel, "..") {
			file = rel
		}
	}
	return realPath(o.tree, file)
}

// maxLinks is what the kernel follows.
const maxLinks = 40

// realPath resolves the links on the way to a name below a root, but not a link
// that the name itself is.
func realPath(t Tree, name string) (string, error) {
	todo := strings.Split(path.Clean("/" + name)[1:], "/")
	done, links := "", 0
	for i := 0; i < len(todo); i++ {
		next := path.Join(done, todo[i])
		if next == ".." || strings.HasPrefix(next, "../") {
			next = ""
		}
		target, err := t.Readlink(next)
		if next == "" || err != nil || i == len(todo)-1 {
			done = next
			continue
		}
		if links++; links > maxLinks {
			return "", errors.New(name + ": too many levels of links")
		}
		if path.IsAbs(target) {
			done = ""
		}
		todo = append(strings.Split(strings.Trim(target, "/"), "/"), todo[i+1:]...)
		i = -1
	}
	return done, nil
}

func (o *ownerSearch) byName(ctx context.Context, name string) ([]Owner, error) {
	is := func(f string) bool { return path.Base(f) == name && !strings.HasSuffix(f, "/") }
	found, err := o.installed(is)
	if err != nil || len(found) > 0 {
		return found, err
	}
	if !o.opened {
		if err := o.v.open(ctx, true); err != nil {
			return nil, err
		}
		o.opened = true
	}
	for _, r := range o.v.repos {
		for _, p := range r.db.Packages() {
			found = append(found, owned(p, r.Name, is)...)
		}
	}
	return found, nil
}

func (o *ownerSearch) installed(is func(string) bool) ([]Owner, error) {
	var out []Owner
	for _, p := range o.v.installed {
		if err := o.v.local.LoadFiles(p); err != nil {
			return nil, err
		}
		out = append(out, owned(p, "", is)...)
	}
	return out, nil
}

func owned(p *desc.Package, repo string, is func(string) bool) []Owner {
	var out []Owner
	for _, f := range p.Files {
		if is(f) {
			out = append(out, Owner{"/" + f, p.Name, p.Version, repo})
		}
	}
	slices.SortFunc(out, func(a, b Owner) int { return strings.Compare(a.Path, b.Path) })
	return out
}
