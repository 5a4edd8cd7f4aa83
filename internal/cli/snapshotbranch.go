// SPDX-License-Identifier: GPL-3.0-or-later

package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/rastos/rastos/internal/flow"
)

// named adds the flags by which a new node gets its names.
func named(cmd *cobra.Command, n *flow.Naming) {
	cmd.Flags().StringVar(&n.Label, "label", "", "say in this `text` what the node is")
	cmd.Flags().StringVar(&n.Alias, "alias", "", "let this `name` lead to the node and its newer versions")
}

func snapshotBranch(s *session) *cobra.Command {
	var name flow.Naming
	cmd := &cobra.Command{
		Use:   "branch [NODE]",
		Short: "Make a child of a node",
		Long: `Branch makes a node with the very tree of another one, as its child; without NODE,
of the one that the next change would build on. It takes no room and no time: what
both have is shared until one of them is changed.`,
		Example: "  rastos snapshot branch 3 --alias web --label \"the web server\"\n  rastos snapshot branch --json",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			n, err := s.Machine.Branch(s.sink(), oneOr(args, ""), name)
			if err != nil {
				return err
			}
			return s.printMade(n)
		},
	}
	named(cmd, &name)
	return cmd
}

// oneOr is the only argument, or what stands for it.
func oneOr(args []string, absent string) string {
	if len(args) == 0 {
		return absent
	}
	return args[0]
}

// printMade tells of nodes that were made.
func (s *session) printMade(nodes ...flow.NodeRecord) error {
	for _, n := range nodes {
		if s.flags.json {
			if err := s.printJSON(n); err != nil {
				return err
			}
			continue
		}
		if _, err := fmt.Fprintf(s.Stdout, "node %d: %s\n", n.Number, n.Reason); err != nil {
			return err
		}
	}
	return nil
}

func snapshotClone(s *session) *cobra.Command {
	var r flow.CloneRequest
	cmd := &cobra.Command{
		Use:   "clone NODE",
		Short: "Copy a node, or all below it, to another place in the tree",
		Long: `Clone makes a node with the very tree of another one. It stands as the root of a
tree of its own, or below another node (--under). With --recursive, what is below
the node is copied, too, in the same shape and all at once: of nodes with several
versions the newest.`,
		Example: "  rastos snapshot clone 3 --label \"before the experiment\"\n  rastos snapshot clone web --under 12\n  rastos snapshot clone web --recursive --json",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			r.Node = args[0]
			made, err := s.Machine.Clone(s.sink(), r)
			if err != nil {
				return err
			}
			return s.printMade(made...)
		},
	}
	cmd.Flags().StringVar(&r.Under, "under", "", "make it a child of this `node`")
	cmd.Flags().BoolVarP(&r.Recursive, "recursive", "r", false, "copy all that is below it, too")
	named(cmd, &r.Naming)
	return cmd
}

func snapshotCreate(s *session) *cobra.Command {
	var name flow.Naming
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Make a node of the running system",
		Long: `Create makes a node of the running system: its node with /etc as it is now, but for
what says which machine this is (machine-id, SSH host keys, keytabs). /var, /home
and the other shared folders are in no node. It is a child of the node that runs,
and goes as [snapshots] keep says, unless a person named or pinned it.

It holds the password hashes of this machine's accounts.`,
		Example: "  rastos snapshot create --label \"before the new firewall\"\n  rastos snapshot create --json",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			n, err := s.Machine.Take(s.sink(), name)
			if err != nil {
				return err
			}
			return s.printMade(n)
		},
	}
	named(cmd, &name)
	return cmd
}
