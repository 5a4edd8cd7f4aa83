// SPDX-License-Identifier: GPL-3.0-or-later

package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rastos/rastos/internal/flow"
)

// changeFlags are the flags of every verb that changes the system.
type changeFlags struct{ dryRun, yes bool }

func (c *changeFlags) add(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&c.dryRun, "dry-run", false, "show the plan and change nothing")
	cmd.Flags().BoolVarP(&c.yes, "yes", "y", false, "do not ask before the change")
}

func deployCommand(s *session) *cobra.Command {
	var change changeFlags
	cmd := &cobra.Command{
		Use:   "deploy NODE",
		Short: "Boot a node of the tree next",
		Long: `Deploy makes a node bootable as a new deployment, with this machine's /etc merged
into the node's, and arms it: the next boot tries it, at most as often as
[snapshots] tries says, and falls back to the last good one if it fails.`,
		Example: "  rastos deploy 3\n  rastos deploy 3 --yes && systemctl reboot",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			number, err := s.nodeNumber(cmd, args[0])
			if err != nil {
				return err
			}
			p, err := s.Machine.PlanDeploy(number)
			if err != nil {
				return err
			}
			return s.runDeploy(cmd.Context(), p, change)
		},
	}
	change.add(cmd)
	return cmd
}

func rollbackCommand(s *session) *cobra.Command {
	var change changeFlags
	var r flow.RollbackRequest
	var etc string
	cmd := &cobra.Command{
		Use:   "rollback",
		Short: "Go back to an earlier system",
		Long: `Rollback makes the node of an earlier deployment bootable again, as a new
deployment; nothing is deleted, and a rollback can be rolled back. Without --to it
takes the newest good deployment that runs another node than the present one.`,
		Example: "  rastos rollback\n  rastos rollback --to 4 --etc=as-was",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch etc {
			case "merge":
			case "as-was":
				r.AsWas = true
			default:
				return usage(cmd, fmt.Errorf("--etc is merge or as-was, not %q", etc))
			}
			p, err := s.Machine.PlanRollback(r)
			if err != nil {
				return err
			}
			return s.runDeploy(cmd.Context(), p, change)
		},
	}
	cmd.Flags().IntVar(&r.To, "to", 0, "go back to the node of this `deployment`")
	cmd.Flags().StringVar(&etc, "etc", "merge", "merge: carry this machine's /etc over; as-was: take the earlier one's as it was")
	change.add(cmd)
	return cmd
}

// nodeNumber is the number of the node that a person means.
func (s *session) nodeNumber(cmd *cobra.Command, arg string) (int, error) {
	if n, err := strconv.Atoi(arg); err == nil && n < 1 || arg == "" {
		return 0, usage(cmd, fmt.Errorf("%q is not the number of a node", arg))
	}
	return s.Machine.NodeNumber(arg)
}

func (s *session) runDeploy(ctx context.Context, p *flow.DeployPlan, change changeFlags) error {
	if change.dryRun && s.flags.json {
		return s.printJSON(p)
	}
	fmt.Fprintf(s.Stderr, "%s: node %d (%s, %d packages), kernel %s\n", p.Reason, p.Node.Number, p.Node.Reason, p.Node.Count, p.Node.Kernel)
	if p.AsWas != 0 {
		fmt.Fprintf(s.Stderr, "/etc: as it was in deployment %d\n", p.AsWas)
	} else {
		fmt.Fprintf(s.Stderr, "/etc: the one of deployment %d, merged\n", p.From)
	}
	if change.dryRun {
		return nil
	}
	if err := s.confirm("Go on?", change.yes); err != nil {
		return err
	}
	d, err := s.Machine.RunDeploy(ctx, s.sink(), p)
	if err != nil {
		return err
	}
	if s.flags.json {
		return s.printJSON(d)
	}
	_, err = fmt.Fprintf(s.Stdout, "deployment %d boots next\n", d.Number)
	return err
}

// errDeclined ends a verb that a person said no to.
var errDeclined = errors.New("nothing was changed")

// confirm asks before a change. Off a terminal there is nobody to ask: the
// verb then needs --yes.
func (s *session) confirm(question string, yes bool) error {
	if yes {
		return nil
	}
	if !s.StdinIsTerminal {
		return &usageError{errors.New("nobody can be asked here"), "--yes goes ahead, --dry-run only shows the plan"}
	}
	fmt.Fprintf(s.Stderr, "%s [y/N] ", question)
	line, err := s.readLine()
	if err != nil {
		return err
	}
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return nil
	}
	return errDeclined
}

// readLine reads the person's answer, or ends with the signal that comes
// in its place.
func (s *session) readLine() (string, error) {
	answer := make(chan string, 1)
	go func() {
		// At the end of the input the answer is empty: no.
		line, _ := bufio.NewReader(s.Stdin).ReadString('\n')
		answer <- line
	}()
	select {
	case line := <-answer:
		return line, nil
	case <-s.interrupted:
		fmt.Fprintln(s.Stderr)
		return "", context.Canceled
	}
}
