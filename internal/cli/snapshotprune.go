// SPDX-License-Identifier: GPL-3.0-or-later

package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/rastos/rastos/internal/flow"
	"github.com/rastos/rastos/internal/report"
)

func snapshotPrune(s *session) *cobra.Command {
	var change changeFlags
	cmd := &cobra.Command{
		Use:   "prune",
		Short: "Remove what the rules do not keep",
		Long: `Prune removes the deployments and nodes that [snapshots] keep of the manifest does
not keep, and the kernels and initramfs images on the EFI system partition that
nothing boots any more. It says of each what happens to it, and why.

The deployment that runs, the one that boots next and the last good ones stay in
any case, and so do nodes that are pinned, have a label or an alias, that somebody
works on, or that a sync would need. Rules decide on deployments, and in a series of their own on pictures of
the running system (snapshot create) and on nodes that a newer version replaces. A
node that a person made, and nothing replaces, stays until it is deleted.

The same happens by itself when a deployment has proven itself good.`,
		Example: "  rastos snapshot prune --dry-run\n  rastos snapshot prune --yes\n  rastos snapshot prune --dry-run --json",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			p, err := s.Machine.PlanPrune(nil)
			if err != nil {
				return err
			}
			if err := s.printPrune(p); err != nil {
				return err
			}
			if change.dryRun || len(p.Removed()) == 0 {
				return nil
			}
			if err := s.confirm("Go on?", change.yes); err != nil {
				return err
			}
			return s.Machine.RunPrune(s.sink(), p)
		},
	}
	change.add(cmd)
	return cmd
}

// printPrune shows each decision.
func (s *session) printPrune(p *flow.PrunePlan) error {
	if s.flags.json {
		return s.printJSON(p)
	}
	t := report.NewTable("DECISION", "WHAT", "WHY")
	for _, d := range p.Decisions {
		what, action := fmt.Sprintf("%s %d", d.Kind, d.Number), "remove"
		switch {
		case d.Kind == flow.PruneBlob:
			what = fmt.Sprintf("%s of %s on the ESP", d.Digest[:12], report.Size(d.Size))
		case d.Node != 0:
			what += fmt.Sprintf(" (node %d)", d.Node)
		}
		if d.Keep {
			action = "keep"
		}
		t.Row(action, what, d.Why)
	}
	if err := t.Print(s.Stdout, s.outStyle()); err != nil {
		return err
	}
	_, err := fmt.Fprintf(s.Stdout, "\n%d of %d to remove\n", len(p.Removed()), len(p.Decisions))
	return err
}
