// SPDX-License-Identifier: GPL-3.0-or-later

package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/rastos/rastos/internal/flow/services"
)

func serviceStart(s *session) *cobra.Command {
	var scope services.Scope
	cmd := &cobra.Command{
		Use:   "start SERVICE...",
		Short: "Start services",
		Long: `Start lets the manager start services with all that they need, and waits until
they are up or have failed.`,
		Example: "  rastos service start nginx\n  rastos service start --user backup sync",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			results, err := services.Of(s.Machine).Start(cmd.Context(), scope, args)
			return s.printResults(results, err, "started", "start")
		},
	}
	scopeFlag(cmd, &scope)
	return cmd
}

func serviceStop(s *session) *cobra.Command {
	var scope services.Scope
	var recursive bool
	cmd := &cobra.Command{
		Use:   "stop SERVICE...",
		Short: "Stop services",
		Long: `Stop lets the manager stop services, and waits until they are down. While
something runs that depends on one of them it refuses, unless --recursive stops
that first.`,
		Example: "  rastos service stop nginx\n  rastos service stop network --recursive",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			results, err := services.Of(s.Machine).Stop(cmd.Context(), scope, args, recursive)
			return s.printResults(results, err, "stopped", "stop")
		},
	}
	scopeFlag(cmd, &scope)
	cmd.Flags().BoolVarP(&recursive, "recursive", "r", false, "stop what depends on them, too")
	return cmd
}

func serviceRestart(s *session) *cobra.Command {
	var scope services.Scope
	cmd := &cobra.Command{
		Use:   "restart SERVICE...",
		Short: "Stop services and start them again",
		Long: `Restart lets the manager end services and start them again, and waits until they
are up or have failed. What depends on them is not touched. One that is down is
started.`,
		Example: "  rastos service restart nginx",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			results, err := services.Of(s.Machine).Restart(cmd.Context(), scope, args)
			return s.printResults(results, err, "restarted", "restart")
		},
	}
	scopeFlag(cmd, &scope)
	return cmd
}

func serviceReload(s *session) *cobra.Command {
	var scope services.Scope
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "Let the manager read the service files again",
		Long: `Reload lets the manager read the service files again. What is down follows them at
once; what runs is not touched and follows when it is down next. Where a file has a
mistake, nothing changes.`,
		Example: "  rastos service reload",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := services.Of(s.Machine).Reload(cmd.Context(), scope); err != nil {
				return s.serviceMistakes(err)
			}
			if s.flags.json {
				return s.printJSON(struct {
					Reloaded bool `json:"reloaded"`
				}{true})
			}
			_, err := fmt.Fprintln(s.Stdout, "The service files are read.")
			return err
		},
	}
	scopeFlag(cmd, &scope)
	return cmd
}
