// SPDX-License-Identifier: GPL-3.0-or-later

package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/rastos/rastos/internal/flow"
)

const pkgLong = `The packages of this machine, or with --root of the system in a directory. Its
manifest, /etc/rastos/rastos.toml, says where packages come from, or where it has
none its /etc/pacman.conf.

On a machine that was booted from a node, a change happens in a new node that
the next boot tries; on any other system it happens in place.`

func pkgCommand(s *session) *cobra.Command {
	cmd := group("pkg", "Look at packages and change them",
		pkgSync(s), pkgSearch(s), pkgInfo(s), pkgList(s), pkgFiles(s), pkgOwns(s), pkgWhy(s), pkgVerify(s),
		pkgInstall(s), pkgRemove(s), pkgUpgrade(s), pkgClean(s), pkgLock(s), pkgHistory(s), pkgUndo(s), pkgKeyring(s),
	)
	cmd.Long = pkgLong
	return cmd
}

// atRoot adds the flag for another system.
func atRoot(cmd *cobra.Command, at *flow.Place) {
	cmd.Flags().StringVar(&at.Root, "root", "", "the system in this `directory` in place of this machine's")
}

// world opens the system that a verb is about.
func (s *session) world(at flow.Place) (*flow.World, error) {
	w, err := s.Machine.World(s.settings(), at)
	return w, s.manifestError("", err)
}

// list joins what one field holds.
func list(values []string) string { return strings.Join(values, "  ") }
