// SPDX-License-Identifier: GPL-3.0-or-later

package trans

import (
	"errors"
	"io/fs"
	"sort"
	"strings"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/localdb"
	"github.com/rastos/rastos/alpm/trans/rootfs"
)

// fileCheck decides whether every file of a plan may be put where it belongs.
type fileCheck struct {
	tree      *rootfs.Tree
	local     *localdb.DB
	archives  []*archive
	old       map[string]*desc.Package // by name: installed versions of targets, files loaded
	removed   []*desc.Package          // files loaded
	overwrite patterns
	noExtract patterns
	// moved holds paths that go from one package of the plan to another: the
	// upgrade of the first must not remove them.
	moved map[string]bool
	// forced are paths of directories for which something else goes, by
	// permission or since the new version lists them as backup files.
	forced map[string]bool
	// overlap: two packages bring the same file, by permission, or one puts a
	// file below another's link; then the order of extraction decides.
	overlap bool

	found []FileConflict
}

func (c *fileCheck) run() error {
	c.moved, c.forced = map[string]bool{}, map[string]bool{}
	among := c.targets()
	for _, a := range c.archives {
		c.found = append(c.found, among[a]...)
		if err := c.root(a); err != nil {
			return err
		}
	}
	if len(c.found) > 0 {
		return &FileConflictError{Conflicts: c.found}
	}
	return nil
}

// root checks one package against the root: all its paths if it is new, else
// those that its installed version does not have.
func (c *fileCheck) root(a *archive) error {
	old := c.old[a.info.Name]
	skip := "" // below a file that becomes a directory, nothing can be in the way
	for _, f := range a.files {
		if old != nil && listHas(old.Files, f) {
			if err := c.stillFile(a, f); err != nil {
				return err
			}
			continue
		}
		if skip != "" && strings.HasPrefix(f, skip) {
			continue
		}
		info, err := c.tree.Lstat(f)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		wantDir := strings.HasSuffix(f, "/")
		if wantDir && info.IsDir() {
			continue
		}
		if ok, err := c.resolved(a, old, f, info); err != nil {
			return err
		} else if ok {
			if wantDir {
				skip = f
			}
			continue
		}
		owner, err := c.ownerOf(f)
		if err != nil {
			return err
		}
		c.found = append(c.found, FileConflict{Package: a.info.Name, Path: f, Owner: owner})
	}
	return nil
}

// stillFile looks at a file that the old version has too. Only one thing can
// be wrong with it: a person put a directory there, which no file replaces.
// libalpm finds out in the middle of the upgrade.
func (c *fileCheck) stillFile(a *archive, f string) error {
	if strings.HasSuffix(f, "/") || c.noExtract.match(f) {
		return nil
	}
	info, err := c.tree.Lstat(f)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && info.IsDir() {
		c.found = append(c.found, FileConflict{Package: a.info.Name, Path: f})
	}
	return err
}

// resolved tells whether the path that is there is to go or may be replaced.
func (c *fileCheck) resolved(a *archive, old *desc.Package, f string, info fs.FileInfo) (bool, error) {
	path := strings.TrimSuffix(f, "/")
	on := path // as an owner's list has what is there
	if info.IsDir() {
		on = path + "/"
	}
	if !info.IsDir() && old != nil && listHas(old.Files, path) {
		return true, nil // a file of the old version becomes a directory
	}
	for _, rm := range c.removed {
		if !info.IsDir() && listHas(rm.Files, on) {
			return true, nil
		}
	}
	for name, other := range c.old {
		if name != a.info.Name && !info.IsDir() && listHas(other.Files, on) {
			c.moved[path] = true
			return true, nil
		}
	}
	if info.IsDir() {
		if whole, err := c.goesWhole(old, path); whole || err != nil {
			return whole, err
		}
		if !c.noExtract.match(path) { // else nothing is to take its place
			return false, nil
		}
	}
	if old != nil {
		real, err := c.tree.RealPath(path)
		if err == nil && real != path && listHas(old.Files, real) {
			return true, nil
		}
	}
	if a.backup[path] {
		owner, err := c.ownerOf(path)
		if err != nil || owner == "" {
			c.forced[path] = f != path
			return err == nil, err
		}
	}
	if info.IsDir() || !c.overwrite.match(f) {
		return false, nil
	}
	c.forced[path] = f != path
	return true, nil
}

// goesWhole tells whether a directory, where a package wants a file, belongs
// with all its content to packages that go away.
func (c *fileCheck) goesWhole(old *desc.Package, path string) (bool, error) {
	going := c.removed
	if old != nil {
		going = append(append([]*desc.Package(nil), going...), old)
	}
	own := func(p string) bool {
		for _, g := range going {
			if listHas(g.Files, p) {
				return true
			}
		}
		return false
	}
	if !own(path + "/") {
		return false, nil
	}
	for _, p := range c.local.Packages() {
		if isAmong(going, p.Name) {
			continue
		}
		if err := loadFileList(c.local, p); err != nil {
			return false, err
		}
		if listHas(p.Files, path+"/") {
			return false, nil
		}
	}
	return c.allOwned(path, own)
}

func (c *fileCheck) allOwned(dir string, own func(string) bool) (bool, error) {
	entries, err := c.tree.Names(dir)
	if err != nil {
		return false, err
	}
	for _, e := range entries {
		p := dir + "/" + e.Name()
		if e.IsDir() {
			if ok, err := c.allOwned(p, own); !ok || err != nil {
				return false, err
			}
			continue
		}
		if !own(p) {
			return false, nil
		}
	}
	return true, nil
}

func isAmong(list []*desc.Package, name string) bool {
	for _, p := range list {
		if p.Name == name {
			return true
		}
	}
	return false
}

// ownerOf names the installed package that has a path, not as a directory, or
// none.
func (c *fileCheck) ownerOf(f string) (string, error) {
	path := strings.TrimSuffix(f, "/")
	for _, p := range c.local.Packages() {
		if err := loadFileList(c.local, p); err != nil {
			return "", err
		}
		if listHas(p.Files, path) {
			return p.Name, nil
		}
	}
	return "", nil
}

// loadFileList loads and sorts the files of an installed package, once.
func loadFileList(local *localdb.DB, p *desc.Package) error {
	if p.Files != nil {
		return nil
	}
	if err := local.LoadFiles(p); err != nil {
		return err
	}
	if p.Files == nil {
		p.Files = []string{}
	}
	if !sort.StringsAreSorted(p.Files) {
		sort.Strings(p.Files)
	}
	return nil
}
