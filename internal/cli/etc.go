// SPDX-License-Identifier: GPL-3.0-or-later

package cli

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rastos/rastos/internal/flow"
	"github.com/rastos/rastos/internal/report"
)

func etcCommand(s *session) *cobra.Command {
	return group("etc", "What is this machine's own in /etc, and what it conflicts with",
		etcDiff(s), etcConflicts(s), etcResolve(s), etcFold(s))
}

func etcDiff(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "diff [PATH...]",
		Short: "Show how /etc differs from what its node shipped",
		Long: `Diff lists the paths of /etc that are not as the running node shipped them: added,
removed, changed, of another type, or with another owner or mode. Of paths that are
named, and of what is below them, it shows the lines.`,
		Example: "  rastos etc diff\n  rastos etc diff ssh/sshd_config",
		RunE: func(_ *cobra.Command, args []string) error {
			list, err := s.Machine.EtcDiff(args)
			if err != nil {
				return err
			}
			if s.flags.json {
				return s.printJSON(struct {
					Differences []flow.EtcDifference `json:"differences"`
				}{list})
			}
			for _, d := range list {
				if d.Diff != "" {
					_, err = fmt.Fprint(s.Stdout, d.Diff)
				} else {
					_, err = fmt.Fprintf(s.Stdout, "%-8s/etc/%s\n", d.What, d.Path)
				}
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func etcConflicts(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "conflicts",
		Short: "List what of /etc this machine and its node say differently",
		Long: `Conflicts lists the files of /etc that this machine and a new node changed in the
same place. This machine's side is in use; the node's lies beside it, in FILE.rastnew.
rastos etc resolve ends a conflict.

It also lists what a rule decided for this machine: what was removed here and changed
in the node stays away, what was changed here and is gone from the node stays. Nothing
needs to be done about these; rastos etc resolve --theirs takes the node's side.`,
		Example: "  rastos etc conflicts --json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			open, err := s.Machine.EtcConflicts()
			if err != nil {
				return err
			}
			if s.flags.json {
				return s.printJSON(open)
			}
			if err := s.printEtc("no conflict", open.Conflicts); err != nil || len(open.Decided) == 0 {
				return err
			}
			if _, err := fmt.Fprint(s.Stdout, "\nDecided for this machine, and against its node:\n"); err != nil {
				return err
			}
			return s.printEtc("", open.Decided)
		},
	}
}

func (s *session) printEtc(none string, list []flow.EtcConflict) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(s.Stdout, none)
		return err
	}
	t := report.NewTable("FILE", "REASON")
	for _, c := range list {
		t.Row("/etc/"+c.Path, c.Reason)
	}
	return t.Print(s.Stdout, s.outStyle())
}

func etcResolve(s *session) *cobra.Command {
	var ours, theirs, edit bool
	var merged string
	cmd := &cobra.Command{
		Use:   "resolve PATH (--ours | --theirs | --edit | --merged FILE)",
		Short: "End a conflict of /etc",
		Long: `Resolve ends a conflict: by this machine's side (--ours), the node's (--theirs), a
text that you make of both in an editor, VISUAL or EDITOR (--edit), or one that you
made of both before (--merged). Nothing is lost: a side that is not taken stays
beside the file, as FILE.rastold.

Of what a rule decided for this machine, --theirs takes the node's side all the same,
and --ours takes it off the list.`,
		Example: "  rastos etc resolve ssh/sshd_config --edit\n  rastos etc resolve /etc/hosts --theirs",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			how := flow.Merged
			switch {
			case ours:
				how = flow.Ours
			case theirs:
				how = flow.Theirs
			case edit:
				how = flow.Edited
				if !s.StdinIsTerminal {
					return usage(cmd, errors.New("--edit needs a terminal"))
				}
			}
			var text []byte
			if how == flow.Merged {
				var err error
				if text, err = os.ReadFile(merged); err != nil {
					return err
				}
			}
			out, err := s.Machine.EtcResolve(cmd.Context(), s.sink(), flow.ResolveRequest{Path: args[0], How: how, Merged: text})
			if err != nil {
				return err
			}
			if s.flags.json {
				return s.printJSON(out)
			}
			_, err = fmt.Fprintf(s.Stdout, "/etc/%s is resolved (%s)", out.Path, out.How)
			if err == nil && len(out.Kept) > 0 {
				_, err = fmt.Fprintf(s.Stdout, "; what was not taken is in /etc/%s", strings.Join(out.Kept, " and /etc/"))
			}
			fmt.Fprintln(s.Stdout)
			return err
		},
	}
	f := cmd.Flags()
	f.BoolVar(&ours, "ours", false, "keep this machine's side")
	f.BoolVar(&theirs, "theirs", false, "take the node's side")
	f.BoolVar(&edit, "edit", false, "make one text of both in an editor")
	f.StringVar(&merged, "merged", "", "take the content of this `file`")
	cmd.MarkFlagsMutuallyExclusive("ours", "theirs", "edit", "merged")
	cmd.MarkFlagsOneRequired("ours", "theirs", "edit", "merged")
	return cmd
}

func etcFold(s *session) *cobra.Command {
	var r flow.FoldRequest
	cmd := &cobra.Command{
		Use:   "fold",
		Short: "Carry late changes of /etc into the deployment that boots next",
		Long: `Fold merges what changed in /etc since an upgrade was staged into the /etc of the
deployment that boots next. rastos-fold.service runs it at shutdown, the initramfs
once more before a deployment's first boot, in case a power cut came between.`,
		Example: "  rastos etc fold",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return s.Machine.Fold(cmd.Context(), s.sink(), r) },
	}
	cmd.Flags().StringVar(&r.Top, "top", "", "`folder` where the file system's top level is mounted")
	cmd.Flags().IntVar(&r.Deployment, "deployment", 0, "the `deployment` that is about to boot")
	return cmd
}
