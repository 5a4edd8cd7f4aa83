// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"cmp"
	"os"
	"path/filepath"

	"github.com/rastos/rastos/internal/manifest"
)

// runningManifest is what /etc/rastos/rastos.toml says.
func (m *Machine) runningManifest() (*manifest.Manifest, error) {
	return systemManifest(cmp.Or(m.manifestPath, manifest.SystemPath), "/")
}

// systemManifest is the manifest that a system has in it. The keys of the
// repositories are those that the system keeps beside it.
func systemManifest(path, root string) (*manifest.Manifest, error) {
	mf, err := manifest.Load(path)
	if err != nil {
		return nil, err
	}
	for i, r := range mf.Repositories {
		if own := filepath.Join(root, keyPath(r.Name)); exists(own) {
			mf.Repositories[i].Key = own
		}
	}
	return mf, nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
