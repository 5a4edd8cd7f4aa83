// SPDX-License-Identifier: GPL-3.0-or-later

// Package fsroot gives the files below a system root (a node's tree, a
// deployment's /etc, an image being built) without a way out of it.
//
// A system tree holds absolute links (/etc/localtime, /var/run) that must mean
// the tree's own files, and it may have been written by anybody. So every name
// is resolved by the kernel with openat2 and RESOLVE_IN_ROOT: "/" and ".." stop
// at the root, links are followed inside it, magic links never. os.Root refuses
// absolute links and cannot be used here.
//
// Names are slash-separated; a leading slash changes nothing, "" and "." are the
// root itself. Only Open, ReadFile, ReadDir, Stat and MkdirAll follow a link in
// the last component; everything that changes or describes a name (Lstat,
// Remove, Rename, Chmod, Chown, WriteFile, xattrs, …) means the name itself.
//
// Durability: WriteFile returns when contents and name are on the disk; MkdirAll,
// Mkdir, Symlink, Link, Rename, Remove and RemoveAll when the name is. Owner,
// mode, times and xattrs are not synced. WithoutSync gives a view that syncs
// nothing, for trees that are thrown away when the machine stops.
//
// It needs Linux 5.6 and /proc (for xattrs, and for modes before Linux 6.6).
package fsroot
