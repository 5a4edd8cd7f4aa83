// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/rastos/rastos/alpm/keyring"
)

// trustKeys lets pacman's keyring of the tree trust what its pacman.conf wants
// signatures of: the keys that the manifest names. One that is made here knows
// the keyrings of the packages, too; later these are their packages' affair.
// Where somebody else's pacman.conf is, the keyring is theirs as well.
func (c *configurator) trustKeys() error {
	conf, err := c.tree.ReadFile("etc/pacman.conf")
	if err != nil || !bytes.HasPrefix(conf, []byte(pacmanConfMark)) {
		return ignoreMissing(err)
	}
	var seeds keyring.Seeds
	for _, r := range c.mf.Repositories {
		if r.Key == "" {
			continue
		}
		data, err := repositoryKey(r)
		if err != nil {
			return err
		}
		seeds.Keys = append(seeds.Keys, data)
	}
	files := folderFiles{c.tree, keyringInTree}
	if _, err := files.ReadFile("pubring.gpg"); errors.Is(err, fs.ErrNotExist) {
		if seeds.Keyrings, err = c.shippedKeyrings(); err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	if len(seeds.Keys)+len(seeds.Keyrings) == 0 {
		return nil
	}
	if err := c.tree.MkdirAll(path.Dir(keyringInTree), 0o755); err != nil {
		return err
	}
	if _, err := keyring.Seed(files, seeds, keyring.InitOptions{Now: c.Now, Random: c.Random}); err != nil {
		return fmt.Errorf("make the keyring /%s: %w", keyringInTree, err)
	}
	return nil
}

// shippedKeyrings are those that packages of the tree bring.
func (c *configurator) shippedKeyrings() ([]keyring.Keyring, error) {
	entries, err := c.tree.ReadDir(keyring.KeyringsDir)
	if err != nil || len(entries) == 0 {
		return nil, ignoreMissing(err)
	}
	return keyring.ReadKeyrings(folderFiles{c.tree, keyring.KeyringsDir})
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
