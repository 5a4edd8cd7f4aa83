// SPDX-License-Identifier: GPL-3.0-or-later

package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

func snapshotDelete(s *session) *cobra.Command {
	var change changeFlags
	var recursive bool
	cmd := &cobra.Command{
		Use:   "delete NODE...",
		Short: "Delete nodes with their deployments",
		Long: `Delete removes nodes from the tree, with the deployments that run them; what is
below them moves up to their parent, unless --recursive takes it along. The node
that runs, the one that boots next, the last good ones, pinned ones and those that
somebody works on (an open shell) stay, and the error says why. The number of a
deleted node is never given again.`,
		Example: "  rastos snapshot delete 7\n  rastos snapshot delete web --recursive --dry-run",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			p, err := s.Machine.PlanDelete(args, recursive)
			if err != nil {
				return err
			}
			if s.flags.json {
				if err := s.printJSON(p); err != nil || change.dryRun {
					return err
				}
			} else {
				for _, n := range p.Nodes {
					fmt.Fprintf(s.Stdout, "delete node %d  %s\n", n.Number, n.Reason)
				}
				for _, d := range p.Deployments {
					fmt.Fprintf(s.Stdout, "with deployment %d (%s)\n", d.Number, d.State)
				}
			}
			if change.dryRun {
				return nil
			}
			if err := s.confirm("Go on?", change.yes); err != nil {
				return err
			}
			return s.Machine.RunDelete(s.sink(), p)
		},
	}
	cmd.Flags().BoolVarP(&recursive, "recursive", "r", false, "delete all that is below them, too")
	change.add(cmd)
	return cmd
}
