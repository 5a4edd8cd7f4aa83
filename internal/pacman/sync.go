// SPDX-License-Identifier: GPL-3.0-or-later

package pacman

import "context"

// sync is -S.
func (s *session) sync(ctx context.Context) int {
	if s.opt.Clean > 0 {
		return s.clean(ctx)
	}
	if len(s.conf.Repos) == 0 {
		s.errorf("no usable package repositories configured.")
		return 1
	}
	if s.opt.Refresh > 0 {
		if code := s.refresh(ctx, false); code != 0 {
			return code
		}
	}
	list, ok := s.usableRepos(packageDB)
	if !ok {
		return 1
	}
	switch {
	case s.opt.Search:
		return s.syncSearch(list)
	case s.opt.Groups > 0:
		return s.syncGroups(list)
	case s.opt.Info > 0:
		return s.syncInfo(list)
	case s.opt.List:
		return s.syncList(list)
	case len(s.opt.Targets) > 0 || s.opt.SysUpgrade > 0:
		return s.syncInstall(ctx, list)
	case s.opt.Refresh > 0:
		return 0
	}
	s.errorf("no targets specified (use -h for help)")
	return 1
}

// syncInstall installs targets and upgrades the system.
func (s *session) syncInstall(ctx context.Context, list repos) int {
	t, ok := s.begin(ctx, list)
	if !ok {
		return 1
	}
	defer t.release()
	req := t.request()
	req.Targets = s.opt.Targets
	req.SysUpgrade, req.Downgrade = s.opt.SysUpgrade > 0, s.opt.SysUpgrade > 1
	if code, ok := t.prepare(req); !ok {
		return code
	}
	return t.install()
}
