// SPDX-License-Identifier: GPL-3.0-or-later

package trans

import (
	"context"
	"errors"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"github.com/rastos/rastos/alpm/syncdb"
)

// Lookup opens the databases of the repositories to look something up, in their
// order; one that was never downloaded is nil. With lists they are those that
// have the files of each package.
func Lookup(ctx context.Context, env Env, lists bool) ([]*syncdb.DB, error) {
	suffix := dbSuffix
	if lists {
		suffix = filesSuffix
	}
	dbs := make([]*syncdb.DB, len(env.Repos))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(env.workers())
	for i := range env.Repos {
		g.Go(func() (err error) {
			if err = context.Cause(ctx); err != nil {
				return err
			}
			r := &env.Repos[i]
			dbs[i], err = openDatabase(&env, r, filepath.Join(env.syncDir(), r.Name+suffix))
			if errors.Is(err, ErrNoDatabase) {
				return nil
			}
			return err
		})
	}
	return dbs, g.Wait()
}

// FileLists is where the database with the files of a repository's packages is.
func FileLists(env Env, repo string) string {
	return filepath.Join(env.syncDir(), repo+filesSuffix)
}
