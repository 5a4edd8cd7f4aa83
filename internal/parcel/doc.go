// SPDX-License-Identifier: GPL-3.0-or-later

// Package parcel is the form in which a node travels, to a file, to another
// machine or to a registry: what is known of it, and the btrfs send stream of its
// tree in compressed pieces, each of which is verified before it is used.
//
//	"rastos-parcel 1\n"
//	from        u32      pieces that are left out, since the receiver has them
//	header      u32 length, JSON (Header)
//	piece       u32 packed length, u32 length, 32 bytes digest, zstd frame; again and again
//	end         u32 0, u32 length, JSON (Trailer)
//
// Numbers are little endian. The digest of a piece is SHA-256 over the digest
// before it and the piece; before the first one stands SHA-256 of the header. So
// a digest says that all up to here is as it was sent, and the last one names the
// whole parcel. A parcel with an end is complete; one that stops earlier can be
// continued where it stopped, if who sends it comes to the same digest there.
//
// docs/node-parcel.md describes it for other programs.
package parcel
