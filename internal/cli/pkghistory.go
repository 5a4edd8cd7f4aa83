// SPDX-License-Identifier: GPL-3.0-or-later

package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rastos/rastos/internal/flow"
	"github.com/rastos/rastos/internal/report"
)

func pkgHistory(s *session) *cobra.Command {
	var at flow.Place
	var show string
	var last int
	cmd := &cobra.Command{
		Use:   "history [PACKAGE...]",
		Short: "Show what was done to packages",
		Long: `History lists the transactions that changed packages, or those that changed one of
the named: what rastos did, in place and in nodes, and what pacman did, as its log
says; the numbers of the latter begin with p.`,
		Example: "  rastos pkg history\n  rastos pkg history --show 12\n  rastos pkg history bash --json",
		RunE: func(_ *cobra.Command, names []string) error {
			w, err := s.world(at)
			if err != nil {
				return err
			}
			if show != "" {
				t, err := s.Machine.PkgTransaction(s.sink(), w, show)
				if err != nil {
					return err
				}
				return s.printTransaction(t)
			}
			all, err := s.Machine.PkgHistory(s.sink(), w, names)
			if err != nil {
				return err
			}
			if last > 0 && len(all) > last {
				all = all[len(all)-last:]
			}
			if s.flags.json {
				return s.printJSON(all)
			}
			return s.printHistory(all)
		},
	}
	atRoot(cmd, &at)
	cmd.Flags().StringVar(&show, "show", "", "show all of the transaction with this `number`")
	cmd.Flags().IntVar(&last, "last", 0, "show only the last `count` transactions")
	return cmd
}

func (s *session) printHistory(all []flow.Transaction) error {
	t := report.NewTable("#ID", "WHEN", "WHO", "WHAT", "RESULT", "COMMAND")
	for _, e := range all {
		result := string(e.Result)
		if e.Node != 0 {
			result += fmt.Sprintf(", node %d", e.Node)
		}
		if e.UndoneBy != "" {
			result += ", undone by " + e.UndoneBy
		}
		t.Row(e.ID, e.Time.Local().Format("2006-01-02 15:04"), orDash(e.User), whatHappened(e), result, e.CommandLine())
	}
	return t.Print(s.Stdout, s.outStyle())
}

// whatHappened names the package of a transaction, or counts them.
func whatHappened(e flow.Transaction) string {
	var order []string
	count := map[string]int{}
	for _, kind := range e.Kinds {
		if count[kind]++; count[kind] == 1 {
			order = append(order, kind)
		}
	}
	var parts []string
	for _, kind := range order {
		text := fmt.Sprintf("%s %d", kind, count[kind])
		if count[kind] == 1 {
			for i, c := range e.Changes {
				if e.Kinds[i] == kind {
					text = kind + " " + c.Name
				}
			}
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}

func (s *session) printTransaction(e *flow.Transaction) error {
	if s.flags.json {
		return s.printJSON(e)
	}
	out := s.Stdout
	fmt.Fprintf(out, "transaction %s: %s", e.ID, e.Result)
	if e.Error != "" {
		fmt.Fprintf(out, ": %s", e.Error)
	}
	fmt.Fprintf(out, "\nbegan %s", e.Time.Local().Format("2006-01-02 15:04:05 -0700"))
	if e.User != "" {
		fmt.Fprintf(out, " by %s", e.User)
	}
	fmt.Fprintln(out)
	for _, line := range [][2]string{
		{"command", e.CommandLine()}, {"note", e.Note}, {"takes back", e.Undoes}, {"taken back by", e.UndoneBy},
	} {
		if line[1] != "" {
			fmt.Fprintf(out, "%s: %s\n", line[0], line[1])
		}
	}
	if e.Node != 0 {
		fmt.Fprintf(out, "node %d, deployment %d\n", e.Node, e.Deployment)
	}
	printLessons(out, e)
	fmt.Fprintln(out)
	t := report.NewTable("CHANGE", "PACKAGE", "OLD", "NEW", "REASON", "FROM")
	for i, c := range e.Changes {
		old, now, reason, from := "-", "-", "", ""
		if c.Old != nil {
			old, reason = c.Old.Version, c.Old.Reason
		}
		if c.New != nil {
			now, reason, from = c.New.Version, c.New.Reason, c.New.Repo
			if from == "" {
				from = c.New.File
			}
		}
		t.Row(e.Kinds[i], c.Name, old, now, orDash(reason), orDash(from))
	}
	return t.Print(out, s.outStyle())
}

func pkgUndo(s *session) *cobra.Command {
	var at flow.Place
	var r flow.UndoRequest
	var change liveFlags
	cmd := &cobra.Command{
		Use:   "undo TRANSACTION",
		Short: "Take a transaction back",
		Long: `Undo takes back what a transaction of ` + "`rastos pkg history`" + ` did: what it installed
is removed, what it removed or changed is installed in the version that was there
before, with the reason that it had. An undo is a transaction, too, and can be
undone. The older archives come from the repositories and the package cache; those
that cannot be had are named, and so are later transactions that stand in the way.`,
		Example: "  rastos pkg undo 12\n  rastos pkg undo 12 --dry-run --json\n  rastos pkg undo p3 --yes",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r.ID, r.Ask = args[0], s.asker(change.changeFlags)
			return s.change(cmd.Context(), at, change, func(w *flow.World) (*flow.ChangePlan, error) {
				return s.Machine.PlanUndo(cmd.Context(), s.sink(), w, r)
			})
		},
	}
	atRoot(cmd, &at)
	change.add(cmd)
	return cmd
}

// printLessons lists what keyring packages taught the keyring.
func printLessons(out io.Writer, e *flow.Transaction) {
	for _, l := range e.Keys {
		fmt.Fprintf(out, "%s %s brought keys:\n", l.Package, l.Version)
		for _, k := range l.Keys {
			fmt.Fprintf(out, "  %s %s: %s\n", k.Fingerprint, k.User, k.What)
		}
		if len(l.Vouched) > 0 {
			fmt.Fprintf(out, "  by these alone it was trusted: %s\n", list(l.Vouched))
		}
	}
}
