// SPDX-License-Identifier: GPL-3.0-or-later

package pacman

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/rastos/rastos/alpm/conf"
	"github.com/rastos/rastos/alpm/pkgfile"
	"github.com/rastos/rastos/alpm/solve"
	"github.com/rastos/rastos/alpm/syncdb"
	"github.com/rastos/rastos/alpm/version"
)

// clean is -Sc and -Scc: it empties the caches, and forgets databases of
// repositories that there are no more.
func (s *session) clean(ctx context.Context) int {
	list, err := s.openRepos(packageDB)
	if err != nil {
		s.errorf("%v", err)
		return 1
	}
	t, ok := s.begin(ctx, list)
	if !ok {
		return 1
	}
	defer t.release()
	c := &cleaning{transaction: t, list: list}
	if s.opt.Clean == 1 {
		s.print("Packages to keep:\n")
		if s.conf.CleanMethod&conf.KeepInstalled != 0 {
			s.print("  All locally installed packages\n")
		}
		if s.conf.CleanMethod&conf.KeepCurrent != 0 {
			s.print("  All current sync database packages\n")
		}
	}
	s.print("\n")
	for _, dir := range s.conf.CacheDirs {
		c.cache(dir)
	}
	c.databases()
	if ctx.Err() != nil {
		return t.interrupted()
	}
	return c.failed
}

// cleaning is one -Sc; failed is its exit code.
type cleaning struct {
	*transaction
	list   repos
	failed int
}

func (c *cleaning) cache(dir string) {
	c.printf("Cache directory: %s\n", dir)
	all := c.opt.Clean > 1
	agreed := false
	if all {
		agreed = c.ask.noyes("Do you want to remove ALL files from cache?")
	} else {
		agreed = c.ask.yesno("Do you want to remove all other packages from cache?")
	}
	switch {
	case !agreed || c.ctx.Err() != nil:
		c.print("\n")
		return
	case all:
		c.print("removing all files from cache...\n")
	default:
		c.print("removing old packages from cache...\n")
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		c.errorf("could not access cache directory %s", dir)
		c.failed++
		return
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		switch {
		case all:
			c.unlink(path, false)
		case !passedOver(e.Name()) && c.obsolete(path):
			c.unlink(path, false)
			c.unlink(path+".sig", true)
		}
	}
	c.print("\n")
}

// passedOver tells what is no package: signatures go with theirs.
func passedOver(name string) bool {
	for _, pattern := range []string{"*.sig", "*.db*", "*.files*", "*.src.tar.*"} {
		if solve.Match(pattern, name) {
			return true
		}
	}
	return false
}

// obsolete tells whether a file is a package that nothing says to keep.
func (c *cleaning) obsolete(path string) bool {
	p, err := pkgfile.LoadInfo(path)
	if err != nil {
		c.unreadable(path, err)
		return false
	}
	if c.conf.CleanMethod&conf.KeepInstalled != 0 {
		if q := c.conf.Local.Package(p.Name); q != nil && version.Compare(q.Version, p.Version) == 0 {
			return false
		}
	}
	if c.conf.CleanMethod&conf.KeepCurrent == 0 {
		return true
	}
	for _, r := range c.list {
		if q := r.DB.Package(p.Name); q != nil && version.Compare(q.Version, p.Version) == 0 {
			return false
		}
	}
	return true
}

// unlink removes a file, and no directory. pacman counts backwards here what
// could not be done, and so its exit code is 255 for one.
func (c *cleaning) unlink(path string, mayLack bool) {
	err := syscall.Unlink(path)
	if err == nil || mayLack && errors.Is(err, fs.ErrNotExist) {
		return
	}
	c.errorf("could not remove %s: %s", path, reason(err))
	c.failed--
}

// databases removes those that belong to no repository of pacman.conf.
func (c *cleaning) databases() {
	c.printf("Database directory: %s\n", c.conf.DBPath)
	if !c.ask.yesno("Do you want to remove unused repositories?") {
		return
	}
	c.print("removing unused sync repositories...\n")
	dir := filepath.Join(c.conf.DBPath, "sync")
	entries, err := os.ReadDir(dir)
	if err != nil {
		c.errorf("could not access database directory")
		c.failed++
		return
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		switch {
		case e.IsDir():
			if err := os.RemoveAll(path); err != nil {
				c.errorf("could not remove %s: %s", path, reason(err))
			}
		case !c.used(e.Name()):
			c.unlink(path, false)
		}
	}
}

// used tells whether a file is the database of a repository.
func (c *cleaning) used(name string) bool {
	name = strings.TrimSuffix(strings.TrimSuffix(name, ".sig"), syncdb.IndexSuffix)
	for _, end := range []string{packageDB, filesDB} {
		if repo, ok := strings.CutSuffix(name, end); ok && repo != "" {
			return c.conf.Repo(repo) != nil
		}
	}
	return false
}
