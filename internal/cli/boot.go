// SPDX-License-Identifier: GPL-3.0-or-later

package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

func bootCommand(s *session) *cobra.Command {
	return group("boot", "Finish a boot: health checks, blessing, falling back", bootComplete(s))
}

func bootComplete(s *session) *cobra.Command {
	var stay bool
	cmd := &cobra.Command{
		Use:   "complete",
		Short: "Check this boot's health; bless its deployment, or try again",
		Long: `Complete waits for the end of the start-up, then checks that it did not end in
emergency mode, that no service failed, that the declared network is up, and that
every [[health]] command of the manifest and every program in /etc/rastos/health.d
and /usr/lib/rastos/health.d succeeds. A healthy deployment is blessed: it is good
from then on. An unhealthy one that is on trial is rebooted into its next try; after
the last one the boot loader takes the last good one.

rastos-complete.service runs it at every boot.`,
		Example: "  rastos boot complete --no-reboot",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			out, err := s.Machine.CompleteBoot(cmd.Context(), s.sink())
			if err != nil {
				return err
			}
			if s.flags.json {
				err = s.printJSON(out)
			} else if out.Fallback != "" {
				_, err = fmt.Fprintln(s.Stdout, out.Fallback)
			}
			if err != nil || out.Healthy {
				return err
			}
			if out.Reboot && !stay {
				return s.Machine.Reboot(cmd.Context())
			}
			return &silentError{ExitFailure}
		},
	}
	cmd.Flags().BoolVar(&stay, "no-reboot", false, "do not reboot after a failed check")
	return cmd
}
