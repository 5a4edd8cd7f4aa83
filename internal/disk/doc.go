// SPDX-License-Identifier: GPL-3.0-or-later

// Package disk makes disks that boot: the layout as a value, its GUID partition
// table, the EFI system partition (written in user space, never mounted) and
// the btrfs file system in it, in image files that appear under their name only
// when they are whole.
//
// A layout is worked out first and shown or written afterwards. All identities
// (disk, partitions, file systems) come from the caller, so that a build can be
// repeated. Sizes and offsets are in bytes.
//
// The partition table is specified by UEFI 2.10, chapter 5, the partition types
// by the Discoverable Partitions Specification (uapi-group.org).
package disk
