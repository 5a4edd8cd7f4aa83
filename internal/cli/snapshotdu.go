// SPDX-License-Identifier: GPL-3.0-or-later

package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/rastos/rastos/internal/flow"
	"github.com/rastos/rastos/internal/report"
)

func snapshotDu(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "du",
		Short: "Show what nodes take on the disk, shared and to themselves",
		Long: `Du shows of each node, and of each deployment's own /etc, how large its files are,
what they take on the disk, and how that divides into what only it refers to, which
comes back when it is deleted, and what others refer to as well.

The sizes are exact and need no quota groups: all references to extents are read from
the trees of the file system itself, in well under a second for a system of 100,000
files, and of a sealed node once. Small files that lie in the metadata, and the
metadata, are not counted, as with btrfs-filesystem-du(8).`,
		Example: "  rastos snapshot du\n  rastos snapshot du --json",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			u, err := s.Machine.Use(s.settings())
			if err != nil {
				return err
			}
			if s.flags.json {
				return s.printJSON(u)
			}
			t := report.NewTable("WHAT", "#FILES", "#ON DISK", "#EXCLUSIVE", "#SHARED")
			row := func(what string, share flow.SpaceShare) {
				size := func(n uint64) string { return report.Size(int64(n)) }
				t.Row(what, size(share.Referenced), size(share.Size), size(share.Exclusive), size(share.Shared))
			}
			for _, n := range u.Nodes {
				row(fmt.Sprintf("node %d", n.Number), n)
			}
			for _, d := range u.Deployments {
				row(fmt.Sprintf("/etc of deployment %d", d.Number), d)
			}
			row(fmt.Sprintf("all %d nodes", u.Together.Number), u.Together)
			return t.Print(s.Stdout, s.outStyle())
		},
	}
}
