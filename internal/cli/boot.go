// SPDX-License-Identifier: GPL-3.0-or-later

package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/rastos/rastos/internal/flow"
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

func etcCommand(s *session) *cobra.Command {
	return group("etc", "Carry changes of /etc from one deployment to the next", etcFold(s))
}

func etcFold(s *session) *cobra.Command {
	var r flow.FoldRequest
	cmd := &cobra.Command{
		Use:   "fold",
		Short: "Carry late changes of /etc into the deployment that boots next",
		Long: `Fold merges what changed in /etc since an upgrade was staged into the /etc of the
deployment that boots next. rastos-fold.service runs it at shutdown, the initramfs
once more before a deployment's first boot, in case a power cut came between.`,
		Example: "  rastos etc fold",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return s.Machine.Fold(cmd.Context(), s.sink(), r) },
	}
	cmd.Flags().StringVar(&r.Top, "top", "", "`folder` where the file system's top level is mounted")
	cmd.Flags().IntVar(&r.Deployment, "deployment", 0, "the `deployment` that is about to boot")
	return cmd
}
