// SPDX-License-Identifier: GPL-3.0-or-later

// Package compare tells which files differ between two read-only subvolumes of
// one file system, without walking either.
//
// The kernel compares the two trees of metadata, skips what they share, and says
// in a send stream without data (see btrfs/stream) which names and inodes it
// passed by. Those are the candidates; each is then looked at in both trees, so
// that what is told is what is there: a file that was written again with what it
// held, or touched and put back, is no difference.
//
// Compared are type, contents, link target, device, permissions, owner and
// extended attributes; never times. A file that has several names is told under
// each. One that has another name only is told as renamed, and so is all below a
// directory that was.
package compare
