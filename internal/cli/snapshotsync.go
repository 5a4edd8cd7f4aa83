// SPDX-License-Identifier: GPL-3.0-or-later

package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/rastos/rastos/internal/flow"
)

func snapshotSync(s *session) *cobra.Command {
	var change changeFlags
	cmd := &cobra.Command{
		Use:   "sync NODE",
		Short: "Carry what changed in a node to those that came from it",
		Long: `Sync gives what changed in a node to the nodes that came from an older version of
it: each gets a new version, all of them at once, below the newest version of NODE.

The change of packages is replayed over each node, to the very versions, from the
repositories or the cache. A package that the node has in another version than NODE
had stays as it is. What a shell or a command changed beside packages is merged file
by file, three ways: text by lines, accounts by name. Where both changed the same,
the node's own stays, the other is laid beside it as FILE.rastnew, and it is told.
Nothing is copied over what a node has of its own.`,
		Example: "  rastos snapshot sync 3 --dry-run\n  rastos snapshot sync base --yes",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			w, p, err := s.Machine.PlanSync(cmd.Context(), s.sink(), s.settings(), args[0])
			if err != nil {
				return s.manifestError("", err)
			}
			if p.Empty() && !s.flags.json {
				_, err := fmt.Fprintf(s.Stdout, "all that came from node %d has what changed in it\n", p.Root)
				return err
			}
			return s.runTree(cmd.Context(), w, p, change)
		},
	}
	change.add(cmd)
	return cmd
}

// printConflicts tells what nodes keep against a change.
func (s *session) printConflicts(list []flow.NodeConflict) {
	for _, c := range list {
		beside := ""
		if c.Beside != "" {
			beside = "; the other is " + c.Beside
		}
		fmt.Fprintf(s.Stderr, "%s node %d: %s: %s%s\n", s.errStyle().Hint("conflict:"), c.Node, c.What, c.Why, beside)
	}
}
