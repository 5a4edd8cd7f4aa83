// SPDX-License-Identifier: GPL-3.0-or-later

// Package account reads and writes the account files of a system: passwd,
// group, shadow, gshadow, subuid and subgid.
//
// Implemented: codecs that keep unknown lines, order and every byte that is
// not changed; a three-way merge by name (Merge) that never renumbers; the
// numbers of a machine carried into a new tree before anything there makes
// system users (Reconcile); the users of a manifest (Apply) with their groups,
// password hashes, home directories and SSH keys.
//
// Not implemented: removing accounts (a freed number would be given to the
// next one, with the old one's files); NIS lines beyond keeping them; the lock
// file /etc/.pwd.lock, for nothing here works on a live /etc.
//
// The formats are in passwd(5), group(5), shadow(5), gshadow(5), subuid(5) and
// subgid(5); authorized_keys in sshd(8); password hashes in crypt(5).
package account
