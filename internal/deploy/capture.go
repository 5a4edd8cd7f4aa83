// SPDX-License-Identifier: GPL-3.0-or-later

package deploy

import (
	"path/filepath"

	"github.com/rastos/rastos/internal/deploy/etcmerge"
)

// captured is where the /etc of a deployment is held still while it is copied.
// No deploy.json names it: after a cut, Recover collects it.
const captured = "etc.captured"

// Capture makes /etc of a tree, a copy of the deployment's node, what it is live:
// all but what says which machine this is.
func (s *Store) Capture(d Deployment, root string) error {
	still := s.abs(d.Number, captured)
	if err := s.dropEtc(d.Number, captured); err != nil && !isNotExist(err) {
		return err
	}
	if err := s.Subvols.Snapshot(s.EtcPath(d), still, true); err != nil {
		return err
	}
	pristine := s.pristineEtc(d.Node)
	if _, err := s.mergeInto(captureMerge, filepath.Join(root, "etc"), pristine, pristine, still); err != nil {
		return err
	}
	return s.Subvols.Delete(still)
}

// captureMerge takes next over live, which is what base is.
func captureMerge(base, live, next etcmerge.Tree, src etcmerge.Source, keyed etcmerge.KeyedMerge) (etcmerge.Result, error) {
	for p := range next {
		if etcmerge.Identity(p) {
			delete(next, p)
		}
	}
	for p, e := range live {
		if etcmerge.Identity(p) {
			next[p] = e
		}
	}
	return etcmerge.Merge(base, live, next, src, keyed)
}
