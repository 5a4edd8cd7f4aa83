// SPDX-License-Identifier: GPL-3.0-or-later

package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/rastos/rastos/internal/flow"
	"github.com/rastos/rastos/internal/report"
)

func driftCommand(s *session) *cobra.Command {
	var r flow.DriftRequest
	cmd := &cobra.Command{
		Use:   "drift [FILE]",
		Short: "Tell how a system differs from its manifest and its lock",
		Long: `Drift compares a system as it runs with its manifest and its lock, and changes
nothing: packages that are missing, surplus or of another version, which of them
count as asked for, users, services, network and settings. Where the manifest says
nothing, services are compared with the node that runs. What [drift] ignore of the
manifest names is counted and not shown.

FILE is a manifest; without it the one that the system has, in
/etc/rastos/rastos.toml, is taken. It ends with 0 where nothing differs, and with
11 where something does.`,
		Example: `  rastos drift
  rastos drift machine.toml --root /mnt
  rastos drift --files
  rastos drift --json`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: manifestFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				r.File = args[0]
			}
			return s.drift(cmd.Context(), r)
		},
	}
	cmd.Flags().StringVar(&r.Root, "root", "", "the system in this `directory` in place of this machine's")
	cmd.Flags().BoolVar(&r.Files, "files", false, "compare the files of packages and of /etc, too")
	return cmd
}

func (s *session) drift(ctx context.Context, r flow.DriftRequest) error {
	d, err := s.Machine.Drift(ctx, s.sink(), s.settings(), r)
	if err != nil {
		return s.manifestError(r.File, err)
	}
	if s.flags.json {
		err = s.printJSON(d)
	} else {
		err = s.printDrift(d)
	}
	if err == nil && len(d.Differences) > 0 {
		return &silentError{ExitDrift}
	}
	return err
}

func (s *session) printDrift(d *flow.Drift) error {
	if len(d.Differences) > 0 {
		t := report.NewTable("WHAT", "NAME", "WANTED", "FOUND")
		for _, one := range d.Differences {
			t.Row(one.Kind, one.Name, one.Wanted, one.Found)
		}
		if err := t.Print(s.Stdout, s.outStyle()); err != nil {
			return err
		}
		fmt.Fprintln(s.Stdout)
	}
	text := "the system is what its manifest says"
	switch n := len(d.Differences); {
	case n == 1:
		text = "1 difference"
	case n > 1:
		text = fmt.Sprintf("%d differences", n)
	}
	if d.Ignored > 0 {
		text += fmt.Sprintf("; %d ignored", d.Ignored)
	}
	_, err := fmt.Fprintln(s.Stdout, text)
	return err
}
