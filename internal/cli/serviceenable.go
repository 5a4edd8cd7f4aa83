// SPDX-License-Identifier: GPL-3.0-or-later

package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/rastos/rastos/internal/flow/services"
)

func serviceEnable(s *session) *cobra.Command {
	var scope services.Scope
	var start bool
	cmd := &cobra.Command{
		Use:   "enable SERVICE...",
		Short: "Let services start with their manager",
		Long: `Enable makes services start when their manager does, in the runlevel that their
files name, unless these say autostart = no. What they need starts with them and
need not be enabled. Links in /etc/rinit/enabled, or in rinit/enabled of the user's
configuration, keep it.`,
		Example: "  rastos service enable nginx\n  rastos service enable nginx --start\n  rastos service enable nginx --root /mnt",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if start && scope.Root != "" {
				return usage(cmd, errors.New("--start needs a manager, and --root names a system that does not run"))
			}
			changed, err := services.Of(s.Machine).Enable(scope, args)
			if err := s.printEnabled(changed, err, "Service %s has been enabled\n"); err != nil || !start {
				return err
			}
			if err := services.Of(s.Machine).Reload(cmd.Context(), scope); err != nil {
				return s.serviceMistakes(err)
			}
			results, err := services.Of(s.Machine).Start(cmd.Context(), scope, changed)
			return s.printResults(results, err, "started", "start")
		},
	}
	scopeFlag(cmd, &scope)
	cmd.Flags().StringVar(&scope.Root, "root", "", "those of the system in this `folder`, which need not run")
	cmd.Flags().BoolVarP(&start, "start", "s", false, "start them, too")
	return cmd
}

func serviceDisable(s *session) *cobra.Command {
	var scope services.Scope
	cmd := &cobra.Command{
		Use:     "disable SERVICE...",
		Short:   "Let services not start with their manager",
		Long:    "Disable takes back what enable did. What runs goes on.",
		Example: "  rastos service disable nginx\n  rastos service disable nginx --root /mnt",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			changed, err := services.Of(s.Machine).Disable(scope, args)
			return s.printEnabled(changed, err, "The service %s has been disabled\n")
		},
	}
	scopeFlag(cmd, &scope)
	cmd.Flags().StringVar(&scope.Root, "root", "", "those of the system in this `folder`, which need not run")
	return cmd
}

func (s *session) printEnabled(changed []string, err error, line string) error {
	if s.flags.json && err == nil {
		return s.printJSON(struct {
			Changed []string `json:"changed"`
		}{changed})
	}
	if !s.flags.json {
		for _, name := range changed {
			fmt.Fprintf(s.Stdout, line, name)
		}
	}
	return s.eachError(err)
}
