// SPDX-License-Identifier: GPL-3.0-or-later

package pacman

import (
	"context"
	"errors"
	"strings"

	"github.com/rastos/rastos/alpm/fetch"
	"github.com/rastos/rastos/alpm/keyring"
	"github.com/rastos/rastos/alpm/solve"
	"github.com/rastos/rastos/alpm/trans"
)

// refresh downloads the databases: of packages, or of packages with their
// files. It says what fails, and returns an exit code.
func (s *session) refresh(ctx context.Context, files bool) int {
	env, err := s.env()
	if err != nil {
		s.errorf("%v", err)
		return 1
	}
	s.colon("Synchronizing package databases...\n")
	s.log(byPacman, "synchronizing package lists")
	failed := func(why string) int {
		s.errorf("failed to synchronize all databases (%s)", why)
		return 1
	}
	for _, r := range env.Repos {
		if len(r.Servers) == 0 && r.Usage.Allows(solve.UseSync) {
			return failed(whyServer)
		}
	}
	t := &transaction{session: s, ctx: ctx, ask: s.asker(ctx), env: env}
	t.show = newProgress(t)
	_, err = trans.Refresh(ctx, env, trans.SyncOptions{Force: s.opt.Refresh > 1, Files: files}, t.show.event)
	t.show.finish()
	if ctx.Err() != nil {
		return t.interrupted()
	}
	if err == nil {
		return 0
	}
	return failed(t.refreshFault(err))
}

// refreshFault is the library's word for why a refresh failed.
func (t *transaction) refreshFault(err error) string {
	var (
		locked *trans.LockError
		load   *fetch.Error
		sig    *keyring.Error
		wrong  *trans.VerifyError
		repo   *trans.RepoError
	)
	switch {
	case errors.As(err, &locked):
		return "unable to lock database"
	case errors.As(err, &load):
		return downloadFault(load)
	case errors.As(err, &wrong) && errors.As(err, &sig):
		name := strings.TrimPrefix(wrong.Object, "database ")
		if sig.Reason == keyring.Missing {
			t.errorf(noSignature, name)
		} else {
			t.signatureFailed(name, sig)
		}
		return "invalid or corrupted database (PGP signature)"
	case errors.As(err, &repo):
		return "invalid or corrupted database"
	}
	return err.Error()
}
