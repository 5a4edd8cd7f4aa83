// SPDX-License-Identifier: GPL-3.0-or-later

package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/rastos/rastos/internal/flow"
	"github.com/rastos/rastos/internal/report"
)

func pkgWhy(s *session) *cobra.Command {
	var at flow.Place
	cmd := &cobra.Command{
		Use:   "why PACKAGE",
		Short: "Tell why a package is installed",
		Long: `Why shows how packages that were asked for lead to this one, the shortest way from
each. PACKAGE may also be something that an installed package provides.`,
		Example: "  rastos pkg why zlib\n  rastos pkg why libfoo.so --json",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			w, err := s.world(at)
			if err != nil {
				return err
			}
			why, err := s.Machine.PkgWhy(w, args[0])
			if err != nil {
				return err
			}
			if s.flags.json {
				return s.printJSON(why)
			}
			s.printWhy(why)
			return nil
		},
	}
	atRoot(cmd, &at)
	return cmd
}

func (s *session) printWhy(why *flow.WhyInstalled) {
	out := s.Stdout
	switch {
	case why.Orphan:
		fmt.Fprintf(out, "%s %s came as a dependency, and nothing needs it any more\n", why.Name, why.Version)
	case why.Reason == "explicit":
		fmt.Fprintf(out, "%s %s was asked for\n", why.Name, why.Version)
	case len(why.Chains) == 0:
		fmt.Fprintf(out, "%s %s came as a dependency of %s, and nobody asked for anything that needs it\n", why.Name, why.Version, list(why.RequiredBy))
	default:
		fmt.Fprintf(out, "%s %s came as a dependency\n", why.Name, why.Version)
	}
	if len(why.Chains) > 0 {
		fmt.Fprintln(out, "it is needed by what was asked for:")
	}
	for _, c := range why.Chains {
		fmt.Fprintf(out, "  %s\n", c.Text)
	}
	for _, u := range why.OptionalFor {
		if u.For == "" {
			fmt.Fprintf(out, "%s can use it\n", u.Package)
			continue
		}
		fmt.Fprintf(out, "%s can use it: %s\n", u.Package, u.For)
	}
}

func pkgVerify(s *session) *cobra.Command {
	var at flow.Place
	var quick bool
	cmd := &cobra.Command{
		Use:   "verify [PACKAGE...]",
		Short: "Hold the files of packages against what was installed",
		Long: `Verify looks at the files of packages, of all that are installed where none is
named: that each is there, with the type, owner, permissions, size, target and
content that the package gave it. Files whose changes are kept (backup files) are
told and do not count.`,
		Example: "  rastos pkg verify\n  rastos pkg verify bash --json\n  rastos pkg verify --quick --root /mnt",
		RunE: func(cmd *cobra.Command, names []string) error {
			w, err := s.world(at)
			if err != nil {
				return err
			}
			v, err := s.Machine.PkgVerify(cmd.Context(), s.sink(), w, flow.VerifyRequest{Names: names, Quick: quick})
			if err != nil {
				return err
			}
			if s.flags.json {
				err = s.printJSON(v)
			} else {
				err = s.printVerified(v)
			}
			if err == nil && !v.Sound() {
				return &silentError{ExitVerify}
			}
			return err
		},
	}
	atRoot(cmd, &at)
	cmd.Flags().BoolVar(&quick, "quick", false, "look only whether the files are there")
	return cmd
}

func (s *session) printVerified(v *flow.Verified) error {
	if len(v.Findings) > 0 {
		t := report.NewTable("PACKAGE", "FILE", "WRONG", "")
		for _, f := range v.Findings {
			kind, note := f.Kind, ""
			if f.Digest != "" {
				kind += " (" + f.Digest + ")"
			}
			if f.Backup {
				note = "a file for people to change"
			}
			t.Row(f.Package, orDash(f.Path), kind, note)
		}
		if err := t.Print(s.Stdout, s.outStyle()); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(s.Stdout, "%d packages, %d files: %d altered\n", v.Packages, v.Files, v.Altered)
	return err
}
