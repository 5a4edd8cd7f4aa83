// SPDX-License-Identifier: GPL-3.0-or-later

package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rastos/rastos/internal/flow"
	"github.com/rastos/rastos/internal/report"
)

const manifestLong = `FILE is a manifest; without it the one that the system has, in
/etc/rastos/rastos.toml, is taken. Packages that are there keep their versions,
and the databases of the repositories are used as they are, unless --upgrade or
--sync asks for newer ones. With --locked exactly the packages that the
manifest's lock pins are taken, and what cannot be had so is an error.`

const planLong = `Plan compares a system with its manifest and changes nothing: packages that are
declared and missing, packages that nothing declares and nothing needs, which
packages count as asked for, and what is set in another way than the manifest
says.

` + manifestLong

// applyFlags are those of plan and apply.
func applyFlags(cmd *cobra.Command, r *flow.ApplyRequest) {
	f := cmd.Flags()
	f.StringVar(&r.Root, "root", "", "the system in this `directory` in place of this machine's")
	f.BoolVar(&r.Upgrade, "upgrade", false, "bring packages up to date, too")
	holdBackFlag(cmd, &r.HoldBack)
	f.BoolVar(&r.Refresh, "sync", false, "bring the databases of the repositories up to date first")
	f.BoolVar(&r.Locked, "locked", false, "take exactly what the manifest's lock pins")
}

// applyRequest finishes a request with the arguments.
func applyRequest(cmd *cobra.Command, r *flow.ApplyRequest, args []string) error {
	if len(args) > 0 {
		r.File = args[0]
	}
	if r.Locked && r.Upgrade {
		return usage(cmd, errors.New("--locked and --upgrade exclude each other"))
	}
	if r.HoldBack && !r.Upgrade {
		return usage(cmd, errors.New("--hold-back goes with --upgrade"))
	}
	return nil
}

func planCommand(s *session) *cobra.Command {
	var r flow.ApplyRequest
	cmd := &cobra.Command{
		Use:   "plan [FILE]",
		Short: "Tell what would make a system what its manifest says",
		Long:  planLong,
		Example: `  rastos plan                          this machine and its own manifest
  rastos plan machine.toml --upgrade   another manifest, and newer packages
  rastos plan --root /mnt --json`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: manifestFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := applyRequest(cmd, &r, args); err != nil {
				return err
			}
			_, p, err := s.planApply(cmd.Context(), r)
			if err != nil {
				return err
			}
			if s.flags.json {
				return s.printJSON(p)
			}
			return s.printApplyPlan(p)
		},
	}
	applyFlags(cmd, &r)
	return cmd
}

// manifestFiles completes the names of manifests.
func manifestFiles(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return []string{"toml"}, cobra.ShellCompDirectiveFilterFileExt
}

func (s *session) planApply(ctx context.Context, r flow.ApplyRequest) (*flow.World, *flow.ApplyPlan, error) {
	w, p, err := s.Machine.PlanApply(ctx, s.sink(), s.settings(), r)
	if err != nil {
		return nil, nil, s.manifestError(r.File, err)
	}
	return w, p, nil
}

// printApplyPlan shows all that a plan does, one line each.
func (s *session) printApplyPlan(p *flow.ApplyPlan) error {
	for _, n := range p.Notes {
		fmt.Fprintf(s.Stderr, "%s %s\n", s.errStyle().Hint("note:"), n.Text)
	}
	if p.Unchanged() {
		if err := s.printHeld(&p.ChangePlan); err != nil {
			return err
		}
	}
	switch {
	case p.Empty():
		_, err := fmt.Fprintln(s.Stdout, "the system is what its manifest says")
		return err
	case p.Unchanged():
		return s.printStaged(&p.ChangePlan)
	}
	t := report.NewTable("WHAT", "NAME", "NOW", "BECOMES")
	for _, st := range p.Packages.Install {
		old := "-"
		if st.Old != nil {
			old = st.Old.Version
		}
		t.Row("package", st.Package.Name, old, st.Package.Version)
	}
	for _, rm := range p.Packages.Remove {
		t.Row("package", rm.Package.Name, rm.Package.Version, "removed")
	}
	for _, r := range p.Reasons {
		t.Row("reason", r.Package, r.Old, r.New)
	}
	for _, c := range p.Settings {
		t.Row(c.Kind, c.Name, "", settingText(c))
	}
	if p.Pins {
		t.Row("lock", "rastos.lock", "", "what is installed then")
	}
	if err := t.Print(s.Stdout, s.outStyle()); err != nil {
		return err
	}
	fmt.Fprintln(s.Stdout)
	if err := s.printHeld(&p.ChangePlan); err != nil {
		return err
	}
	if sizes := p.Packages.Sizes; !p.Packages.Empty() {
		fmt.Fprintf(s.Stdout, "%s to download, %s more on the disk\n", report.Size(sizes.Download), report.Size(sizes.Net))
	}
	return s.printPlace(&p.ChangePlan)
}

// settingText says what setting something right does.
func settingText(c flow.Setting) string {
	if c.Waits != "" {
		return "set when the packages are there"
	}
	var words []string
	for _, ch := range c.Changes {
		word := "/" + ch.Path
		if ch.Kind == "remove" {
			word += " (removed)"
		}
		words = append(words, word)
	}
	return strings.Join(words, ", ")
}
