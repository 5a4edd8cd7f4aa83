// SPDX-License-Identifier: GPL-3.0-or-later

package trans

import (
	"context"
	"maps"
	"slices"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/localdb"
	"github.com/rastos/rastos/alpm/solve"
)

// Databases reads and verifies the databases of the repositories, in their order.
func Databases(ctx context.Context, env Env) ([]solve.Repo, error) { return openRepos(ctx, &env) }

// Installed opens the database of the packages that env's tree holds.
func Installed(env Env) (*localdb.DB, error) { return openLocal(&env) }

// SetReasons changes why packages count as installed, one after the other by
// name: after a crash some are changed and some are not. A package that is not
// installed is an error, and then none is changed.
func SetReasons(ctx context.Context, env Env, reasons map[string]desc.Reason) error {
	if len(reasons) == 0 {
		return nil
	}
	lock, err := acquire(ctx, &env, nil)
	if err != nil {
		return err
	}
	defer lock.release()
	local, err := openLocal(&env)
	if err != nil {
		return err
	}
	names := slices.Sorted(maps.Keys(reasons))
	for _, name := range names {
		if local.Package(name) == nil {
			return &localdb.Error{Op: "set the reason of " + name, Path: local.Dir(), Err: localdb.ErrNotFound}
		}
	}
	for _, name := range names {
		if err := local.SetReason(name, reasons[name]); err != nil {
			return err
		}
	}
	return nil
}
