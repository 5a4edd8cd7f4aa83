// SPDX-License-Identifier: GPL-3.0-or-later

package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/rastos/rastos/internal/flow"
	"github.com/rastos/rastos/internal/report"
)

func pkgFiles(s *session) *cobra.Command {
	var at flow.Place
	cmd := &cobra.Command{
		Use:   "files PACKAGE...",
		Short: "List the files of packages",
		Long: `Files lists the files of installed packages, and of others by the lists of the
repositories, which ` + "`rastos pkg sync --files`" + ` fetches. Folders end in a slash.`,
		Example: "  rastos pkg files bash\n  rastos pkg files core/linux --json",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, names []string) error {
			w, err := s.world(at)
			if err != nil {
				return err
			}
			packages, missing := s.Machine.PkgFiles(cmd.Context(), w, names)
			if len(packages) > 0 && s.flags.json {
				return errors.Join(s.printJSON(packages), missing)
			}
			for _, p := range packages {
				for _, f := range p.Files {
					fmt.Fprintf(s.Stdout, "%s /%s\n", p.Name, f)
				}
			}
			return missing
		},
	}
	atRoot(cmd, &at)
	return cmd
}

func pkgOwns(s *session) *cobra.Command {
	var at flow.Place
	cmd := &cobra.Command{
		Use:   "owns FILE...",
		Short: "Tell which package a file belongs to",
		Long: `Owns tells which installed package has a file. FILE with a slash in it is a path;
links on the way to it are followed, and with --root it is below that. A bare name
is that of a file anywhere: where no installed package has one, the lists of the
repositories tell which package would bring it; ` + "`rastos pkg sync --files`" + ` fetches
them.`,
		Example: "  rastos pkg owns /usr/bin/bash\n  rastos pkg owns libfoo.so\n  rastos pkg owns ./a b --json",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error {
			w, err := s.world(at)
			if err != nil {
				return err
			}
			owners, missing := s.Machine.PkgOwns(cmd.Context(), s.sink(), w, files)
			if len(owners) == 0 {
				return missing
			}
			if s.flags.json {
				return errors.Join(s.printJSON(owners), missing)
			}
			t := report.NewTable("FILE", "PACKAGE", "VERSION", "WHERE")
			for _, o := range owners {
				where := "installed"
				if o.Repository != "" {
					where = o.Repository
				}
				t.Row(o.Path, o.Package, o.Version, where)
			}
			return errors.Join(t.Print(s.Stdout, s.outStyle()), missing)
		},
	}
	atRoot(cmd, &at)
	return cmd
}
