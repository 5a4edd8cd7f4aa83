// SPDX-License-Identifier: GPL-3.0-or-later

package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/rastos/rastos/internal/flow"
	"github.com/rastos/rastos/internal/report"
)

func statusCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Tell which system runs, which one boots next, and why",
		Long: `Status shows the deployments of this machine, newest first: the one that runs
(*), the state of each, the tries that a new one has left, and, when the machine
fell back to an older one, what the newer one died of.`,
		Example: "  rastos status\n  rastos status --json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			st, err := s.Machine.Status()
			if err != nil {
				return err
			}
			if s.flags.json {
				return s.printJSON(st)
			}
			return s.printStatus(st)
		},
	}
}

func (s *session) printStatus(st flow.Status) error {
	style, b := s.outStyle(), st.Booted
	fmt.Fprintf(s.Stdout, "running   deployment %d, node %d (%s), %s\n", b.Number, b.Node, b.NodeInfo.Kernel, s.state(b))
	if st.Live != 0 {
		fmt.Fprintf(s.Stdout, "in place  deployment %d, applied at once\n", st.Live)
	}
	if st.Trial != nil {
		fmt.Fprintf(s.Stdout, "on trial  %s, until the machine goes down\n", st.Trial.Reason)
	}
	if st.Next != b.Number && st.Next != 0 {
		fmt.Fprintf(s.Stdout, "next boot deployment %d\n", st.Next)
	}
	if st.Fallback != "" {
		fmt.Fprintf(s.Stdout, "%s this machine fell back: %s\n", style.Warn("warning:"), st.Fallback)
		for _, d := range st.AlsoFailed() {
			fmt.Fprintf(s.Stdout, "         also, deployment %d (node %d) failed: %s\n", d.Number, d.Node, d.Why)
		}
	}
	if b.Failure != "" {
		fmt.Fprintf(s.Stdout, "%s the running deployment is not healthy: %s\n", style.Warn("warning:"), b.Failure)
	}
	if st.Conflicts > 0 {
		fmt.Fprintf(s.Stdout, "%s %d conflicts in /etc: `rastos etc conflicts` lists them\n", style.Warn("warning:"), st.Conflicts)
	}
	fmt.Fprintln(s.Stdout)
	t := report.NewTable("", "#DEPLOYMENT", "#NODE", "STATE", "CREATED", "REASON")
	for _, d := range st.Deployments {
		mark := ""
		if d.Number == b.Number {
			mark = "*"
		}
		t.Row(mark, fmt.Sprint(d.Number), fmt.Sprint(d.Node), s.state(d), d.Created.Local().Format("2006-01-02 15:04"), d.Reason)
	}
	return t.Print(s.Stdout, style)
}

// state says what a deployment is, with its tries where they matter.
func (s *session) state(d flow.DeploymentStatus) string {
	if d.Entry.Counted && (d.Shown == "armed" || d.Shown == "trying") {
		return fmt.Sprintf("%s, %d tries left", d.Shown, d.Entry.Left)
	}
	return d.Shown
}
