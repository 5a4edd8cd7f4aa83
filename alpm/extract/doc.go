// SPDX-License-Identifier: GPL-3.0-or-later

// Package extract writes the contents of packages into a system root, several
// packages at once, with no way out of that root.
//
// Every path is resolved by openat2(2) with RESOLVE_IN_ROOT, so that symbolic
// links, absolute ones too, lead to where they lead on the running system and
// never outside. What no package has a reason to hold is refused before
// anything of it is written: absolute names, "..", names that are not in their
// shortest form (they would pass the file-conflict check unseen), names with
// NUL or newline, device nodes, FIFOs, sockets, hard links to files that are
// not of the same package, and paths through a symbolic link that the same
// package brought.
//
// Implemented: files, directories, symbolic and hard links with owner, mode
// (setuid too), modification time and extended attributes (user.*, security.*;
// SCHILY.xattr and LIBARCHIVE.xattr records of pax headers); existing files are
// replaced by a rename, so that a program that runs keeps its own; an existing
// directory keeps its mode, as with pacman; a file never replaces a directory.
// Entries whose names begin with a dot are the package's metadata, not files:
// they are returned, not written. Not implemented: POSIX ACLs, file flags
// (libalpm does not restore them either), removal of old files. Without root,
// owners are not set.
//
// The order of system calls per file is the price of an installation:
// a cached parent directory, openat with O_EXCL, write, utimensat, close, and
// fchown, fchmod, fsetxattr only where the kernel's defaults are not right.
package extract
