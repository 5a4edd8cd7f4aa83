// SPDX-License-Identifier: GPL-3.0-or-later

package cli

import (
	"github.com/spf13/cobra"

	"github.com/rastos/rastos/internal/flow"
)

func snapshotNew(s *session) *cobra.Command {
	var r flow.NewSystemRequest
	cmd := &cobra.Command{
		Use:   "new [MANIFEST]",
		Short: "Make a node from scratch, by a manifest",
		Long: `New installs what a manifest says into an empty tree, and makes it the root of a tree
of nodes of its own: what an image of that manifest would hold, with the accounts and
disks of this machine. Without MANIFEST it is the machine's own, so that the node is
the system as it is declared, without what has come to it since.

Nothing is deployed. Other changes of the system may go on meanwhile.`,
		Example: "  rastos snapshot new --alias clean\n  rastos snapshot new desktop.toml --label \"with a desktop\"",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r.File, r.Settings = oneOr(args, ""), s.settings()
			n, err := s.Machine.NewSystem(cmd.Context(), s.sink(), r)
			if err != nil {
				return s.manifestError(r.File, err)
			}
			return s.printMade(n)
		},
	}
	named(cmd, &r.Naming)
	return cmd
}
