// SPDX-License-Identifier: GPL-3.0-or-later

// Package pacman is pacman's command line over the package engine of alpm/:
// the same options, output, questions and exit codes, so that people, scripts
// and programs such as paru find what they know. Two smaller personalities
// come with it: vercmp and pacman-conf.
//
// A command line becomes cmdline.Options, which go over what pacman.conf
// says (config.go); both together make the world that an operation works in.
// There is one file an operation, or a few: query.go, database.go, files.go …
//
// What is written is that of pacman 6.0.2 in the C locale, byte by byte, which
// the tests compare with; --debug says less. Options that are new in pacman
// 7 are understood in pacman.conf.
package pacman
