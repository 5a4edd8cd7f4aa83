// SPDX-License-Identifier: GPL-3.0-or-later

package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/rastos/rastos/internal/flow"
	"github.com/rastos/rastos/internal/report"
)

func pkgInfo(s *session) *cobra.Command {
	var at flow.Place
	var available bool
	cmd := &cobra.Command{
		Use:   "info PACKAGE...",
		Short: "Show all that is known of packages",
		Long: `Info shows packages as they are installed, or where they are not, as the first
repository that has them describes them. REPOSITORY/PACKAGE asks one repository.`,
		Example: "  rastos pkg info bash\n  rastos pkg info bash --available\n  rastos pkg info core/linux --json",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, names []string) error {
			w, err := s.world(at)
			if err != nil {
				return err
			}
			infos, missing := s.Machine.PkgInfo(cmd.Context(), w, names, available)
			if len(infos) > 0 && s.flags.json {
				return errors.Join(s.printJSON(infos), missing)
			}
			for i := range infos {
				if i > 0 {
					fmt.Fprintln(s.Stdout)
				}
				if err := s.printInfo(&infos[i]); err != nil {
					return err
				}
			}
			return missing
		},
	}
	atRoot(cmd, &at)
	cmd.Flags().BoolVar(&available, "available", false, "show what the repositories have, also of what is installed")
	return cmd
}

func (s *session) printInfo(p *flow.PackageInfo) error {
	t := report.NewTable("FIELD", "VALUE")
	row := func(field, value string) {
		if value != "" {
			t.Row(field, value)
		}
	}
	row("name", p.Name)
	row("version", p.Version)
	row("description", p.Description)
	row("repository", p.Repository)
	row("installed", installedText(p))
	row("reason", p.Reason)
	row("architecture", p.Arch)
	row("url", p.URL)
	row("licences", list(p.Licenses))
	row("groups", list(p.Groups))
	row("depends on", list(p.Depends))
	for _, o := range p.OptDepends {
		text := o.Name
		if o.For != "" {
			text += ": " + o.For
		}
		if o.Installed {
			text += " (installed)"
		}
		row("can use", text)
	}
	row("provides", list(p.Provides))
	row("conflicts with", list(p.Conflicts))
	row("replaces", list(p.Replaces))
	row("required by", list(p.RequiredBy))
	row("optional for", list(p.OptionalFor))
	if p.DownloadSize > 0 {
		row("download", report.Size(p.DownloadSize))
	}
	row("on the disk", report.Size(p.InstalledSize))
	row("packager", p.Packager)
	row("built", dateText(p.Built))
	row("installed on", dateText(p.InstallDate))
	row("verified by", list(p.Validation))
	row("file", p.File)
	row("sha256", p.SHA256)
	for _, b := range p.Backup {
		row("keeps changes of", "/"+b)
	}
	return t.Print(s.Stdout, s.outStyle())
}

func installedText(p *flow.PackageInfo) string {
	switch {
	case p.Installed && p.Other != "":
		return "yes; the repository has " + p.Other
	case p.Installed:
		return "yes"
	case p.Other != "":
		return "as " + p.Other
	}
	return "no"
}

func dateText(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04")
}

func pkgList(s *session) *cobra.Command {
	var at flow.Place
	var f flow.ListFilter
	cmd := &cobra.Command{
		Use:   "list [PATTERN...]",
		Short: "List installed packages",
		Long: `List lists installed packages whose names match one of the patterns, and for which
all that the flags ask holds. Orphans came as dependencies, and nothing needs them
any more, directly or not, or can use them.`,
		Example: "  rastos pkg list --explicit\n  rastos pkg list --orphans\n  rastos pkg list 'lib*' --upgradable --json",
		RunE: func(cmd *cobra.Command, patterns []string) error {
			f.Patterns = patterns
			w, err := s.world(at)
			if err != nil {
				return err
			}
			packages, err := s.Machine.PkgList(cmd.Context(), s.sink(), w, f)
			if err != nil {
				return err
			}
			if s.flags.json {
				return s.printJSON(packages)
			}
			return s.printList(packages)
		},
	}
	atRoot(cmd, &at)
	flags := cmd.Flags()
	flags.BoolVar(&f.Explicit, "explicit", false, "that were asked for")
	flags.BoolVar(&f.Deps, "deps", false, "that came as dependencies")
	flags.BoolVar(&f.Orphans, "orphans", false, "that nothing needs any more")
	flags.BoolVar(&f.Foreign, "foreign", false, "that are in no repository")
	flags.BoolVar(&f.Native, "native", false, "that are in a repository")
	flags.BoolVar(&f.Upgradable, "upgradable", false, "that are newer in a repository")
	cmd.MarkFlagsMutuallyExclusive("explicit", "deps")
	cmd.MarkFlagsMutuallyExclusive("explicit", "orphans")
	cmd.MarkFlagsMutuallyExclusive("foreign", "native")
	cmd.MarkFlagsMutuallyExclusive("foreign", "upgradable")
	return cmd
}

func (s *session) printList(packages []flow.ListedPackage) error {
	t := report.NewTable("NAME", "VERSION", "NEWER", "REASON", "REPOSITORY", "#SIZE")
	for _, p := range packages {
		newer, reason := p.Newer, p.Reason
		if p.Ignored {
			newer += " (ignored)"
		}
		if p.Orphan {
			reason = "orphan"
		}
		t.Row(p.Name, p.Version, orDash(newer), reason, orDash(p.Repository), report.Size(p.Size))
	}
	return t.Print(s.Stdout, s.outStyle())
}
