// SPDX-License-Identifier: GPL-3.0-or-later

package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/rastos/rastos/internal/flow"
)

const applyLong = `Apply makes a system what its manifest says: it installs what is declared and
missing, removes what nothing declares and nothing needs, sets which packages
count as asked for, and sets up users, services, network, language and host
name. What came out is pinned in rastos.lock beside the manifest.

On a machine that was booted from a node everything happens in one new node,
which the next boot tries, and --live applies at once where nothing is in the
way; on any other system it happens in place.

` + manifestLong

func applyCommand(s *session) *cobra.Command {
	var r flow.ApplyRequest
	var change liveFlags
	cmd := &cobra.Command{
		Use:   "apply [FILE]",
		Short: "Make a system what its manifest says",
		Long:  applyLong,
		Example: `  rastos apply
  rastos apply machine.toml --upgrade --yes && systemctl reboot
  rastos apply --live
  rastos apply machine.toml --root /mnt --locked
  rastos apply --dry-run --json`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: manifestFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := applyRequest(cmd, &r, args); err != nil {
				return err
			}
			r.Ask = s.asker(change.changeFlags)
			return s.apply(cmd.Context(), r, change)
		},
	}
	applyFlags(cmd, &r)
	change.add(cmd)
	return cmd
}

func (s *session) apply(ctx context.Context, r flow.ApplyRequest, change liveFlags) error {
	w, p, err := s.planApply(ctx, r)
	if err != nil {
		return err
	}
	if err := change.atOnce(w, &p.ChangePlan); err != nil {
		return err
	}
	if s.flags.json && (change.dryRun || p.Empty()) {
		return s.printJSON(p)
	}
	if !s.flags.json {
		if err := s.printApplyPlan(p); err != nil {
			return err
		}
	}
	if change.dryRun || p.Empty() {
		return nil
	}
	if err := s.confirm("Go on?", change.yes); err != nil {
		return err
	}
	done, err := s.Machine.RunApply(ctx, s.sink(), w, p)
	if err != nil {
		return err
	}
	return s.printDone(done, p.Root+" is what its manifest says")
}
