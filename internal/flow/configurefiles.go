// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"github.com/rastos/rastos/internal/manifest"
	"github.com/rastos/rastos/internal/selfpkg"
)

// Where a tree has its manifest and its lock, below its root.
const (
	systemManifestPath = "etc/rastos/rastos.toml"
	systemLockPath     = "etc/rastos/rastos.lock"
)

// files lists what is rastOS's own: pacman.conf, the manifest with its keys,
// whether the guest agent may start; in a fresh tree fstab, too.
func (c *configurator) files() ([]part, error) {
	parts := []part{
		c.file("etc/pacman.conf", c.pacmanConf),
		c.file(systemManifestPath, func() ([]byte, error) { return c.text, nil }),
	}
	if c.fresh {
		parts = append(parts, c.file("etc/fstab", func() ([]byte, error) { return fstab(c.disks, c.mf), nil }))
	}
	for _, r := range c.mf.Repositories {
		if r.Key != "" {
			parts = append(parts, c.file(keyPath(r.Name), func() ([]byte, error) { return repositoryKey(r) }))
		}
	}
	parts = append(parts, part{"file", keyringInTree, c.trustKeys})
	for _, f := range selfpkg.AgentFiles() {
		// Masking beats removal: an upgrade of the package would bring it back.
		if path.Ext(f) == ".rules" {
			name := "etc/udev/rules.d/" + path.Base(f)
			parts = append(parts, part{"file", name, func() error { return c.maskRules(name, !*c.mf.System.Agent) }})
		}
	}
	return parts, nil
}

// file is a part that writes a file, if it differs. Without content it is left
// as it is.
func (c *configurator) file(name string, content func() ([]byte, error)) part {
	return part{"file", name, func() error {
		data, err := content()
		if err != nil || data == nil {
			return err
		}
		if old, err := c.tree.ReadFile(name); err == nil && bytes.Equal(old, data) {
			return nil
		}
		if err := c.tree.MkdirAll(path.Dir(name), 0o755); err != nil {
			return err
		}
		return c.tree.WriteFile(name, data, 0o644)
	}}
}

// pacmanConf is written where there is none, or where it is our own: in a tree
// of somebody's it may be the work of a person.
func (c *configurator) pacmanConf() ([]byte, error) {
	if !c.fresh {
		old, err := c.tree.ReadFile("etc/pacman.conf")
		if err == nil && !bytes.HasPrefix(old, []byte(pacmanConfMark)) || err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return pacmanConf(c.mf), nil
}

func repositoryKey(r manifest.Repository) ([]byte, error) {
	key, err := os.ReadFile(r.Key)
	if err != nil {
		return nil, fmt.Errorf("read the key of repository %s: %w", r.Name, err)
	}
	return key, nil
}

// maskRules shadows a rules file of a package, as udev(7) has it, or no longer
// does.
func (c *configurator) maskRules(name string, mask bool) error {
	const nothing = "/dev/null"
	target, err := c.tree.Readlink(name)
	switch masked := err == nil && target == nothing; {
	case mask == masked:
		return nil
	case masked:
		return c.tree.Remove(name)
	}
	if err := c.tree.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	return c.tree.Symlink(nothing, name)
}
