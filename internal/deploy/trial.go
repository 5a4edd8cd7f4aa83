// SPDX-License-Identifier: GPL-3.0-or-later

package deploy

import (
	"path/filepath"

	"github.com/rastos/rastos/internal/deploy/etcmerge"
)

// Trial makes an /etc for a tree that only this boot will see, at target: what
// the deployment's is at this moment, with what the tree's packages bring merged
// in. It tells whether that is anything.
func (s *Store) Trial(d Deployment, root, target string) (changed bool, err error) {
	if err := s.Subvols.Snapshot(s.EtcPath(d), target, false); err != nil {
		return false, err
	}
	res, err := s.mergeInto(etcmerge.Merge, target, s.pristineEtc(d.Node), s.EtcPath(d), filepath.Join(root, "etc"))
	return len(res.Changes) > 0, err
}
