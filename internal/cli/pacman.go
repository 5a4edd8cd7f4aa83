// SPDX-License-Identifier: GPL-3.0-or-later

package cli

import "github.com/spf13/cobra"

const pacmanLong = `Pacman is pacman's own command line over rastOS's package engine: the same
options, questions, output and exit codes. The program answers to the names
pacman, vercmp and pacman-conf as well. All flags are pacman's; ` + "`rastos pacman -h`" + `
lists the operations, and with one of them its options.`

func pacmanCommand(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "pacman [OPTION]... [TARGET]...",
		Short: "Run pacman's own command line",
		Long:  pacmanLong,
		Example: `  rastos pacman -Q                   list what is installed
  rastos pacman -Qo /usr/bin/vi      which package a file belongs to
  rastos pacman --root /mnt -Qkk     check every file of another system
  rastos pacman -Syu                 upgrade the system
  rastos pacman -U ./tool-1-1-any.pkg.tar.zst   install a file`,
		DisableFlagParsing: true,
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 && args[0] == "--help" {
			return cmd.Help()
		}
		if code := s.Pacman(cmd.Context(), append([]string{"pacman"}, args...)); code != 0 {
			return &silentError{code}
		}
		return nil
	}
	return cmd
}
