// SPDX-License-Identifier: GPL-3.0-or-later

package pacman

import (
	"context"

	"github.com/rastos/rastos/alpm/trans"
)

// refresh downloads the databases: of packages, or of packages with their
// files. It says what fails.
func (s *session) refresh(ctx context.Context, files bool) bool {
	env, err := s.env()
	if err == nil {
		s.print(s.tint.Colon, "Synchronizing package databases...\n")
		s.log(byPacman, "synchronizing package lists")
		_, err = trans.Refresh(ctx, env, trans.SyncOptions{Force: s.opt.Refresh > 1, Files: files}, nil)
	}
	if err != nil {
		s.errorf("failed to synchronize all databases (%v)", err)
	}
	return err == nil
}
