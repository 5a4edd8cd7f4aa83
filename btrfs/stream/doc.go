// SPDX-License-Identifier: GPL-3.0-or-later

// Package stream reads and writes the send streams of btrfs: the list of
// commands that makes one snapshot, or what leads from one snapshot to another,
// as `btrfs send` prints it and `btrfs receive` carries it out.
//
// Implemented: protocol versions 1 and 2 (data longer than 64 KiB, compressed
// data as it is on the disk), several streams one after the other, checksums.
// Not implemented: version 3 (fs-verity), which kernels keep behind an
// experimental option.
//
// The format is specified by the kernel's fs/btrfs/send.h and described in the
// btrfs documentation (dev-send-stream). All numbers are little endian.
package stream
