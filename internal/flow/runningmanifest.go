// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"cmp"
	"os"

	"github.com/rastos/rastos/internal/manifest"
)

// runningManifest is what /etc/rastos/rastos.toml says. The keys of the
// repositories are those that the machine keeps beside it.
func (m *Machine) runningManifest() (*manifest.Manifest, error) {
	mf, err := manifest.Load(cmp.Or(m.manifestPath, manifest.SystemPath))
	if err != nil {
		return nil, err
	}
	for i, r := range mf.Repositories {
		if own := "/" + keyPath(r.Name); exists(own) {
			mf.Repositories[i].Key = own
		}
	}
	return mf, nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
