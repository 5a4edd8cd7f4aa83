// SPDX-License-Identifier: GPL-3.0-or-later

package pacman

import (
	"context"
	"errors"
	"path/filepath"
	"strings"

	"github.com/rastos/rastos/alpm/fetch"
	"github.com/rastos/rastos/alpm/trans"
)

// upgrade is -U: packages given as files and URLs.
func (s *session) upgrade(ctx context.Context) int {
	if len(s.opt.Targets) == 0 {
		s.errorf("no targets specified (use -h for help)")
		return 1
	}
	var files, urls []string
	for _, target := range s.opt.Targets {
		if strings.Contains(target, "://") {
			urls = append(urls, target)
		} else {
			files = append(files, target)
		}
	}
	fetched, code := s.fetchTargets(ctx, urls)
	if code != 0 {
		return code
	}
	list, err := s.openRepos(packageDB)
	if err != nil {
		s.errorf("%v", err)
		return 1
	}
	usable := s.validRepos(list)
	t, ok := s.begin(ctx, list)
	if !ok {
		return 1
	}
	defer t.release()
	s.print("loading packages...\n")
	_ = s.out.Flush()
	if !usable { // what is wrong with the targets is told before that ends it
		t.unusable, t.env.Repos = "invalid or corrupted database", nil
	}
	req := t.request()
	req.Files, req.Remote = files, fetched
	for _, f := range files {
		if abs, err := filepath.Abs(f); err == nil {
			t.given[abs] = f
		}
	}
	if code, ok := t.prepare(req); !ok {
		return code
	}
	return t.install()
}

// fetchTargets downloads the packages that are given as URLs.
func (s *session) fetchTargets(ctx context.Context, urls []string) (paths []string, code int) {
	if len(urls) == 0 {
		return nil, 0
	}
	env, err := s.env()
	if err != nil {
		s.errorf("%v", err)
		return nil, 1
	}
	t := &transaction{session: s, ctx: ctx, ask: s.asker(ctx), env: env}
	t.show = newProgress(t)
	t.env.CacheDir = s.makeCache()
	paths, err = trans.FetchURLs(ctx, t.env, urls, t.show.event)
	switch {
	case ctx.Err() != nil:
		return nil, t.interrupted()
	case err == nil:
		return paths, 0
	}
	t.show.finish()
	var file *trans.FileError
	var failed *fetch.Error
	switch {
	case errors.As(err, &file):
		s.errorf("url '%s' is invalid", file.File)
	case errors.As(err, &failed):
	default:
		s.errorf("%v", err)
	}
	s.warnf("failed to retrieve some files")
	return nil, failedSetup // what pacman's library returned, as an exit code
}
