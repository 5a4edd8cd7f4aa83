// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rastos/rastos/alpm/localdb"
	"github.com/rastos/rastos/alpm/version"
	"github.com/rastos/rastos/btrfs/compare"
	"github.com/rastos/rastos/internal/manifest"
	"github.com/rastos/rastos/internal/node"
)

// FileChange is one path that differs between two nodes.
type FileChange = compare.Change

// KeyChange is one key that differs between two manifests.
type KeyChange = manifest.KeyChange

// SnapshotDiff is what differs between two nodes.
type SnapshotDiff struct {
	Before   node.Node       `json:"before"`
	After    node.Node       `json:"after"`
	Kernel   *KernelChange   `json:"kernel,omitempty"`
	Manifest []KeyChange     `json:"manifest"`
	Packages []PackageChange `json:"packages"`
	Etc      []FileChange    `json:"etc"`
	Files    []FileChange    `json:"files"` // but for /etc and the package database
	Stat     DiffStat        `json:"stat"`
}

// KernelChange is the kernel's release on both sides.
type KernelChange struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// PackageChange is one package that differs. A downgrade and an upgrade are told
// apart as pacman orders versions.
type PackageChange struct {
	Name string `json:"name"`
	Op   string `json:"op"` // added, removed, upgraded, downgraded
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
}

// DiffStat counts.
type DiffStat struct {
	Packages map[string]int `json:"packages"` // by op
	Etc      map[string]int `json:"etc"`
	Files    map[string]int `json:"files"`
	Bytes    int64          `json:"bytes"` // that files have more, or less, than before
}

// SnapshotDiff tells what differs between two nodes of the running machine.
func (m *Machine) SnapshotDiff(ctx context.Context, before, after string) (*SnapshotDiff, error) {
	if err := m.needRoot("snapshot diff"); err != nil {
		return nil, err
	}
	sys, err := m.Running()
	if err != nil {
		return nil, err
	}
	defer sys.Close()
	d := &SnapshotDiff{}
	if d.Before, err = sys.find(before); err != nil {
		return nil, err
	}
	if d.After, err = sys.find(after); err != nil {
		return nil, err
	}
	return d, m.fillDiff(ctx, sys, d)
}

func (m *Machine) fillDiff(ctx context.Context, sys *System, d *SnapshotDiff) error {
	from, to := sys.Nodes.Root(d.Before.Number), sys.Nodes.Root(d.After.Number)
	if d.Before.Kernel != d.After.Kernel {
		d.Kernel = &KernelChange{From: d.Before.Kernel, To: d.After.Kernel}
	}
	changes, err := m.Streams.Compare(ctx, from, to)
	if err != nil {
		return err
	}
	d.Etc, d.Files = []FileChange{}, []FileChange{}
	databases := false
	for _, c := range changes {
		switch {
		case below(c.Path, nodeDB):
			databases = true // the packages say it in their words
		case below(c.Path, "etc"):
			d.Etc = append(d.Etc, c)
		default:
			d.Files = append(d.Files, c)
		}
		d.Stat.Bytes += sizeOf(c.Is) - sizeOf(c.Was)
	}
	d.Packages = []PackageChange{}
	if databases {
		if d.Packages, err = packageChanges(from, to); err != nil {
			return err
		}
	}
	if d.Manifest, err = m.manifestChanges(from, to, d.Etc); err != nil {
		return err
	}
	d.count()
	return nil
}

// below tells whether a path is a folder or in it.
func below(p, dir string) bool { return p == dir || strings.HasPrefix(p, dir+"/") }

func sizeOf(f *compare.File) int64 {
	if f == nil {
		return 0
	}
	return f.Size
}

func (d *SnapshotDiff) count() {
	d.Stat.Packages, d.Stat.Etc, d.Stat.Files = map[string]int{}, map[string]int{}, map[string]int{}
	for _, p := range d.Packages {
		d.Stat.Packages[p.Op]++
	}
	for _, c := range d.Etc {
		d.Stat.Etc[string(c.Op)]++
	}
	for _, c := range d.Files {
		d.Stat.Files[string(c.Op)]++
	}
}

// packageChanges compares the package databases of two trees.
func packageChanges(from, to string) ([]PackageChange, error) {
	was, err := installedIn(from)
	if err != nil {
		return nil, err
	}
	is, err := installedIn(to)
	if err != nil {
		return nil, err
	}
	out := []PackageChange{}
	for name, v := range was {
		c := PackageChange{Name: name, From: v, To: is[name], Op: "upgraded"}
		switch {
		case c.To == "":
			c.Op = "removed"
		case c.To == v:
			continue
		case version.Compare(c.To, v) < 0:
			c.Op = "downgraded"
		}
		out = append(out, c)
	}
	for name, v := range is {
		if _, both := was[name]; !both {
			out = append(out, PackageChange{Name: name, Op: "added", To: v})
		}
	}
	slices.SortFunc(out, func(a, b PackageChange) int { return cmp.Compare(a.Name, b.Name) })
	return out, nil
}

// installedIn maps the packages of a tree to their versions.
func installedIn(root string) (map[string]string, error) {
	db, err := localdb.Open(filepath.Join(root, filepath.FromSlash(nodeDB)))
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, p := range db.Packages() {
		out[p.Name] = p.Version
	}
	return out, nil
}

// manifestChanges compares the manifests of two trees, where their files differ.
func (m *Machine) manifestChanges(from, to string, etc []FileChange) ([]KeyChange, error) {
	touched := func(c FileChange) bool { return c.Path == systemManifestPath || c.From == systemManifestPath }
	if !slices.ContainsFunc(etc, touched) {
		return []KeyChange{}, nil
	}
	was, err := m.manifestText(from)
	if err != nil {
		return nil, err
	}
	is, err := m.manifestText(to)
	if err != nil || bytes.Equal(was, is) {
		return []KeyChange{}, err
	}
	changes, err := manifest.KeyChanges(was, is)
	return slices.Concat([]KeyChange{}, changes), err
}

// manifestText reads the manifest of a tree; nothing, where it has none.
func (m *Machine) manifestText(root string) ([]byte, error) {
	t, err := m.Tree(root)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	text, err := t.ReadFile(systemManifestPath)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return text, err
}
