// SPDX-License-Identifier: GPL-3.0-or-later

package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/rastos/rastos/internal/flow/services"
)

func serviceLogs(s *session) *cobra.Command {
	var scope services.Scope
	r := services.LogRequest{}
	cmd := &cobra.Command{
		Use:   "logs SERVICE",
		Short: "Show what a service has written",
		Long: `Logs shows what a service has written to its standard output and standard error,
line by line with the time.`,
		Example: `  rastos service logs nginx
  rastos service logs nginx -f -n 20
  rastos service logs nginx --since 2h --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if r.Since < 0 {
				return usage(cmd, errors.New("--since counts from now into the past, and wants no minus"))
			}
			r.Service = args[0]
			return services.Of(s.Machine).Log(cmd.Context(), scope, r, func(l services.Line) error {
				if s.flags.json {
					return s.printJSON(l)
				}
				mark := l.Stream
				if mark == "stderr" {
					mark = s.outStyle().Warn(mark)
				}
				_, err := fmt.Fprintf(s.Stdout, "%s %s: %s\n", l.Time.Local().Format(time.StampMilli), mark, shownText(l.Text))
				return err
			})
		},
	}
	scopeFlag(cmd, &scope)
	f := cmd.Flags()
	f.BoolVarP(&r.Follow, "follow", "f", false, "go on as the service writes more")
	f.IntVarP(&r.Last, "lines", "n", -1, "so many of the last `lines` only")
	f.DurationVar(&r.Since, "since", 0, "only what was written in the last `time`, as 90s, 15m or 2h")
	return cmd
}
