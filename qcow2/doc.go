// SPDX-License-Identifier: GPL-3.0-or-later

// Package qcow2 reads and writes disk images in QEMU's qcow2 format, in pure Go.
//
// Reading: versions 2 and 3; plain, zero and compressed clusters (deflate and
// zstd); a backing file, but only one that the caller opens: the name in an
// image is never opened by itself, because an image from elsewhere could name
// any file of this machine. Writing: whole new images of version 3 from any
// io.ReaderAt, plain or compressed, without zeros and holes, the same bytes for
// the same input whatever the number of workers.
//
// Not implemented, and refused: encryption, external data files, extended L2
// entries (subclusters). Internal snapshots and bitmaps are passed over. Images
// are not changed in place.
//
// Every number in an image is checked against the size of the file before it is
// believed: a hostile image costs no more memory than one of its own size.
//
// The format is specified by docs/interop/qcow2.txt of QEMU.
package qcow2
