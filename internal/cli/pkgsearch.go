// SPDX-License-Identifier: GPL-3.0-or-later

package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/rastos/rastos/internal/flow"
	"github.com/rastos/rastos/internal/report"
)

func pkgSync(s *session) *cobra.Command {
	var at flow.Place
	var o flow.SyncOptions
	cmd := &cobra.Command{
		Use:   "sync",
		Short: "Bring the databases of the repositories up to date",
		Example: `  rastos pkg sync
  rastos pkg sync --files
  rastos pkg sync --root /mnt --json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			w, err := s.world(at)
			if err != nil {
				return err
			}
			repos, err := s.Machine.PkgSync(cmd.Context(), s.sink(), w, o)
			if err != nil {
				return err
			}
			if s.flags.json {
				return s.printJSON(repos)
			}
			t := report.NewTable("REPOSITORY", "#PACKAGES", "STATE")
			for _, r := range repos {
				state := "up to date"
				if r.Changed {
					state = "updated"
				}
				t.Row(r.Name, fmt.Sprint(r.Packages), state)
			}
			return t.Print(s.Stdout, s.outStyle())
		},
	}
	atRoot(cmd, &at)
	cmd.Flags().BoolVar(&o.Files, "files", false, "fetch the lists of files, too, which `rastos pkg files` and `rastos pkg owns` look into")
	cmd.Flags().BoolVar(&o.Force, "force", false, "fetch what did not change, too")
	return cmd
}

func pkgSearch(s *session) *cobra.Command {
	var at flow.Place
	cmd := &cobra.Command{
		Use:   "search WORD...",
		Short: "Find packages by words",
		Long: `Search finds packages that have all of the words in their name, their description,
their groups or what they provide; letters of either case are alike. What is
called so comes first, then what provides it, then what has the word in its
name, and last what has it in its description.`,
		Example: "  rastos pkg search editor\n  rastos pkg search font mono --json",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, words []string) error {
			w, err := s.world(at)
			if err != nil {
				return err
			}
			found, err := s.Machine.PkgSearch(cmd.Context(), s.sink(), w, words)
			if err != nil {
				return err
			}
			if s.flags.json {
				return s.printJSON(found)
			}
			t := report.NewTable("NAME", "VERSION", "REPOSITORY", "INSTALLED", "DESCRIPTION")
			for _, p := range found {
				t.Row(p.Name, p.Version, orDash(p.Repository), orDash(p.Installed), p.Description)
			}
			return t.Print(s.Stdout, s.outStyle())
		},
	}
	atRoot(cmd, &at)
	return cmd
}

// orDash shows what is not there.
func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
