// SPDX-License-Identifier: GPL-3.0-or-later

// Package cli is the command line: one file a verb, and no logic. A verb
// reads its flags and arguments, calls a story in internal/flow (or a codec
// such as internal/manifest), and shows what comes back as a table or, with
// --json, as JSON.
//
// To add a verb, write <verb>.go with a function that returns its
// *cobra.Command, list it in root.go, give it a testdata/<verb>.txtar and a
// docs/man/rastos-<verb>.md.
//
// What the person asked for goes to standard output; progress, logs and
// errors go to standard error. With --json, events and errors are JSON lines on
// standard output.
package cli
