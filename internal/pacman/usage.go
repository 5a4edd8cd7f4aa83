// SPDX-License-Identifier: GPL-3.0-or-later

package pacman

import (
	_ "embed"
	"strings"

	"github.com/rastos/rastos/internal/pacman/cmdline"
)

// helpText lists operations and options. A paragraph begins with the letters
// of the operations that it is about.
//
//go:embed usage.txt
var helpText string

// usage is -h, alone or with an operation.
func (s *session) usage() {
	for _, part := range strings.Split(helpText, "\n\n") {
		ops, text, _ := strings.Cut(part, "\n")
		mine := s.opt.Op == cmdline.OpNone && ops == "-" ||
			s.opt.Op != cmdline.OpNone && (ops == "*" || strings.Contains(ops, string(s.opt.Op)))
		if mine {
			s.print(strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "$0", s.name), "\n")
		}
	}
}

// The version that -V gives. Programs look there for what they may use.
const (
	pacmanVersion = "6.0.2"
	alpmVersion   = "13.0.2"
)

// version is -V. Its first line is pacman's.
func (s *session) version() {
	s.printf("\n .--.                  Pacman v%s - libalpm v%s\n", pacmanVersion, alpmVersion)
	s.printf("/ _.-' .-.  .-.  .-.   rastOS %s, which speaks this version's command line\n", s.Machine.Version)
	s.print("\\  '-. '-'  '-'  '-'   It is no part of the pacman project\n")
	s.print(" '--'\n")
	s.print("                       This program may be freely redistributed under\n")
	s.print("                       the terms of the GNU General Public License.\n\n")
}
