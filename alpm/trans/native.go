// SPDX-License-Identifier: GPL-3.0-or-later

package trans

import "context"

// Native is this package's functions as a value, for callers that may be given
// another engine in its place (alpm/libalpm).
type Native struct{}

// Sync is the function Sync.
func (Native) Sync(ctx context.Context, env Env, events Events) (changed []string, err error) {
	return Sync(ctx, env, events)
}

// Prepare is the function Prepare.
func (Native) Prepare(ctx context.Context, env Env, req Request) (*Plan, error) {
	return Prepare(ctx, env, req)
}

// Download is the function Download.
func (Native) Download(ctx context.Context, env Env, plan *Plan, events Events) error {
	return Download(ctx, env, plan, events)
}

// Run is the function Run.
func (Native) Run(ctx context.Context, env Env, plan *Plan, events Events) error {
	return Run(ctx, env, plan, events)
}

// What another engine shares with this one, so that the two can take turns on
// a root.

// LocalDir is where the database of installed packages really is: DBPath/local
// may be a link inside the root.
func (e *Env) LocalDir() (string, error) { return localDir(e) }

// SyncPath is where the databases of the repositories are.
func (e *Env) SyncPath() string { return e.syncDir() }
