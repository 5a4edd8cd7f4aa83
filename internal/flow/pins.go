// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/solve"
	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/internal/account"
	"github.com/rastos/rastos/internal/lockfile"
	"github.com/rastos/rastos/internal/manifest"
)

// readLock reads a lock; nil where there is none.
func readLock(read func(string) ([]byte, error), name string) (*lockfile.Lock, error) {
	data, err := read(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the lock: %w", err)
	}
	return lockfile.Decode(name, data)
}

// pinner writes down what a tree holds.
type pinner struct {
	env  trans.Env
	mf   *manifest.Manifest
	tree Tree
	// plan was run, and says where its packages came from.
	plan *trans.Plan
	// old is the lock before; what it pins and is still there stays pinned so.
	old *lockfile.Lock
}

// lock pins what the tree holds now.
func (p *pinner) lock(ctx context.Context) (*lockfile.Lock, error) {
	db, err := trans.Installed(p.env)
	if err != nil {
		return nil, err
	}
	l := &lockfile.Lock{Manifest: p.mf.SHA256}
	known := p.known()
	var repos []solve.Repo
	asked := false
	for _, pkg := range db.Packages() {
		pin, ok := known[pkg.Entry()]
		if !ok {
			if !asked {
				// Without databases, only versions can be pinned.
				repos, err = trans.Databases(ctx, p.env)
				if err != nil && !errors.Is(err, trans.ErrNoDatabase) {
					return nil, err
				}
				asked = true
			}
			pin = lockfile.Package{Name: pkg.Name, Version: pkg.Version}
			for _, r := range repos {
				if r.DB == nil {
					continue
				}
				if q := r.DB.Package(pkg.Name); q != nil && q.Version == pkg.Version && whole(q) {
					pin = pinOf(q, r.Name)
					break
				}
			}
		}
		l.Packages = append(l.Packages, pin)
	}
	l.Sort()
	set, err := account.Read(p.tree, "etc")
	if err != nil {
		return nil, err
	}
	numbers := set.Numbers()
	l.Users, l.Groups = numbers.Users, numbers.Groups
	return l, nil
}

// known are pins by "name-version", of the run and of the lock before.
func (p *pinner) known() map[string]lockfile.Package {
	known := map[string]lockfile.Package{}
	if p.old != nil {
		for _, pin := range p.old.Packages {
			if pin.Repository != "" {
				known[pin.Entry()] = pin
			}
		}
	}
	if p.plan == nil {
		return known
	}
	for _, st := range p.plan.Install {
		switch {
		case st.Repo != "" && whole(st.Package):
			known[st.Package.Entry()] = pinOf(st.Package, st.Repo)
		case st.File != "":
			known[st.Package.Entry()] = lockfile.Package{Name: st.Package.Name, Version: st.Package.Version}
		}
	}
	return known
}

// whole tells whether a database says of a package all that a lock pins.
func whole(p *desc.Package) bool {
	return p.Filename != "" && p.SHA256 != "" && p.CompressedSize > 0
}

func pinOf(p *desc.Package, repo string) lockfile.Package {
	return lockfile.Package{
		Name: p.Name, Version: p.Version, Repository: repo,
		Filename: p.Filename, Size: p.CompressedSize, SHA256: p.SHA256,
	}
}

// write puts the lock into the tree.
func (p *pinner) write(ctx context.Context) ([]byte, error) {
	l, err := p.lock(ctx)
	if err != nil {
		return nil, err
	}
	data, err := lockfile.Encode(l)
	if err != nil {
		return nil, err
	}
	if err := p.tree.MkdirAll(path.Dir(systemLockPath), 0o755); err != nil {
		return nil, err
	}
	return data, p.tree.WriteFile(systemLockPath, data, 0o644)
}

// writeBeside puts a lock beside the manifest that a person gave.
func writeBeside(manifestFile string, data []byte) error {
	name := lockfile.PathFor(manifestFile)
	if old, err := os.ReadFile(name); err == nil && string(old) == string(data) {
		return nil
	}
	if err := ReplaceFile(name, data, 0o644); err != nil {
		return fmt.Errorf("write the lock: %w", err)
	}
	return nil
}

// pinsHold tells whether a lock is that of a manifest and of what is installed.
func pinsHold(l *lockfile.Lock, mf *manifest.Manifest, installed []*desc.Package) bool {
	if l == nil || l.Manifest != mf.SHA256 || len(l.Packages) != len(installed) {
		return false
	}
	for i, p := range installed { // both are sorted by name
		if l.Packages[i].Name != p.Name || l.Packages[i].Version != p.Version {
			return false
		}
	}
	return true
}
