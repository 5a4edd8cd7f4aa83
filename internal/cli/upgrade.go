// SPDX-License-Identifier: GPL-3.0-or-later

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/rastos/rastos/internal/flow"
	"github.com/rastos/rastos/internal/report"
)

func upgradeCommand(s *session) *cobra.Command {
	var where flow.Where
	var r flow.UpgradeRequest
	var change liveFlags
	var channel channelFlags
	cmd := &cobra.Command{
		Use:   "upgrade",
		Short: "Upgrade all packages in a new node beside the running system",
		Long: `Upgrade fetches the package databases, builds a new node with the newer packages
beside the running one, carries this machine's /etc over into it, and arms it: the
next boot tries it, as often as [snapshots] tries says, and falls back to the last
good system if it fails. The running system is not touched, unless --live lets the
new node take its place at once.

Where not all packages can be upgraded, those that cannot are named with the reason,
and it is asked whether they shall stay as they are; --hold-back says yes.

--node makes a new version of another node instead, which is not deployed; --tree
also makes new versions of all that is below the node, all of them at once.

--from follows a channel in place of the repositories: the node of an image in an
OCI registry, as rastos snapshot pull gets it, is deployed. Without a name, it is
[update] from of the manifest.`,
		Example: "  rastos upgrade\n  rastos upgrade --tree\n  rastos upgrade --node web --yes\n  rastos upgrade --yes && systemctl reboot\n  rastos upgrade --live\n  rastos upgrade --dry-run --json\n  rastos upgrade --from oci://registry.example/fleet/web:stable\n  rastos upgrade --from=",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r.Refresh, r.Ask = true, s.asker(change.changeFlags)
			switch {
			case cmd.Flags().Changed("from") && (where.Given() || change.live):
				return usage(cmd, errors.New("--from goes with none of --node, --tree and --live"))
			case cmd.Flags().Changed("from"):
				return s.upgradeFrom(cmd.Context(), channel.PullRequest, change.changeFlags)
			case where.Given() && change.live:
				return usage(cmd, errLiveNodes)
			case where.Given():
				return s.upgradeNodes(cmd.Context(), where, r, change.changeFlags)
			}
			return s.upgrade(cmd.Context(), r, change)
		},
	}
	atNode(cmd, &where)
	holdBackFlag(cmd, &r.HoldBack)
	change.add(cmd)
	cmd.Flags().StringVar(&channel.From, "from", "", "deploy the node of this `image` (oci://…); empty: that of the manifest")
	channel.add(cmd)
	return cmd
}

func (s *session) settings() flow.Settings {
	return flow.Settings{
		CacheDir: s.config.CacheDir, WorkDir: s.config.WorkDir,
		Workers: s.config.Workers, Parallel: s.config.Parallel,
	}
}

func (s *session) upgrade(ctx context.Context, r flow.UpgradeRequest, change liveFlags) error {
	w, p, err := s.Machine.PlanUpgrade(ctx, s.sink(), s.settings(), r)
	if err != nil {
		return err
	}
	if err := change.atOnce(w, p); err != nil {
		return err
	}
	if change.dryRun && s.flags.json {
		return s.printJSON(p)
	}
	if p.Empty() {
		if s.flags.json {
			return s.printJSON(p)
		}
		if err := s.printHeld(p); err != nil || len(p.Packages.Held) > 0 {
			return err
		}
		_, err := fmt.Fprintf(s.Stdout, "node %d is up to date\n", p.Base.Number)
		return err
	}
	if !s.flags.json {
		if err := s.printUpgrade(p); err != nil {
			return err
		}
	}
	if change.dryRun {
		return nil
	}
	if err := s.confirm("Go on?", change.yes); err != nil {
		return err
	}
	done, err := s.Machine.RunChange(ctx, s.sink(), w, p)
	if err != nil {
		return err
	}
	return s.printDone(done, "")
}

func (s *session) printUpgrade(p *flow.ChangePlan) error {
	if p.Unchanged() {
		return s.printStaged(p)
	}
	if err := s.printPackages(s.Stdout, p); err != nil {
		return err
	}
	fmt.Fprintln(s.Stdout)
	return s.printPlace(p)
}

// printPackages shows what a transaction does to packages.
func (s *session) printPackages(w io.Writer, plan *flow.ChangePlan) error {
	p := plan.Packages
	t := report.NewTable("PACKAGE", "OLD", "NEW", "#DOWNLOAD")
	for _, st := range p.Install {
		old := ""
		if st.Old != nil {
			old = st.Old.Version
		}
		t.Row(st.Package.Name, old, st.Package.Version, report.Size(st.Download))
	}
	for _, rm := range p.Remove {
		t.Row(rm.Package.Name, rm.Package.Version, "removed", "")
	}
	if err := t.Print(w, s.outStyle()); err != nil {
		return err
	}
	fmt.Fprintf(w, "%s to download, %s more on the disk\n", report.Size(p.Sizes.Download), report.Size(p.Sizes.Net))
	return s.printHeld(plan)
}

// printHeld tells what an upgrade leaves as it is, and why.
func (s *session) printHeld(p *flow.ChangePlan) error {
	for _, h := range p.Packages.Held {
		if _, err := fmt.Fprintf(s.Stdout, "held back: %s stays at %s and does not go to %s: %s\n", h.Name, h.Version, h.New, h.Reason()); err != nil {
			return err
		}
	}
	return nil
}

// holdBackFlag adds the flag that answers the question beforehand.
func holdBackFlag(cmd *cobra.Command, hold *bool) {
	cmd.Flags().BoolVar(hold, "hold-back", false, "leave packages as they are that cannot be upgraded with the rest")
}
