// SPDX-License-Identifier: GPL-3.0-or-later

package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/rastos/rastos/internal/flow"
	"github.com/rastos/rastos/internal/report"
)

const pkgKeyringLong = `The keyring that signatures of packages and databases are held against: pacman's, a
GnuPG home that pacman-key(8) and gpg read and write too. No gpg is needed here.

A signature counts when its key is vouched for: by the keyring's own key, or by
enough of the master keys that it trusts.`

func pkgKeyring(s *session) *cobra.Command {
	cmd := group("keyring", "Make and keep the keyring of package signatures",
		keyringInit(s), keyringPopulate(s), keyringRefresh(s), keyringList(s))
	cmd.Long = pkgKeyringLong
	return cmd
}

// ofKeyring adds the flags that say which keyring is meant.
func ofKeyring(cmd *cobra.Command, at *flow.KeyringPlace) {
	atRoot(cmd, &at.Place)
	cmd.Flags().StringVar(&at.GPGDir, "gpgdir", "", "the keyring in this `directory` in place of the one that pacman.conf names")
}

func keyringInit(s *session) *cobra.Command {
	var at flow.KeyringPlace
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Make the keyring and its own key",
		Long: `Init makes the keyring, and in it the machine's own key, which vouches for the
master keys that populate takes in. What is there already stays; what is missing of
it is added.`,
		Example: "  rastos pkg keyring init\n  rastos pkg keyring init --root /mnt\n  rastos pkg keyring init --gpgdir /srv/keyring --json",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			made, err := s.Machine.InitKeyring(s.sink(), at)
			if err != nil {
				return err
			}
			if s.flags.json {
				return s.printJSON(made)
			}
			text := "%s was there, with the key %s\n"
			if made.New {
				text = "%s has a new key %s\n"
			}
			fmt.Fprintf(s.Stdout, text, made.Folder, made.Master)
			return nil
		},
	}
	ofKeyring(cmd, &at)
	return cmd
}

func keyringPopulate(s *session) *cobra.Command {
	var at flow.KeyringPlace
	var from string
	cmd := &cobra.Command{
		Use:   "populate [KEYRING]...",
		Short: "Take in the keys that keyring packages bring",
		Long: `Populate takes in the keyrings that packages such as archlinux-keyring brought to
/usr/share/pacman/keyrings, or of these the named ones: their keys, the trust in
master keys, which the keyring's own key vouches for from then on, and which keys
are revoked. Nothing is removed. A second time changes nothing.`,
		Example: "  rastos pkg keyring populate\n  rastos pkg keyring populate archlinux\n  rastos pkg keyring populate --from /srv/keyrings --json",
		RunE: func(_ *cobra.Command, args []string) error {
			filled, err := s.Machine.PopulateKeyring(at, from, args)
			if err != nil {
				return err
			}
			if s.flags.json {
				return s.printJSON(filled)
			}
			fmt.Fprintf(s.Stdout, "%s has taken in %s: %d keys added, %d updated, %d newly vouched for, %d disabled\n", filled.Folder,
				list(filled.Keyrings), len(filled.Added), len(filled.Updated), len(filled.Signed), len(filled.Disabled))
			for _, key := range filled.Unusable {
				report.Warnf(s.sink(), "the master key %s is revoked or has expired: it vouches for nobody", key)
			}
			return nil
		},
	}
	ofKeyring(cmd, &at)
	cmd.Flags().StringVar(&from, "from", "", "take keyrings from this `directory`")
	return cmd
}

func keyringRefresh(s *session) *cobra.Command {
	r := flow.KeyringRefresh{}
	cmd := &cobra.Command{
		Use:   "refresh [KEY]...",
		Short: "Look for news of keys on the network",
		Long: `Refresh looks for news of all keys, or of the named ones: longer lifetimes,
revocations, new subkeys. It asks the web key directories of their addresses, and
then a key server. Only what a key's owner or another key of the keyring signed is
taken; no new key comes in, and trust stays as it is.

KEY is the end of a fingerprint, or a part of a name or address. Keys that nobody
has are listed and are no failure, unless there is no answer for any.`,
		Example: "  rastos pkg keyring refresh\n  rastos pkg keyring refresh 8D8172C8 --server hkps://keys.example.org\n  rastos pkg keyring refresh --json",
		RunE: func(cmd *cobra.Command, args []string) error {
			r.Names = args
			done, err := s.Machine.RefreshKeyring(cmd.Context(), s.sink(), r)
			if err != nil {
				return err
			}
			if s.flags.json {
				if err := s.printJSON(done); err != nil {
					return err
				}
			} else {
				for _, f := range done.Failed {
					report.Warnf(s.sink(), "%s (%s): %s", f.Key, f.User, f.Error)
				}
				fmt.Fprintf(s.Stdout, "%s: %d keys asked for, %d with news, %d without an answer\n", done.Folder, done.Asked, len(done.Updated), len(done.Failed))
			}
			return done.Failure()
		},
	}
	ofKeyring(cmd, &r.KeyringPlace)
	cmd.Flags().StringVar(&r.Server, "server", flow.DefaultKeyServer, "the key `server` to ask, as hkps://HOST")
	cmd.Flags().StringVar(&r.Directory, "directory", "", "a `URL` below which web key directories lie by domain, in place of the domains' own")
	return cmd
}

func keyringList(s *session) *cobra.Command {
	var at flow.KeyringPlace
	cmd := &cobra.Command{
		Use:   "list [KEY]...",
		Short: "List the keys of the keyring, and what they are worth",
		Long: `List shows all keys, or the named ones. Validity is whether a signature by the key
counts: full or ultimate does, marginal and undefined do not.

KEY is the end of a fingerprint, or a part of a name or address.`,
		Example: "  rastos pkg keyring list\n  rastos pkg keyring list anna@example.org --json",
		RunE: func(_ *cobra.Command, args []string) error {
			l, err := s.Machine.ListKeyring(at, args)
			if err != nil {
				return err
			}
			if s.flags.json {
				return s.printJSON(l)
			}
			return s.printKeys(l)
		},
	}
	ofKeyring(cmd, &at)
	return cmd
}

func (s *session) printKeys(l *flow.KeyringList) error {
	t := report.NewTable("KEY", "VALIDITY", "TRUST", "EXPIRES", "USER")
	for _, k := range l.Keys {
		validity, expires, user := k.Validity, "never", ""
		switch {
		case k.Revoked:
			validity = "revoked"
		case k.Expired:
			validity = "expired"
		case k.Disabled:
			validity = "disabled"
		}
		if !k.Expires.IsZero() {
			expires = k.Expires.Format("2006-01-02")
		}
		if len(k.Users) > 0 {
			user = k.Users[0]
		}
		t.Row(k.Fingerprint, validity, k.Ownertrust, expires, user)
	}
	if err := t.Print(s.Stdout, s.outStyle()); err != nil {
		return err
	}
	fmt.Fprintf(s.Stdout, "%d keys in %s\n", len(l.Keys), l.Folder)
	return nil
}
