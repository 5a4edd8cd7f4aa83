// SPDX-License-Identifier: GPL-3.0-or-later

package libalpm

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/libalpm/wire"
	"github.com/rastos/rastos/alpm/solve"
	"github.com/rastos/rastos/alpm/trans"
)

// Engine is the system's libalpm in the place of alpm/trans, whose functions
// of the same names say what each of these does.
type Engine struct {
	Start Start
	// Log is told what the library logs as debug messages; nil: nobody is.
	Log func(string)
}

// Sync refreshes the databases, one after the other.
func (e Engine) Sync(ctx context.Context, env trans.Env, events trans.Events) (changed []string, err error) {
	release, err := lock(ctx, &env, events)
	if err != nil {
		return nil, err
	}
	defer release()
	if err := os.MkdirAll(env.SyncPath(), 0o755); err != nil {
		return nil, fmt.Errorf("sync databases: %w", err)
	}
	s, err := e.open(ctx, &env, events, purpose{})
	if err != nil {
		return nil, err
	}
	defer s.close()
	var failed []error
	for _, r := range env.Repos {
		if len(r.Servers) == 0 || !r.Usage.Allows(solve.UseSync) {
			continue
		}
		var res wire.Refreshed
		err := s.client.Call(ctx, wire.MethodRefresh, wire.Refresh{Repo: r.Name}, &res)
		var helper *HelperError
		switch {
		case ctx.Err() != nil:
			return changed, context.Cause(ctx)
		case errors.As(err, &helper):
			return changed, err
		case err != nil:
			failed = append(failed, &trans.RepoError{Repo: r.Name, Err: typed(&env, err)})
			continue
		}
		text := "up to date"
		if res.Changed {
			changed, text = append(changed, r.Name), "updated"
		}
		s.tell(trans.Event{Kind: trans.EventSync, Name: r.Name, Text: text, Finished: true})
	}
	return changed, errors.Join(failed...)
}

// Prepare works out what the request means here. It changes nothing and takes
// no lock.
func (e Engine) Prepare(ctx context.Context, env trans.Env, req trans.Request) (*trans.Plan, error) {
	s, err := e.open(ctx, &env, nil, purpose{options: req.Options, assume: req.Assume})
	if err != nil {
		return nil, err
	}
	defer s.close()
	s.client.Question = questions(req.Answer, env.Corrupt)
	p, err := s.prepare(ctx, req)
	if err == nil {
		err = hold(&env, req, p)
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}

func (s *session) prepare(ctx context.Context, req trans.Request) (*trans.Plan, error) {
	flags := optionFlags(s.env, req.Options)
	flags.NoDeps, flags.NoVersions, flags.NoConflicts, flags.Needed = req.NoDeps, req.NoVersions, req.NoConflicts, req.Needed
	flags.AsDeps, flags.AsExplicit, flags.Cascade, flags.Unneeded = req.AsDeps, req.AsExplicit, req.Cascade, req.Unneeded
	flags.Recursive, flags.RecursiveAll = req.Recursive, req.RecursiveAll
	if err := s.call(ctx, wire.MethodBegin, flags, nil); err != nil {
		return nil, err
	}
	if err := s.addTargets(ctx, req); err != nil {
		return nil, err
	}
	if req.SysUpgrade {
		if err := s.call(ctx, wire.MethodSysUpgrade, wire.SysUpgrade{Downgrade: req.Downgrade}, nil); err != nil {
			return nil, err
		}
	}
	var p wire.Plan
	if err := s.call(ctx, wire.MethodPrepare, nil, &p); err != nil {
		return nil, s.noDatabase(err)
	}
	plan := planOf(p, req)
	for _, text := range s.warnings {
		plan.Notes = append(plan.Notes, solve.Note{Kind: NoteLog, Text: text})
	}
	return plan, nil
}

// NoteLog is a warning of the library's, in its own words.
const NoteLog solve.NoteKind = "libalpm"

// addTargets names everything before it fails for what is not there.
func (s *session) addTargets(ctx context.Context, req trans.Request) error {
	var lost []*solve.NotFoundError
	add := func(m wire.Method, body any) error {
		err := s.call(ctx, m, body, nil)
		var none *solve.NotFoundError
		if errors.As(err, &none) {
			lost = append(lost, none)
			return nil
		}
		return err
	}
	for i, file := range append(append([]string(nil), req.Files...), req.Remote...) {
		if err := s.addFile(ctx, file, i >= len(req.Files)); err != nil {
			return err
		}
	}
	for _, t := range req.Remove {
		if err := add(wire.MethodRemove, wire.Target{Name: t}); err != nil {
			return err
		}
	}
	for _, t := range req.Targets {
		if err := add(wire.MethodTarget, wire.Target{Name: t}); err != nil {
			return s.noDatabase(err)
		}
	}
	switch len(lost) {
	case 0:
		return nil
	case 1:
		if err := s.missing(); err != nil && !lost[0].Installed {
			return err
		}
		return lost[0]
	}
	return &solve.NotFoundListError{List: lost}
}

// Download has the library get and verify every archive of the plan.
func (e Engine) Download(ctx context.Context, env trans.Env, plan *trans.Plan, events trans.Events) error {
	if len(plan.Install) == 0 {
		return nil
	}
	s, err := e.open(ctx, &env, events, purpose{options: plan.Options})
	if err != nil {
		return err
	}
	defer s.close()
	s.client.Question = questions(nil, env.Corrupt)
	flags := wire.Flags{NoDeps: true, NoConflicts: true, DownloadOnly: true}
	if err := s.repeat(ctx, flags, &trans.Plan{Install: plan.Install}); err != nil {
		return err
	}
	s.quiet = false
	return s.call(ctx, wire.MethodCommit, wire.Commit{}, nil)
}

// Run carries out a plan. The root is untouched when it fails before the first
// package. When ctx ends, the package at hand is finished and no other begun.
func (e Engine) Run(ctx context.Context, env trans.Env, plan *trans.Plan, events trans.Events) (err error) {
	release, err := lock(ctx, &env, events)
	if err != nil {
		return err
	}
	defer release()
	unmake, err := makeFolders(&env)
	if err != nil {
		return err
	}
	s, err := e.open(ctx, &env, events, purpose{options: plan.Options, changes: true})
	if err != nil {
		unmake()
		return err
	}
	defer func() {
		s.close()
		if !s.started {
			unmake()
		}
	}()
	s.client.Question = questions(nil, env.Corrupt)
	if err := s.fits(ctx, plan); err != nil || plan.Empty() {
		return err
	}
	flags := optionFlags(&env, plan.Options)
	flags.NoDeps, flags.NoConflicts = true, true
	if err := s.repeat(ctx, flags, plan); err != nil {
		return err
	}
	end := func(error) {}
	if env.History != nil {
		if end, err = env.History.Begin(plan); err != nil {
			return fmt.Errorf("write the history: %w", err)
		}
	}
	s.quiet, s.total = false, int64(len(plan.Install)+len(plan.Remove))
	err = s.keep(plan)
	if err == nil {
		err = s.commit(ctx, plan)
	}
	err = s.afterDeath(plan, err)
	end(err)
	return err
}

// fits makes sure that the plan is still for what is installed.
func (s *session) fits(ctx context.Context, plan *trans.Plan) error {
	var installed []*desc.Package
	if err := s.call(ctx, wire.MethodPackages, wire.In{}, &installed); err != nil {
		return err
	}
	versions := make(map[string]string, len(installed))
	for _, p := range installed {
		versions[p.Name] = p.Version
	}
	return plan.Fits(func(name string) string { return versions[name] })
}

// repeat gives the library a plan again, in its order: without the checks of
// dependencies and conflicts, which made the plan, it neither adds nor moves
// anything.
func (s *session) repeat(ctx context.Context, flags wire.Flags, plan *trans.Plan) error {
	s.quiet = true
	if err := s.call(ctx, wire.MethodBegin, flags, nil); err != nil {
		return err
	}
	for _, rm := range plan.Remove {
		if err := s.call(ctx, wire.MethodRemove, wire.Target{Name: rm.Package.Name}, nil); err != nil {
			return err
		}
	}
	for _, st := range plan.Install {
		var err error
		if st.File != "" {
			err = s.addFile(ctx, st.File, st.Remote)
		} else {
			err = s.call(ctx, wire.MethodTarget, wire.Target{Name: st.Repo + "/" + st.Package.Name, Version: st.Package.Version}, nil)
		}
		var none *solve.NotFoundError
		if errors.As(err, &none) {
			return &goneError{st.Repo, st.Package.Entry()}
		}
		if err != nil {
			return err
		}
	}
	return s.call(ctx, wire.MethodPrepare, nil, nil)
}

// goneError is a package of a plan that its repository has no more.
type goneError struct{ repo, entry string }

func (e *goneError) Error() string {
	return fmt.Sprintf("the plan is out of date: repository %s has %s no more", e.repo, e.entry)
}

// Hint tells what to do.
func (e *goneError) Hint() string { return "plan again" }

func (s *session) addFile(ctx context.Context, file string, remote bool) error {
	abs, err := absolute(file)
	if err != nil {
		return err
	}
	if err := s.call(ctx, wire.MethodFile, wire.File{Path: abs, Remote: remote}, nil); err != nil {
		return &trans.FileError{File: file, Err: err}
	}
	return nil
}

// commit carries out what was repeated.
func (s *session) commit(ctx context.Context, plan *trans.Plan) error {
	var reasons []wire.Reason
	for _, st := range plan.Install {
		reasons = append(reasons, wire.Reason{Name: st.Package.Name, Reason: st.Reason})
	}
	var res wire.Committed
	err := s.call(ctx, wire.MethodCommit, wire.Commit{Reasons: reasons}, &res)
	if err == nil && res.Interrupted {
		err = context.Cause(ctx)
		if err == nil {
			err = errors.New("interrupted")
		}
	}
	if err == nil || !s.started {
		return err
	}
	return &trans.PackageError{Op: s.operation, Package: s.at, Done: int(s.done), Total: int(s.total), Err: err}
}
