// SPDX-License-Identifier: GPL-3.0-or-later

package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/rastos/rastos/internal/flow"
)

// atNode adds the flags that choose other nodes than the one that boots next.
func atNode(cmd *cobra.Command, w *flow.Where) {
	cmd.Flags().StringVar(&w.Node, "node", "", "make a new version of this `node`, by number or alias, and deploy nothing")
	cmd.Flags().BoolVar(&w.Tree, "tree", false, "make new versions of all that is below the node, too")
}

var errLiveNodes = errors.New("--live goes with neither --node nor --tree")

// changeAt is change, of other nodes where that was asked for.
func (s *session) changeAt(cmd *cobra.Command, at flow.Place, where flow.Where, change liveFlags, plan func(*flow.World) (*flow.ChangePlan, error)) error {
	switch {
	case !where.Given():
		return s.change(cmd.Context(), at, change, plan)
	case at.Root != "":
		return usage(cmd, errors.New("--root goes with neither --node nor --tree"))
	case change.live:
		return usage(cmd, errLiveNodes)
	}
	return s.changeNodes(cmd.Context(), where, change.changeFlags, plan)
}

func (s *session) upgradeNodes(ctx context.Context, where flow.Where, r flow.UpgradeRequest, change changeFlags) error {
	return s.changeNodes(ctx, where, change, func(w *flow.World) (*flow.ChangePlan, error) {
		return s.Machine.PlanPkgUpgrade(ctx, s.sink(), w, r)
	})
}

// changeNodes shows a plan for several nodes and carries it out.
func (s *session) changeNodes(ctx context.Context, where flow.Where, change changeFlags, plan func(*flow.World) (*flow.ChangePlan, error)) error {
	w, err := s.world(flow.Place{})
	if err != nil {
		return err
	}
	p, err := s.Machine.PlanTree(w, where, plan)
	if err != nil {
		return err
	}
	return s.runTree(ctx, w, p, change)
}

func (s *session) runTree(ctx context.Context, w *flow.World, p *flow.TreePlan, change changeFlags) error {
	if s.flags.json && (change.dryRun || p.Empty()) {
		return s.printJSON(p)
	}
	if !s.flags.json {
		if err := s.printTreePlan(p); err != nil {
			return err
		}
	}
	if change.dryRun || p.Empty() {
		return nil
	}
	if err := s.confirm("Go on?", change.yes); err != nil {
		return err
	}
	done, err := s.Machine.RunTree(ctx, s.sink(), w, p)
	if err != nil {
		return err
	}
	return s.printTreeDone(done)
}

// printTreePlan shows what happens to each node.
func (s *session) printTreePlan(p *flow.TreePlan) error {
	for _, n := range p.Notes {
		fmt.Fprintf(s.Stderr, "%s %s\n", s.errStyle().Hint("note:"), n)
	}
	for _, c := range p.Nodes {
		switch {
		case c.Keep:
			fmt.Fprintf(s.Stdout, "node %d: there is nothing to do\n", c.Node.Number)
		case c.Plan.Empty() && c.Files:
			fmt.Fprintf(s.Stdout, "node %d: files are merged\n", c.Node.Number)
		case c.Plan.Empty():
			fmt.Fprintf(s.Stdout, "node %d: a copy that follows its parent\n", c.Node.Number)
		default:
			fmt.Fprintf(s.Stdout, "node %d:\n", c.Node.Number)
			if err := s.printChange(c.Plan); err != nil {
				return err
			}
		}
		s.printConflicts(c.Conflicts)
	}
	return nil
}

func (s *session) printTreeDone(done flow.TreeDone) error {
	if s.flags.json {
		return s.printJSON(done)
	}
	s.printConflicts(done.Conflicts)
	for _, n := range done.Nodes {
		fmt.Fprintf(s.Stdout, "node %d replaces node %d: %s\n", n.Number, n.Replaces, n.Reason)
	}
	if d := done.Deployment; d != nil {
		_, err := fmt.Fprintf(s.Stdout, "node %d is deployment %d and boots next\n", d.Node, d.Number)
		return err
	}
	return nil
}
