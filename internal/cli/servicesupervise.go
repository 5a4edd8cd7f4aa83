// SPDX-License-Identifier: GPL-3.0-or-later

package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/spf13/cobra"

	"github.com/rastos/rastos/internal/flow/services"
)

// scopeFlag lets a verb be about the services of a user.
func scopeFlag(cmd *cobra.Command, scope *services.Scope) {
	cmd.Flags().BoolVar(&scope.User, "user", false, "the services of the user who asks, not the system's")
}

func serviceSupervise(s *session) *cobra.Command {
	var scope services.Scope
	cmd := &cobra.Command{
		Use:   "supervise",
		Short: "Run the service manager",
		Long: `Supervise runs the service manager until a signal ends it, and then stops all
services. It starts what is enabled and starts by itself, runlevel boot before
default, starts again what dies, and answers the other verbs.

What people want to know goes to standard error; what services write, to their logs.`,
		Example: "  rastos service supervise --user\n  rastos service supervise --json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var mu sync.Mutex
			err := services.Of(s.Machine).Supervise(cmd.Context(), scope, func(service, text string, bad bool) {
				mu.Lock()
				defer mu.Unlock()
				s.printNote(service, text, bad)
			})
			return s.serviceMistakes(err)
		},
	}
	scopeFlag(cmd, &scope)
	return cmd
}

// printNote shows what a service manager tells.
func (s *session) printNote(service, text string, bad bool) {
	if s.flags.json {
		_ = json.NewEncoder(s.Stdout).Encode(struct {
			Service string `json:"service,omitempty"`
			Text    string `json:"text"`
			Bad     bool   `json:"bad"`
		}{service, text, bad})
		return
	}
	if service != "" {
		text = "service " + service + ": " + text
	}
	if bad {
		text = s.errStyle().Warn(text)
	}
	fmt.Fprintln(s.Stderr, text)
}

// printResults says of each service what became of it; one that did not go as
// asked ends the verb with 1.
func (s *session) printResults(results []services.Result, err error, done, not string) error {
	if err != nil {
		return s.serviceMistakes(err)
	}
	failed := false
	for _, r := range results {
		failed = failed || r.Failure != ""
		switch {
		case s.flags.json:
		case r.Failure == "":
			fmt.Fprintf(s.Stdout, "Service %s %s successfully.\n", r.Service, done)
		default:
			fmt.Fprintf(s.Stderr, "Service %s failed to %s: %s\n", r.Service, not, r.Failure)
		}
	}
	if s.flags.json {
		if err := s.printJSON(results); err != nil {
			return err
		}
	}
	if failed {
		return &silentError{ExitFailure}
	}
	return nil
}

// eachError shows what kept some services from being changed.
func (s *session) eachError(err error) error {
	var many interface{ Unwrap() []error }
	if !errors.As(err, &many) || s.flags.json {
		return s.serviceMistakes(err)
	}
	for _, e := range many.Unwrap() {
		fmt.Fprintln(s.Stderr, s.errStyle().Bad("error:"), e)
	}
	return &silentError{ExitFailure}
}
