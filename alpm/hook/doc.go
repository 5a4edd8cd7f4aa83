// SPDX-License-Identifier: GPL-3.0-or-later

// Package hook reads alpm hooks, finds those that a transaction triggers, and
// runs them. The format is specified in alpm-hooks(5); what that leaves open
// follows libalpm 6.0 and 7.0 (`NetworkAccess` is of the latter).
//
// The three steps are apart: Load gives values, Select is a pure function of
// them and of the change, Execute runs what Select returned through a Chroot.
// Not here: the decision when to run (a failed or interrupted transaction has
// no post-transaction hooks), and ldconfig, which is no hook.
package hook
