// SPDX-License-Identifier: GPL-3.0-or-later

package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rastos/rastos/internal/flow"
	"github.com/rastos/rastos/internal/report"
)

const pkgInstallLong = `Install puts packages into the system, with what they depend on. TARGET is the name
of a package or of a group, something that is provided, REPOSITORY/PACKAGE,
NAME=VERSION, an archive or its URL. What is there in the very version stays as it
is; if it came as a dependency, it counts as asked for from then on.

The plan is shown first. On a machine that was booted from a node it is carried out
in a new node that the next boot tries, elsewhere in place. --node makes a new version
of another node, which is not deployed; --tree also makes new versions of all that is
below it, all of them at once. --try lets only the running system have the packages,
until it goes down; no node is made of it.`

func pkgInstall(s *session) *cobra.Command {
	var at flow.Place
	var r flow.InstallRequest
	var try bool
	var where flow.Where
	var change liveFlags
	cmd := &cobra.Command{
		Use:   "install TARGET...",
		Short: "Install packages",
		Long:  pkgInstallLong,
		Example: `  rastos pkg install vim
  rastos pkg install ./hello-1.0-1-any.pkg.tar.zst --yes
  rastos pkg install core/bash --sync --dry-run --json
  rastos pkg install strace --try
  rastos pkg install nginx --node web
  rastos pkg install strace --tree --dry-run`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, targets []string) error {
			r.Targets, r.Ask = targets, s.asker(change.changeFlags)
			plan := func(w *flow.World) (*flow.ChangePlan, error) {
				return s.Machine.PlanInstall(cmd.Context(), s.sink(), w, r)
			}
			if !try {
				return s.changeAt(cmd, at, where, change, plan)
			}
			if at.Root != "" || where.Given() || change.live {
				return usage(cmd, errors.New("--try goes with none of --root, --node, --tree and --live"))
			}
			return s.try(cmd.Context(), change.changeFlags, plan)
		},
	}
	atRoot(cmd, &at)
	atNode(cmd, &where)
	f := cmd.Flags()
	f.BoolVar(&try, "try", false, "let only this boot have it: it is gone when the machine goes down")
	f.BoolVar(&r.Refresh, "sync", false, "bring the databases of the repositories up to date first")
	f.BoolVar(&r.AsDeps, "as-deps", false, "let what is installed count as dependencies")
	f.BoolVar(&r.Reinstall, "reinstall", false, "install again what is there in the very version")
	f.StringArrayVar(&r.Overwrite, "overwrite", nil, "overwrite files that match this `pattern`, though no package has them; may be given more than once")
	f.BoolVar(&r.NoScriptlet, "no-scriptlets", false, "do not run the packages' scriptlets")
	change.add(cmd)
	return cmd
}

func pkgRemove(s *session) *cobra.Command {
	var at flow.Place
	var r flow.RemoveRequest
	var where flow.Where
	var change liveFlags
	cmd := &cobra.Command{
		Use:   "remove TARGET...",
		Short: "Remove packages",
		Long: `Remove takes packages, or groups of them, out of the system. What others need is
not removed, unless --cascade takes these along or --unneeded leaves it. Changed
configuration files stay as NAME.pacsave, unless --purge takes them, too.`,
		Example: `  rastos pkg remove vim
  rastos pkg remove vim --recursive --purge
  rastos pkg remove python --cascade --dry-run
  rastos pkg remove strace --node 3 --tree`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, targets []string) error {
			r.Targets, r.Ask = targets, s.asker(change.changeFlags)
			return s.changeAt(cmd, at, where, change, func(w *flow.World) (*flow.ChangePlan, error) {
				return s.Machine.PlanRemove(cmd.Context(), s.sink(), w, r)
			})
		},
	}
	atRoot(cmd, &at)
	atNode(cmd, &where)
	f := cmd.Flags()
	f.BoolVarP(&r.Recursive, "recursive", "s", false, "remove dependencies, too, that only they needed")
	f.BoolVarP(&r.Cascade, "cascade", "c", false, "remove what needs them, too")
	f.BoolVarP(&r.Unneeded, "unneeded", "u", false, "leave those that something needs")
	f.BoolVarP(&r.Purge, "purge", "n", false, "remove changed configuration files, too")
	f.BoolVar(&r.NoScriptlet, "no-scriptlets", false, "do not run the packages' scriptlets")
	cmd.MarkFlagsMutuallyExclusive("cascade", "unneeded")
	change.add(cmd)
	return cmd
}

func pkgUpgrade(s *session) *cobra.Command {
	var at flow.Place
	var r flow.UpgradeRequest
	var noSync bool
	var where flow.Where
	var change liveFlags
	cmd := &cobra.Command{
		Use:   "upgrade",
		Short: "Bring all packages up to date",
		Long: `Upgrade fetches the databases of the repositories and brings all packages up to
date, with the replacements that the repositories ask for. What the manifest holds
back (ignore), or IgnorePkg of pacman.conf, stays as it is. Where not all packages
can be upgraded, those that cannot are named with the reason, and it is asked
whether they shall stay as they are; --hold-back says yes.`,
		Example: `  rastos pkg upgrade
  rastos pkg upgrade --ignore linux --yes
  rastos pkg upgrade --node web --tree
  rastos pkg upgrade --root /mnt --no-sync --dry-run`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r.Refresh, r.Ask = !noSync, s.asker(change.changeFlags)
			return s.changeAt(cmd, at, where, change, func(w *flow.World) (*flow.ChangePlan, error) {
				return s.Machine.PlanPkgUpgrade(cmd.Context(), s.sink(), w, r)
			})
		},
	}
	atRoot(cmd, &at)
	atNode(cmd, &where)
	f := cmd.Flags()
	f.BoolVar(&noSync, "no-sync", false, "use the databases of the repositories as they are")
	holdBackFlag(cmd, &r.HoldBack)
	f.BoolVar(&r.Downgrade, "downgrade", false, "take what the repositories have, older or not")
	f.StringArrayVar(&r.Ignore, "ignore", nil, "leave packages alone whose names match this `pattern`; may be given more than once")
	change.add(cmd)
	return cmd
}

// change shows a plan and carries it out.
func (s *session) change(ctx context.Context, at flow.Place, change liveFlags, plan func(*flow.World) (*flow.ChangePlan, error)) error {
	w, err := s.world(at)
	if err != nil {
		return err
	}
	p, err := plan(w)
	if err != nil {
		return err
	}
	if err := change.atOnce(w, p); err != nil {
		return err
	}
	if carryOut, err := s.show(p, change.changeFlags); err != nil || !carryOut {
		return err
	}
	done, err := s.Machine.RunChange(ctx, s.sink(), w, p)
	if err != nil {
		return err
	}
	return s.printDone(done, "done: "+done.Reason)
}

// show shows a plan and tells whether it is to be carried out.
func (s *session) show(p *flow.ChangePlan, change changeFlags) (carryOut bool, err error) {
	end := change.dryRun || p.Empty()
	switch {
	case !s.flags.json:
		err = s.printChange(p)
	case end:
		err = s.printJSON(p)
	}
	if err != nil || end {
		return false, err
	}
	return true, s.confirm("Go on?", change.yes)
}

// printChange shows what a plan does to packages, and where.
func (s *session) printChange(p *flow.ChangePlan) error {
	for _, n := range p.Notes {
		fmt.Fprintf(s.Stderr, "%s %s\n", s.errStyle().Hint("note:"), n)
	}
	if p.Unchanged() {
		if err := s.printHeld(p); err != nil {
			return err
		}
	}
	switch {
	case p.Empty():
		_, err := fmt.Fprintln(s.Stdout, "there is nothing to do")
		return err
	case p.Unchanged():
		return s.printStaged(p)
	}
	t := report.NewTable("ACTION", "PACKAGE", "OLD", "NEW", "#DOWNLOAD", "WHY")
	for _, r := range p.Rows() {
		size := ""
		if r.Download > 0 {
			size = report.Size(r.Download)
		}
		t.Row(r.Action, r.Package, orDash(r.Old), orDash(r.New), size, r.Why)
	}
	if err := t.Print(s.Stdout, s.outStyle()); err != nil {
		return err
	}
	sizes := p.Packages.Sizes
	disk := report.Size(sizes.Net) + " more on the disk"
	if sizes.Net < 0 {
		disk = report.Size(-sizes.Net) + " less on the disk"
	}
	fmt.Fprintf(s.Stdout, "\n%s to download, %s\n", report.Size(sizes.Download), disk)
	return s.printPlace(p)
}

// asker puts the questions of a plan to the person, if there is one and --yes
// did not settle everything.
func (s *session) asker(change changeFlags) flow.Ask {
	if !s.StdinIsTerminal || change.yes || s.flags.json {
		return nil
	}
	return func(c flow.Choice) int {
		if len(c.Options) > 0 {
			return s.choose(c)
		}
		switch err := s.confirm(c.Text, false); {
		case err == nil:
			return 1
		case errors.Is(err, errDeclined):
			return 0
		}
		return c.Default
	}
}

// choose lets a person pick one of several by its number.
func (s *session) choose(c flow.Choice) int {
	fmt.Fprintln(s.Stderr, c.Text)
	for i, o := range c.Options {
		fmt.Fprintf(s.Stderr, "  %d  %s\n", i+1, o)
	}
	for {
		fmt.Fprintf(s.Stderr, "number [%d] ", c.Default+1)
		line, err := s.readLine()
		line = strings.TrimSpace(line)
		if err != nil || line == "" {
			return c.Default
		}
		if n, err := strconv.Atoi(line); err == nil && n >= 1 && n <= len(c.Options) {
			return n - 1
		}
		fmt.Fprintf(s.Stderr, "there is no %s\n", line)
	}
}
