// SPDX-License-Identifier: GPL-3.0-or-later

package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/rastos/rastos/internal/flow/services"
)

// IsRctl tells whether the program was called as rinit's own front end.
func IsRctl(argv0 string) bool { return filepath.Base(argv0) == "rctl" }

// Rctl runs a command line of rinit's rctl and returns the exit code. Root speaks
// with the manager of the system, others with their own.
func Rctl(ctx context.Context, app *App, args []string) int {
	s := newSession(ctx, app)
	r := &rctl{session: s, scope: services.Scope{User: s.Machine.Geteuid() != 0}}
	root := group("rctl", "Speak with the service manager", r.status(), r.start(), r.stop(), r.enable(), r.disable(), r.reload())
	root.Long = "Rctl is the front end of rinit, over rastos's own service manager; `rastos service`\nhas more."
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetIn(s.Stdin)
	root.SetOut(s.Stdout)
	root.SetErr(s.Stderr)
	root.CompletionOptions.DisableDefaultCmd = true
	refineTree(root)
	root.SetArgs(args)
	return s.finish(ctx, root.ExecuteContext(ctx))
}

// rctl is one run of that command line.
type rctl struct {
	*session
	scope    services.Scope
	runlevel string
	atomic   bool // all changes, or none
	strict   bool // nothing more after an error
	also     bool // start what is enabled
}

func (r *rctl) verb(use, short string, args cobra.PositionalArgs, run func(ctx context.Context, names []string) error) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Args: args, RunE: func(cmd *cobra.Command, names []string) error { return run(cmd.Context(), names) }}
}

func (r *rctl) withRunlevel(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().StringVar(&r.runlevel, "runlevel", "default", "the `runlevel` that the services must be in")
	return cmd
}

func (r *rctl) withChanges(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().BoolVar(&r.atomic, "atomic-changes", false, "change all services or none")
	cmd.Flags().BoolVar(&r.strict, "stop-at-errors", false, "change nothing more after an error")
	return r.withRunlevel(cmd)
}

func (r *rctl) status() *cobra.Command {
	return r.verb("status [SERVICE...]", "Show the state of services", cobra.ArbitraryArgs, func(ctx context.Context, names []string) error {
		all, err := services.Of(r.Machine).List(ctx, r.scope, names)
		if err != nil {
			return err
		}
		for _, v := range all {
			if v.State == "failed" { // rinit knows no such state
				v.State = "down"
			}
			fmt.Fprintf(r.Stdout, "%s: %s\n", v.Name, v.State)
		}
		return nil
	})
}

func (r *rctl) start() *cobra.Command {
	return r.withRunlevel(r.verb("start SERVICE...", "Start services", cobra.MinimumNArgs(1), func(ctx context.Context, names []string) error {
		return r.each(names, func(name string) error { return r.startOne(ctx, name) })
	}))
}

func (r *rctl) startOne(ctx context.Context, name string) error {
	results, err := services.Of(r.Machine).Start(ctx, r.scope, []string{name})
	return r.outcome(name, results, err, "started", "start")
}

func (r *rctl) stop() *cobra.Command {
	return r.withRunlevel(r.verb("stop SERVICE...", "Stop services", cobra.MinimumNArgs(1), func(ctx context.Context, names []string) error {
		return r.each(names, func(name string) error {
			results, err := services.Of(r.Machine).Stop(ctx, r.scope, []string{name}, false)
			return r.outcome(name, results, err, "stopped", "stop")
		})
	}))
}

// outcome says what became of a service, as rctl does; why not, is the error.
func (r *rctl) outcome(name string, results []services.Result, err error, done, not string) error {
	for _, v := range results {
		if v.Failure != "" {
			err = errors.New(v.Failure)
		}
	}
	if err != nil {
		fmt.Fprintf(r.Stdout, "Service %s failed to %s.\n", name, not)
		return err
	}
	fmt.Fprintf(r.Stdout, "Service %s %s successfully.\n", name, done)
	return nil
}

// each does something for each service that is in the runlevel; one that fails does
// not keep the others from it, unless it was asked for.
func (r *rctl) each(names []string, do func(name string) error) error {
	levels, err := services.Of(r.Machine).Runlevels(r.scope)
	if err != nil {
		return r.serviceMistakes(err)
	}
	wrong := func(name string) error {
		switch level, there := levels[name]; {
		case !there:
			return fmt.Errorf("service %s does not exists", name)
		case level != r.runlevel:
			return fmt.Errorf("service %s has a different runlevel then the one requested", name)
		}
		return nil
	}
	failed := false
	for _, name := range names {
		if err := wrong(name); r.atomic && err != nil {
			return err
		}
	}
	for _, name := range names {
		err := wrong(name)
		if err == nil {
			err = do(name)
		}
		if err == nil {
			continue
		}
		failed = true
		fmt.Fprintln(r.Stderr, "error:", err)
		if r.strict {
			break
		}
	}
	if failed {
		return &silentError{ExitFailure}
	}
	return nil
}

func (r *rctl) enable() *cobra.Command {
	cmd := r.withChanges(r.verb("enable SERVICE...", "Let services start with their manager", cobra.MinimumNArgs(1), func(ctx context.Context, names []string) error {
		return r.change(names, func(name string) error {
			if _, err := services.Of(r.Machine).Enable(r.scope, []string{name}); err != nil {
				return err
			}
			fmt.Fprintf(r.Stdout, "Service %s has been enabled\n", name)
			if !r.also {
				return nil
			}
			if err := services.Of(r.Machine).Reload(ctx, r.scope); err != nil {
				return err
			}
			return r.startOne(ctx, name)
		}, services.Of(r.Machine).Disable, "All the services have been enabled.")
	}))
	cmd.Flags().BoolVarP(&r.also, "start", "s", false, "start them, too")
	return cmd
}

func (r *rctl) disable() *cobra.Command {
	return r.withChanges(r.verb("disable SERVICE...", "Let services not start with their manager", cobra.MinimumNArgs(1), func(_ context.Context, names []string) error {
		return r.change(names, func(name string) error {
			if _, err := services.Of(r.Machine).Disable(r.scope, []string{name}); err != nil {
				return err
			}
			fmt.Fprintf(r.Stdout, "The service %s has been disabled\n", name)
			return nil
		}, services.Of(r.Machine).Enable, "")
	}))
}

// change changes services one by one. Where all or none are to be changed, a
// failure takes back what was changed before.
func (r *rctl) change(names []string, do func(name string) error, undo func(services.Scope, []string) ([]string, error), all string) error {
	var changed []string
	r.strict = r.strict || r.atomic
	err := r.each(names, func(name string) error {
		err := do(name)
		if err == nil {
			changed = append(changed, name)
		}
		return err
	})
	switch {
	case err != nil && r.atomic && len(changed) > 0:
		if _, undone := undo(r.scope, changed); undone != nil {
			return undone
		}
	case err == nil && all != "":
		fmt.Fprintln(r.Stdout, all)
	}
	return err
}

func (r *rctl) reload() *cobra.Command {
	return r.verb("reload", "Let the manager read the service files again", noArgs, func(ctx context.Context, _ []string) error {
		return r.serviceMistakes(services.Of(r.Machine).Reload(ctx, r.scope))
	})
}
