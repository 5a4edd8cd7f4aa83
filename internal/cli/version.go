// SPDX-License-Identifier: GPL-3.0-or-later

package cli

import (
	"encoding/json"
	"fmt"
	"runtime"

	"github.com/spf13/cobra"
)

func versionCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: "  rastos version\n  rastos version --json",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			if s.flags.json {
				return json.NewEncoder(s.Stdout).Encode(map[string]string{
					"version": s.Version, "go": runtime.Version(),
					"os": runtime.GOOS, "arch": runtime.GOARCH,
				})
			}
			_, err := fmt.Fprintf(s.Stdout, "rastos %s (%s, %s/%s)\n",
				s.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}
