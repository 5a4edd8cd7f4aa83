// SPDX-License-Identifier: GPL-3.0-or-later

// Package convert turns Debian binary packages into pacman packages.
//
// Done: versions and relations are mapped, files are moved into the merged
// /usr of Arch (one directory for programs, /usr/bin; kernels below
// /usr/lib/modules), conffiles become backup files, and each path has one
// owner in the whole repository. Maintainer scripts are left out. What they
// would have done comes from here: the links of update-alternatives are read
// from the scripts, and the folder additions holds files that are added to the
// package of the same name, among them alpm hooks like those of Arch. The
// package filesystem has no Debian counterpart; it takes the place of
// base-files, base-passwd, usrmerge and their like.
//
// Not done: debconf, diversions, triggers, capabilities set by scripts, users
// made by scripts beyond those that filesystem has.
package convert
