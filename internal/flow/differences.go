// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"errors"
	"path"
	"strings"

	"github.com/rastos/rastos/internal/account"
	"github.com/rastos/rastos/internal/manifest"
	"github.com/rastos/rastos/internal/overlay"
)

// Setting is one thing beside packages that a system has in another way than
// its manifest says.
type Setting struct {
	Kind    string           `json:"kind"` // user, setting, network, service, file
	Name    string           `json:"name"`
	Changes []overlay.Change `json:"changes,omitempty"` // what setting it right writes
	// Waits says why it can be told only when the packages are installed.
	Waits string `json:"waits,omitempty"`
}

// localeGenPath stands for what locale-gen compiles.
const localeGenPath = "usr/lib/locale/locale-archive"

// differences compares a system with a manifest. With pending, packages are
// still to come, which may bring what a part of the manifest speaks of.
func (m *Machine) differences(c *configurator, pending bool) ([]Setting, error) {
	over := overlay.New(c.tree)
	below := c.tree
	c.tree = over
	defer func() { c.tree = below }()
	var out []Setting
	err := c.walk(func(p part) error {
		over.Mark()
		compiled := c.gen
		err := p.do()
		var coded interface{ ExitCode() int }
		if pending && errors.As(err, &coded) && coded.ExitCode() == 3 {
			out = append(out, Setting{Kind: p.kind, Name: p.name, Waits: err.Error()})
			return nil
		}
		if err != nil {
			return err
		}
		changes := over.Touched()
		if c.gen && !compiled {
			changes = append(changes, overlay.Change{Path: localeGenPath, Kind: overlay.Write})
		}
		if len(changes) > 0 {
			out = append(out, Setting{Kind: p.kind, Name: p.name, Changes: changes})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return m.homeDifferences(c, over, out)
}

// homeDifferences adds what the homes of people lack.
func (m *Machine) homeDifferences(c *configurator, skel account.FS, out []Setting) ([]Setting, error) {
	homes := c.homesWithDropped()
	for _, h := range homes {
		var changes []overlay.Change
		err := m.atHome(c.homesAt, h, func(t Tree, at string) error {
			over := overlay.New(t)
			if err := account.MakeHome(over, at, h, skel); err != nil {
				return err
			}
			if _, err := t.Lstat(path.Clean(at)); err != nil {
				changes = []overlay.Change{{Path: strings.TrimPrefix(h.Path, "/") + "/", Kind: overlay.Write}}
				return nil
			}
			for _, ch := range over.Changes() {
				ch.Path = path.Join(strings.TrimPrefix(h.Path, "/"), strings.TrimPrefix(ch.Path, at))
				changes = append(changes, ch)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		out = addChanges(out, "user", h.User, changes)
	}
	return out, nil
}

func addChanges(list []Setting, kind, name string, changes []overlay.Change) []Setting {
	if len(changes) == 0 {
		return list
	}
	for i := range list {
		if list[i].Kind == kind && list[i].Name == name {
			list[i].Changes = append(list[i].Changes, changes...)
			return list
		}
	}
	return append(list, Setting{Kind: kind, Name: name, Changes: changes})
}

// homesWithDropped are the homes of the manifest's users, with the keys that an
// earlier manifest gave them and this one does not.
func (c *configurator) homesWithDropped() []account.Home {
	old := c.old
	if old == nil {
		return c.homes
	}
	keys := map[string][]string{}
	for _, u := range old.Users {
		keys[u.Name] = u.SSHKeys
	}
	out := make([]account.Home, len(c.homes))
	for i, h := range c.homes {
		h.DropKeys = keys[h.User] // those that are in both lists stay
		out[i] = h
	}
	return out
}

// makeHomes makes the homes of people what the manifest says.
func (m *Machine) makeHomes(c *configurator) error {
	for _, h := range c.homesWithDropped() {
		err := m.atHome(c.homesAt, h, func(t Tree, at string) error { return account.MakeHome(t, at, h, c.tree) })
		if err != nil {
			return err
		}
	}
	return nil
}

// atHome opens the tree that a home is in. One that is there is confined to
// itself, since its user can put links into it; but in another root than this
// machine's a home may lie behind a link of that root.
func (m *Machine) atHome(root string, h account.Home, do func(t Tree, at string) error) error {
	top, at := root, strings.TrimPrefix(h.Path, "/")
	switch {
	case root == "/" && exists(h.Path):
		top, at = h.Path, ""
	case root == "/":
		top, at = path.Dir(h.Path), path.Base(h.Path)
	}
	t, err := m.Tree(top)
	if err != nil {
		return err
	}
	defer t.Close()
	return do(t, at)
}

// configuratorOf is for a system that is there.
func (m *Machine) configuratorOf(mf *manifest.Manifest, text []byte, t Tree, root string) *configurator {
	c := &configurator{Machine: m, mf: mf, text: text, tree: t, root: root, homesAt: root}
	c.old = c.previous()
	return c
}
