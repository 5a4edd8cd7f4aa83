// SPDX-License-Identifier: GPL-3.0-or-later

// Package btrfs makes, deletes, describes, lists and sends the subvolumes of a
// mounted btrfs file system, and tells how its space is used. It speaks to the
// kernel by ioctl: no btrfs-progs, no cgo.
//
// Implemented: subvolumes and snapshots (create, delete, read-only property,
// information, list, default), extents and who shares them, file-system
// information, space by block group type, commit of the running transaction, send
// streams (btrfs/stream reads and writes them, btrfs/receive carries them out). Not
// implemented: quota groups (rastOS keeps them off: they make deletion ten times
// slower), balance, scrub, devices.
//
// What is durable when a call returns: Snapshot, SetReadOnly and Delete are;
// Create is not until SyncFS (the kernel commits a new subvolume with the next
// transaction).
//
// The interface is specified by the kernel's include/uapi/linux/btrfs.h and
// btrfs_tree.h; structures here have the names of the former in lower camel
// case. Most calls need CAP_SYS_ADMIN.
package btrfs
