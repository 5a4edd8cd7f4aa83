// SPDX-License-Identifier: GPL-3.0-or-later

package trans

import (
	"context"
	"errors"
	"fmt"

	"github.com/rastos/rastos/alpm/journal"
	"github.com/rastos/rastos/alpm/localdb"
)

// journalled carries out a plan so that it is never half-done: what fails
// before the commit is taken back, what is cut off after it is finished by
// whoever comes next.
func (r *runner) journalled(ctx context.Context) error {
	s, err := r.stage(ctx)
	if err == nil {
		err = r.preHooks(ctx)
	}
	if err == nil {
		err = s.allAgain(ctx)
	}
	if err == nil && ctx.Err() != nil {
		err = fmt.Errorf("interrupted before anything was changed: %w", context.Cause(ctx))
	}
	if err != nil {
		return r.takeBack(s, err)
	}
	if err := errors.Join(s.log.Append(kindCommit, struct{}{}), s.log.Sync()); err != nil {
		// What the disk has of it decides, the next time.
		return errors.Join(&UnfinishedError{Total: r.total, Err: err}, s.log.Close())
	}
	if err := r.start(ctx); err != nil {
		return err
	}
	return r.complete(ctx, newSwitcher(r, s.head, s.log, r.staged))
}

// takeBack undoes the staging and tells why.
func (r *runner) takeBack(s *stager, cause error) error {
	if s == nil || s.log == nil {
		return cause
	}
	if errors.Is(cause, errStopped) {
		return errors.Join(cause, s.log.Close())
	}
	if err := undo(r.env, r.tree, r.local, s.log, s.head); err != nil {
		return errors.Join(cause, &UnfinishedError{Total: r.total, Err: err}, s.log.Close())
	}
	return cause
}

// complete switches what is staged, and does what follows on that.
func (r *runner) complete(ctx context.Context, s *switcher) error {
	if err := s.all(ctx); err != nil {
		return errors.Join(err, s.log.Close())
	}
	return r.conclude(ctx, s.log, s.outcome())
}

// conclude runs what comes after the last package and ends the journal. The
// files are in their places: no failure and no interruption keeps it open.
func (r *runner) conclude(ctx context.Context, log *journal.Log, outcome error) error {
	errs := []error{outcome}
	for _, stage := range []func(context.Context) error{r.ldconfig, r.takeKeys, r.finish, r.postHooks} {
		if err := r.env.step("after"); err != nil {
			return errors.Join(&UnfinishedError{Done: r.total, Total: r.total, Err: err}, log.Close())
		}
		if err := stage(ctx); err != nil {
			errs = append(errs, err)
			break
		}
	}
	if err := r.local.Unstage(); err != nil {
		errs = append(errs, err)
	}
	if err := log.Remove(); err != nil {
		if errors.Is(err, errStopped) {
			return err
		}
		errs = append(errs, &UnfinishedError{Done: r.total, Total: r.total, Err: err})
	}
	return errors.Join(errs...)
}

// openLate opens the database for a journalled run, which flushes it at its end.
func openLate(env *Env) (*localdb.DB, error) {
	dir, err := localDir(env)
	if err != nil {
		return nil, err
	}
	return localdb.OpenWith(dir, localdb.Options{Late: true, Step: env.fault})
}

// step is where tests stop or fail a journalled run.
func (e *Env) step(what string) error {
	if e.fault == nil {
		return nil
	}
	return e.fault(what)
}
