// SPDX-License-Identifier: GPL-3.0-or-later

package pacman

import "github.com/rastos/rastos/alpm/version"

const vercmpUsage = `Usage: vercmp <ver1> <ver2>
`

const vercmpHelp = `vercmp (pacman) v` + pacmanVersion + `

Compare package version numbers as pacman does.

` + vercmpUsage + `
Output values:
  < 0 : if ver1 < ver2
    0 : if ver1 == ver2
  > 0 : if ver1 > ver2
`

// vercmp compares two versions: it prints -1, 0 or 1.
func (s *session) vercmp(args []string) int {
	switch {
	case len(args) == 0:
		s.stderr("%s", vercmpHelp)
		return 2
	case args[0] == "-h" || args[0] == "--help":
		s.stderr("%s", vercmpHelp)
		return 0
	case len(args) != 2:
		s.stderr("error: %d argument(s) specified\n\n%s", len(args), vercmpUsage)
		return 1
	}
	s.printf("%d\n", version.Compare(args[0], args[1]))
	return 0
}
