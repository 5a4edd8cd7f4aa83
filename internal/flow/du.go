// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/rastos/rastos/btrfs"
	"github.com/rastos/rastos/internal/node"
)

// SpaceUse says what nodes and deployments take on the disk.
type SpaceUse struct {
	Nodes       []SpaceShare `json:"nodes"`
	Deployments []SpaceShare `json:"deployments"`        // their own /etc
	Together    SpaceShare   `json:"all_nodes_together"` // Number is how many they are
}

// SpaceShare is what one of them takes, in bytes.
type SpaceShare struct {
	Number     int    `json:"number"`
	Referenced uint64 `json:"referenced"` // its files, holes left out, uncompressed
	Size       uint64 `json:"size"`       // on the disk
	Exclusive  uint64 `json:"exclusive"`  // what comes back when it is deleted
	Shared     uint64 `json:"shared"`     // what others refer to as well
}

// Use works out what nodes and deployments take. It reads the extents of all
// subvolumes, so that what is shared is told exactly; what it read of a sealed one
// is kept in the cache, since that never changes.
func (m *Machine) Use(s Settings) (u SpaceUse, err error) {
	if err := m.needRoot("snapshot du"); err != nil {
		return u, err
	}
	sys, err := m.Running()
	if err != nil {
		return u, err
	}
	defer sys.Close()
	list, err := m.Subvolumes(sys.Nodes.Top)
	if err != nil {
		return u, err
	}
	cache := extentCache{m: m, dir: filepath.Join(s.CacheDir, "extents"), seen: map[string]bool{}}
	groups := map[string][]btrfs.Extents{} // "nodes/3", "deploy/2", or the path of another one
	for _, sub := range list {
		e, err := cache.of(sys.Nodes.Top, sub)
		if err != nil {
			return u, err
		}
		groups[groupOf(sub.Path)] = append(groups[groupOf(sub.Path)], e)
	}
	u.fill(groups)
	return u, cache.tidy()
}

// groupOf tells what a subvolume belongs to.
func groupOf(name string) string {
	words := strings.Split(name, "/")
	if len(words) == 4 && words[0] == node.Folder && (words[1] == nodesGroup || words[1] == deployGroup) {
		return words[1] + "/" + words[2]
	}
	return name
}

const (
	nodesGroup  = "nodes"
	deployGroup = "deploy"
)

// fill works the shares out.
func (u *SpaceUse) fill(groups map[string][]btrfs.Extents) {
	names := slices.Sorted(maps.Keys(groups))
	var each, nodes, others []btrfs.Extents
	for _, name := range names {
		e := btrfs.Union(groups[name]...)
		each = append(each, e)
		if strings.HasPrefix(name, nodesGroup+"/") {
			nodes = append(nodes, e)
		} else {
			others = append(others, e)
		}
	}
	for i, share := range btrfs.Shares(each) {
		kind, text, _ := strings.Cut(names[i], "/")
		number, err := strconv.Atoi(text)
		switch {
		case err != nil:
		case kind == nodesGroup:
			u.Nodes = append(u.Nodes, spaceShare(number, share))
		case kind == deployGroup:
			u.Deployments = append(u.Deployments, spaceShare(number, share))
		}
	}
	byNumber := func(a, b SpaceShare) int { return cmp.Compare(a.Number, b.Number) }
	slices.SortFunc(u.Nodes, byNumber)
	slices.SortFunc(u.Deployments, byNumber)
	together := btrfs.Shares(append([]btrfs.Extents{btrfs.Union(nodes...)}, others...))[0]
	u.Together = spaceShare(len(nodes), together)
}

func spaceShare(number int, s btrfs.Share) SpaceShare {
	return SpaceShare{Number: number, Referenced: s.Referenced, Size: s.Size, Exclusive: s.Exclusive, Shared: s.Size - s.Exclusive}
}

// extentCache keeps the extents of sealed subvolumes.
type extentCache struct {
	m    *Machine
	dir  string
	seen map[string]bool
}

// of reads the extents of a subvolume, from the cache where they are there. UUID
// and generation name the very contents.
func (c *extentCache) of(top string, sub btrfs.Subvolume) (btrfs.Extents, error) {
	if !sub.ReadOnly || sub.UUID.IsZero() {
		return c.m.Extents(top, sub.ID)
	}
	name := fmt.Sprintf("%s-%d", sub.UUID, sub.Generation)
	c.seen[name] = true
	if data, err := os.ReadFile(filepath.Join(c.dir, name)); err == nil {
		if e, err := btrfs.DecodeExtents(data); err == nil {
			return e, nil
		}
	}
	e, err := c.m.Extents(top, sub.ID)
	if err != nil {
		return e, err
	}
	return e, c.put(name, e)
}

func (c *extentCache) put(name string, e btrfs.Extents) error {
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return err
	}
	t, err := c.m.FastTree(c.dir)
	if err != nil {
		return err
	}
	return errors.Join(t.WriteFile(name, e.Encode(), 0o600), t.Close())
}

// tidy removes what is there of subvolumes that are gone.
func (c *extentCache) tidy() error {
	entries, err := os.ReadDir(c.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !c.seen[e.Name()] {
			err = errors.Join(err, os.Remove(path.Join(c.dir, e.Name())))
		}
	}
	return err
}
