// SPDX-License-Identifier: GPL-3.0-or-later

package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rastos/rastos/internal/flow/services"
	"github.com/rastos/rastos/internal/report"
)

func serviceList(s *session) *cobra.Command {
	var scope services.Scope
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the services that the manager knows",
		Example: "  rastos service list\n  rastos service list --user --json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			all, err := services.Of(s.Machine).List(cmd.Context(), scope, nil)
			if err != nil {
				return err
			}
			if s.flags.json {
				return s.printJSON(all)
			}
			t := report.NewTable("SERVICE", "STATE", "TYPE", "RUNLEVEL", "#PID", "#MEMORY", "#RESTARTS", "SINCE")
			for _, v := range all {
				pid, memory := "", ""
				if v.PID != 0 {
					pid, memory = fmt.Sprint(v.PID), report.Size(v.Memory)
				}
				t.Row(v.Name, v.State, v.Type, v.Runlevel, pid, memory, fmt.Sprint(v.Restarts), s.ago(v.Since))
			}
			return t.Print(s.Stdout, s.outStyle())
		},
	}
	scopeFlag(cmd, &scope)
	return cmd
}

// ago is how long something is so.
func (s *session) ago(since time.Time) string {
	if since.IsZero() {
		return ""
	}
	return s.Now().Sub(since).Round(time.Second).String()
}

func serviceStatus(s *session) *cobra.Command {
	var scope services.Scope
	cmd := &cobra.Command{
		Use:   "status SERVICE...",
		Short: "Show all that is known of services",
		Long: `Status shows of each service its state, since when it is in it, its process and the
memory of that, how often it was started again by itself, how it ended last, and
what it says of itself.`,
		Example: "  rastos service status nginx\n  rastos service status nginx --json",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			all, err := services.Of(s.Machine).List(cmd.Context(), scope, args)
			if err != nil {
				return err
			}
			if s.flags.json {
				return s.printJSON(all)
			}
			for i, v := range all {
				if i > 0 {
					fmt.Fprintln(s.Stdout)
				}
				s.printServiceState(v)
			}
			return nil
		},
	}
	scopeFlag(cmd, &scope)
	return cmd
}

func (s *session) printServiceState(v services.State) {
	style := s.outStyle()
	state := v.State
	switch state {
	case "up":
		state = style.Good(state)
	case "failed":
		state = style.Bad(state)
	}
	row := func(key, value string) {
		if value != "" {
			fmt.Fprintf(s.Stdout, "  %-12s %s\n", key, shownText(value))
		}
	}
	fmt.Fprintf(s.Stdout, "%s: %s\n", style.Bold(v.Name), state)
	row("description", v.Description)
	row("type", v.Type+", runlevel "+v.Runlevel)
	if since := s.ago(v.Since); since != "" {
		row("since", fmt.Sprintf("%s, for %s", v.Since.Format(time.DateTime), since))
	}
	if v.PID != 0 {
		row("process", fmt.Sprintf("%d, %s of memory", v.PID, report.Size(v.Memory)))
	}
	row("says", v.Says)
	if v.Restarts > 0 {
		row("restarts", fmt.Sprint(v.Restarts))
	}
	row("last end", v.LastExit)
	row("failure", v.Failure)
	if v.Unready {
		row("note", "it is alive and has not told yet that it is ready")
	}
	if v.Changed {
		row("note", "its file has changed: it follows when it is down next")
	}
}

// shownText takes out of a text what a terminal would act on.
func shownText(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\t' && (r < ' ' || r >= 0x7f && r < 0xa0) {
			return '\uFFFD'
		}
		return r
	}, text)
}
