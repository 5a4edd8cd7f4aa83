// SPDX-License-Identifier: GPL-3.0-or-later

package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/rastos/rastos/internal/flow"
)

// liveFlags are the flags of every change that can be applied at once.
type liveFlags struct {
	changeFlags
	live bool
}

func (c *liveFlags) add(cmd *cobra.Command) {
	c.changeFlags.add(cmd)
	cmd.Flags().BoolVar(&c.live, "live", false, "where the change is made in a new node, let that run at once, too")
}

// atOnce lets a plan be applied at once where that was asked for.
func (c *liveFlags) atOnce(w *flow.World, p *flow.ChangePlan) error {
	if !c.live {
		return nil
	}
	return w.AtOnce(p)
}

// printPlace says where a change will be made.
func (s *session) printPlace(p *flow.ChangePlan) error {
	if p.Trial {
		_, err := fmt.Fprintf(s.Stdout, "in a copy of node %d that takes its place until the machine goes down; where a package changes /etc, that is a copy, too\n", p.Base.Number)
		return err
	}
	if p.Base != nil {
		then := "the running system is not touched"
		if p.Live {
			then = "it takes the place of the running one, if nothing is in the way"
		}
		_, err := fmt.Fprintf(s.Stdout, "in a new node on top of node %d; %s\n", p.Base.Number, then)
		return err
	}
	_, err := fmt.Fprintf(s.Stdout, "in place, in %s\n", p.Root)
	return err
}

// printStaged says that only what is staged will be applied.
func (s *session) printStaged(p *flow.ChangePlan) error {
	_, err := fmt.Fprintf(s.Stdout, "nothing changes; deployment %d, which boots next, takes the place of the running one, if nothing is in the way\n", p.Staged)
	return err
}

// printDone says what a change led to; inPlace, where it was made in place.
func (s *session) printDone(done flow.Changed, inPlace string) error {
	if s.flags.json {
		return s.printJSON(done)
	}
	text := inPlace
	if d := done.Deployment; d != nil {
		text = fmt.Sprintf("node %d is deployment %d and boots next", d.Node, d.Number)
	}
	if done.Live {
		text += "; it runs already"
	}
	if _, err := fmt.Fprintln(s.Stdout, text); err != nil || len(done.NotLive) == 0 {
		return err
	}
	fmt.Fprintln(s.Stdout, "it cannot run before that:")
	for _, why := range done.NotLive {
		fmt.Fprintf(s.Stdout, "  %s\n", why)
	}
	return nil
}
