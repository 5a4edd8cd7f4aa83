// SPDX-License-Identifier: GPL-3.0-or-later

package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/rastos/rastos/internal/flow"
	"github.com/rastos/rastos/internal/report"
)

func pkgClean(s *session) *cobra.Command {
	var at flow.Place
	var r flow.CleanRequest
	var change changeFlags
	cmd := &cobra.Command{
		Use:   "clean",
		Short: "Remove archives that nobody needs from the package cache",
		Long: `Clean removes older archives from the package cache. Of each package the newest
versions stay, as many as --keep and --uninstalled say, and in any case what is
installed, in any node of the machine, and what rastos.lock pins. What stays is what
` + "`rastos pkg undo`" + ` can go back to without a server.`,
		Example: "  rastos pkg clean\n  rastos pkg clean --keep 1 --uninstalled 0 --yes\n  rastos pkg clean --dry-run --json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if r.Keep < 0 || r.Uninstalled < 0 {
				return usage(cmd, fmt.Errorf("--keep and --uninstalled are counts"))
			}
			w, err := s.world(at)
			if err != nil {
				return err
			}
			p, err := s.Machine.PlanClean(w, r)
			if err != nil {
				return err
			}
			if err := s.printClean(p); err != nil || change.dryRun || p.Empty() {
				return err
			}
			if err := s.confirm("Go on?", change.yes); err != nil {
				return err
			}
			return s.Machine.RunClean(cmd.Context(), w, p)
		},
	}
	atRoot(cmd, &at)
	cmd.Flags().IntVar(&r.Keep, "keep", 3, "keep so many versions of each installed package (`count`)")
	cmd.Flags().IntVar(&r.Uninstalled, "uninstalled", 1, "keep so many versions of each other package (`count`)")
	change.add(cmd)
	return cmd
}

// printClean shows what goes, and how much room that makes.
func (s *session) printClean(p *flow.CleanPlan) error {
	if s.flags.json {
		return s.printJSON(p)
	}
	if p.Empty() {
		_, err := fmt.Fprintf(s.Stdout, "there is nothing to remove; %d archives are kept\n", p.Kept)
		return err
	}
	t := report.NewTable("FILE", "#SIZE", "WHY")
	for _, f := range p.Remove {
		t.Row(f.Path, report.Size(f.Size), f.Why)
	}
	if err := t.Print(s.Stdout, s.outStyle()); err != nil {
		return err
	}
	_, err := fmt.Fprintf(s.Stdout, "\n%s are freed; %d archives are kept\n", report.Size(p.Freed), p.Kept)
	return err
}

func pkgLock(s *session) *cobra.Command {
	var at flow.Place
	var renew, all bool
	cmd := &cobra.Command{
		Use:   "lock",
		Short: "Show or renew what rastos.lock pins",
		Long: `Lock holds rastos.lock against what is installed and shows where they differ, or
with --all everything that it pins. Every change of packages renews the lock; what
pacman changed does not. With --renew it is written anew.`,
		Example: "  rastos pkg lock\n  rastos pkg lock --all --json\n  rastos pkg lock --renew",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			w, err := s.world(at)
			if err != nil {
				return err
			}
			var state *flow.LockState
			if renew {
				state, err = s.Machine.RenewLock(cmd.Context(), w)
			} else {
				state, err = s.Machine.PkgLock(w)
			}
			if err != nil {
				return err
			}
			if s.flags.json {
				return s.printJSON(state)
			}
			return s.printLock(state, all)
		},
	}
	atRoot(cmd, &at)
	cmd.Flags().BoolVar(&renew, "renew", false, "pin what is installed now")
	cmd.Flags().BoolVar(&all, "all", false, "show all pins, not only those that do not fit")
	return cmd
}

func (s *session) printLock(l *flow.LockState, all bool) error {
	t := report.NewTable("PACKAGE", "PINNED", "INSTALLED", "REPOSITORY", "SHA256")
	for _, p := range l.Packages {
		if all || !p.Fits {
			t.Row(p.Name, orDash(p.Pinned), orDash(p.Installed), orDash(p.Repository), orDash(p.SHA256))
		}
	}
	if t.Len() > 0 {
		if err := t.Print(s.Stdout, s.outStyle()); err != nil {
			return err
		}
		fmt.Fprintln(s.Stdout)
	}
	text := "fits what is installed"
	switch {
	case l.Missing:
		text = "is not there; --renew writes it"
	case !l.OfManifest:
		text = "belongs to another state of the manifest; `rastos apply` or --renew brings them together"
	case !l.Fits:
		text = "does not fit what is installed; --renew writes it anew"
	}
	_, err := fmt.Fprintf(s.Stdout, "%s %s\n", l.File, text)
	return err
}
