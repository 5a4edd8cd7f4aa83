// SPDX-License-Identifier: GPL-3.0-or-later

// Package receive carries out a btrfs send stream: it makes a subvolume, or a
// snapshot of one that is there, what the stream says.
//
// A stream may come from a stranger. No name in it leads out of the subvolume:
// every one is resolved below its root with no symbolic link on the way, and
// only regular files are opened. What a file contains, who owns it and what
// device a node stands for is the sender's say; do not receive what you would
// not run.
//
// Implemented: all commands of protocol versions 1 and 2. Compressed data is
// handed to the kernel as it is, or decoded where that is not possible (zlib,
// zstd, lzo). As btrfs-progs does, file attributes (chattr) are left as they
// are, and times of creation cannot be set.
//
// The commands are specified by the kernel's fs/btrfs/send.c and by the
// documentation of btrfs (dev-send-stream).
package receive
