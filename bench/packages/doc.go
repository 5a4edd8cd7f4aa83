// SPDX-License-Identifier: GPL-3.0-or-later

// Packages measures the package engine against pacman and repo-add: the whole
// of a repository installed into an empty root, on tmpfs and on fresh ext4 and
// btrfs file systems, and the making of a repository's database.
//
//	go run ./bench/packages                        all figures, from build/repo/bench
//	go run ./bench/packages -set demo              the demo's small set
//	go run ./bench/packages -only install-tmpfs    one figure
//	go run ./bench/packages -only install-tmpfs -profile DIR
//
// Both sides take turns in one run, on the same packages from the same file
// mirror, each as a process of its own with a cache of its own that is empty at
// the start. Both refresh the database, resolve, copy the archives to their
// cache, verify checksums, look for conflicts, check the space, extract, write
// the local database and run ldconfig. Two things that would blur the
// comparison of the engines have rows of their own: install-hooks also runs the
// hooks that the packages bring (the same programs for both; elsewhere they are
// masked for both), install-signed requires signatures (pacman runs gpg for
// each package, which would flatter every other figure).
//
// Times are wall-clock from start to end of the process, with the syncfs of
// the root's file system on a disk; what has no disk below (tmpfs) has none.
// Memory and processor time are what the kernel says about the process and its
// children. After each of our runs, out of the measured time, the real pacman
// checks the database (-Dk) and every file (-Qkk).
//
// The engine is driven by this program started again (see ours.go), with the
// settings of rastos.
package main
