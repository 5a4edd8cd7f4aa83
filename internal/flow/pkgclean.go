// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/localdb"
	"github.com/rastos/rastos/alpm/pkgfile"
	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/alpm/version"
	"github.com/rastos/rastos/internal/lockfile"
)

// CleanRequest says what stays in the package cache.
type CleanRequest struct {
	Keep        int // versions of each installed package, the newest; what is installed stays in any case
	Uninstalled int // the same of each package that is not installed
}

// CleanPlan says what is removed from the package cache.
type CleanPlan struct {
	Root   string       `json:"root"`
	Remove []CachedFile `json:"remove"`
	Kept   int          `json:"kept"`  // archives that stay
	Freed  int64        `json:"freed"` // bytes
}

// CachedFile is one file of the cache.
type CachedFile struct {
	Path string `json:"path"`
	Size int64  `json:"size"`
	Why  string `json:"why"`
}

// Empty tells that nothing is to be removed.
func (p *CleanPlan) Empty() bool { return len(p.Remove) == 0 }

// PlanClean works out what nobody needs of the package cache. What is installed,
// in any node of the machine, and what the lock pins, stays.
func (m *Machine) PlanClean(w *World, r CleanRequest) (*CleanPlan, error) {
	if err := m.needRootAt(w.Root, "clean"); err != nil {
		return nil, err
	}
	env, err := w.Env()
	if err != nil {
		return nil, err
	}
	c := &cleaning{request: r, plan: &CleanPlan{Root: w.Root, Remove: []CachedFile{}}, uses: map[string]bool{}, names: map[string]bool{}}
	if err := c.use(env, w); err != nil {
		return nil, err
	}
	dirs := slices.Compact(slices.Sorted(slices.Values(append([]string{filepath.Clean(env.CacheDir)}, cleaned(env.Caches)...))))
	for _, dir := range dirs {
		if err := c.look(dir); err != nil {
			return nil, err
		}
	}
	c.decide()
	return c.plan, nil
}

func cleaned(paths []string) []string {
	var out []string
	for _, p := range paths {
		out = append(out, filepath.Clean(p))
	}
	return out
}

// cleaning works one plan out.
type cleaning struct {
	request CleanRequest
	plan    *CleanPlan
	uses    map[string]bool // "name-version", and names of archives, that stay
	names   map[string]bool // of installed packages
	cached  []cachedPackage
}

// cachedPackage is an archive in the cache.
type cachedPackage struct {
	path string
	size int64 // its signature included
	*desc.Package
}

// use notes what is installed and pinned.
func (c *cleaning) use(env trans.Env, w *World) error {
	trees := []string{env.DBPath}
	if w.sys != nil {
		nodes, err := w.sys.Nodes.List()
		if err != nil {
			return err
		}
		for _, n := range nodes {
			trees = append(trees, filepath.Join(w.sys.Nodes.Root(n.Number), dbPath))
		}
	}
	for _, dir := range trees {
		db, err := localdb.Open(filepath.Join(dir, "local"))
		if err != nil {
			return err
		}
		for _, p := range db.Packages() {
			c.uses[p.Entry()], c.names[p.Name] = true, true
		}
	}
	lock, err := readLock(func(name string) ([]byte, error) { return os.ReadFile(filepath.Join(w.Root, name)) }, systemLockPath)
	if err != nil {
		return err
	}
	if lock == nil {
		lock = &lockfile.Lock{}
	}
	for _, pin := range lock.Packages {
		c.uses[pin.Entry()] = true
	}
	return nil
}

// look goes through one folder. Parts of downloads go, and signatures whose
// archives are gone.
func (c *cleaning) look(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look into the package cache: %w", err)
	}
	sizes := map[string]int64{}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			sizes[e.Name()] = info.Size()
		}
	}
	for _, e := range entries {
		name := e.Name()
		size, regular := sizes[name]
		path := filepath.Join(dir, name)
		archive, isSig := strings.CutSuffix(name, ".sig")
		switch {
		case !regular || !strings.Contains(name, ".pkg.tar"):
		case strings.HasSuffix(name, ".part"):
			c.remove(path, size, "a download that was cut off")
		case isSig:
			if _, there := sizes[archive]; !there {
				c.remove(path, size, "the signature of nothing")
			}
		default:
			p, err := pkgfile.LoadInfo(path)
			if err != nil {
				c.remove(path, size, "not a package: "+err.Error())
				continue
			}
			c.cached = append(c.cached, cachedPackage{path, size + sizes[name+".sig"], p})
		}
	}
	return nil
}

func (c *cleaning) remove(path string, size int64, why string) {
	c.plan.Remove = append(c.plan.Remove, CachedFile{path, size, why})
	c.plan.Freed += size
}

// decide sorts the versions of each package, the newest first, and keeps as
// many as are asked for.
func (c *cleaning) decide() {
	slices.SortStableFunc(c.cached, func(a, b cachedPackage) int {
		if a.Name != b.Name {
			return strings.Compare(a.Name, b.Name)
		}
		return version.Compare(b.Version, a.Version)
	})
	kept, last := 0, ""
	for _, p := range c.cached {
		if p.Name != last {
			kept, last = 0, p.Name
		}
		keep, why := c.request.Keep, "an older version"
		if !c.names[p.Name] {
			keep, why = c.request.Uninstalled, "not installed"
		}
		if kept < keep || c.uses[p.Entry()] {
			kept++
			c.plan.Kept++
			continue
		}
		c.remove(p.path, p.size, why)
	}
}

// RunClean removes what the plan says, while no transaction needs the cache.
func (m *Machine) RunClean(ctx context.Context, w *World, p *CleanPlan) error {
	env, err := w.Env()
	if err != nil {
		return err
	}
	lock, err := trans.Acquire(ctx, env, nil)
	if err != nil {
		return err
	}
	defer lock.Release()
	for _, f := range p.Remove {
		for _, path := range []string{f.Path, f.Path + ".sig"} {
			if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("clean the package cache: %w", err)
			}
		}
	}
	return nil
}
