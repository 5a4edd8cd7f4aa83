// SPDX-License-Identifier: GPL-3.0-or-later

// Package manifest is rastos.toml: the one file that says what a machine is.
//
// The structs are the table of keys (see package schema): what they say is
// what Parse accepts, what Schema exports and what docs/manifest.md lists.
// What the table cannot say, such as a service both enabled and disabled, is
// in rules.go. Parse reports every mistake at once.
//
// Reading, resolving paths and filling in defaults are three steps: Parse
// keeps what is written, Resolve makes relative paths absolute, WithDefaults
// returns a copy in which every default stands. Load does all three.
//
// Keys of the design that this version cannot act on yet are in the table,
// marked "later": using one is a mistake that says so, so nothing is silently
// ignored. rastos.lock is not here yet.
package manifest
