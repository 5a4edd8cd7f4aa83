// SPDX-License-Identifier: GPL-3.0-or-later

package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rastos/rastos/internal/flow"
	"github.com/rastos/rastos/internal/report"
)

func snapshotCommand(s *session) *cobra.Command {
	return group("snapshot", "Look at the tree of system snapshots, and change it",
		snapshotTree(s),
		snapshotList(s),
		snapshotShow(s),
		snapshotDiff(s),
		snapshotCreate(s),
		snapshotNew(s),
		snapshotBranch(s),
		snapshotClone(s),
		snapshotRun(s),
		snapshotShell(s),
		snapshotTreeRun(s),
		snapshotLabel(s),
		snapshotPin(s),
		snapshotDelete(s),
		snapshotPrune(s),
		snapshotSync(s),
		snapshotSend(s),
		snapshotReceive(s),
		snapshotPush(s),
		snapshotPull(s),
		snapshotDu(s),
	)
}

func snapshotTree(s *session) *cobra.Command {
	return &cobra.Command{
		Use:     "tree",
		Short:   "Show the nodes as a tree",
		Example: "  rastos snapshot tree",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			t, err := s.Machine.SnapshotTree()
			if err != nil {
				return err
			}
			if s.flags.json {
				return s.printJSON(t)
			}
			s.printTree(t, 0, "")
			return nil
		},
	}
}

// printTree prints the children of a node, each with its own below it.
func (s *session) printTree(t []flow.TreeNode, parent int, indent string) {
	var below []flow.TreeNode
	for _, n := range t {
		if n.Parent == parent {
			below = append(below, n)
		}
	}
	for i, n := range below {
		branch, next := "├─ ", "│  "
		if i == len(below)-1 {
			branch, next = "└─ ", "   "
		}
		if parent == 0 {
			branch, next = "", ""
		}
		fmt.Fprintf(s.Stdout, "%s%s%d  %s\n", indent, branch, n.Number, describe(n))
		s.printTree(t, n.Number, indent+next)
	}
}

func describe(n flow.TreeNode) string {
	words := []string{n.Created.Local().Format("2006-01-02 15:04"), n.Reason}
	for _, a := range n.Aliases {
		words = append(words, "="+a)
	}
	if n.Label != "" {
		words = append(words, "\""+n.Label+"\"")
	}
	if n.Pinned {
		words = append(words, "pinned")
	}
	if n.ReplacedBy != 0 {
		words = append(words, fmt.Sprintf("(newer: %d)", n.ReplacedBy))
	}
	for _, d := range n.Deployments {
		words = append(words, fmt.Sprintf("[%d %s]", d.Number, d.Shown))
	}
	return strings.Join(words, "  ")
}

func snapshotList(s *session) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the nodes",
		Example: "  rastos snapshot list\n  rastos snapshot list --json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			nodes, err := s.Machine.SnapshotTree()
			if err != nil {
				return err
			}
			if s.flags.json {
				return s.printJSON(nodes)
			}
			t := report.NewTable("#NODE", "#PARENT", "CREATED", "#PACKAGES", "KERNEL", "ALIAS", "LABEL", "REASON")
			for _, n := range nodes {
				parent := ""
				if n.Parent != 0 {
					parent = fmt.Sprint(n.Parent)
				}
				t.Row(fmt.Sprint(n.Number), parent, n.Created.Local().Format("2006-01-02 15:04"), fmt.Sprint(n.Count), n.Kernel, strings.Join(n.Aliases, ","), n.Label, n.Reason)
			}
			return t.Print(s.Stdout, s.outStyle())
		},
	}
}

func snapshotShow(s *session) *cobra.Command {
	return &cobra.Command{
		Use:     "show NODE",
		Short:   "Show all that is known of a node",
		Example: "  rastos snapshot show 2",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			number, err := s.nodeNumber(cmd, args[0])
			if err != nil {
				return err
			}
			n, err := s.Machine.Node(number)
			if err != nil {
				return err
			}
			if s.flags.json {
				return s.printJSON(n)
			}
			t := report.NewTable("FIELD", "VALUE")
			t.Row("node", fmt.Sprint(n.Number))
			t.Row("uuid", n.UUID)
			t.Row("parent", fmt.Sprint(n.Parent))
			if n.Replaces != 0 {
				t.Row("replaces", fmt.Sprint(n.Replaces))
			}
			if n.ReplacedBy != 0 {
				t.Row("replaced by", fmt.Sprint(n.ReplacedBy))
			}
			t.Row("aliases", strings.Join(n.Aliases, ", "))
			t.Row("label", n.Label)
			t.Row("pinned", fmt.Sprint(n.Pinned))
			t.Row("reason", n.Reason)
			t.Row("created", n.Created.Local().Format("2006-01-02 15:04:05 -0700"))
			t.Row("kernel", n.Kernel)
			t.Row("packages", fmt.Sprint(n.Count))
			t.Row("package digest", n.Packages)
			t.Row("manifest digest", n.Manifest)
			for _, d := range n.Deployments {
				t.Row("deployment", fmt.Sprintf("%d (%s)", d.Number, d.Shown))
			}
			return t.Print(s.Stdout, s.outStyle())
		},
	}
}
