// SPDX-License-Identifier: GPL-3.0-or-later

// Package testkit holds what the tests of several rooms share: checks for
// what a test needs from the machine (programs, root, kernel features), loop
// disks with a file system on them, and golden files.
//
// A check that fails skips the test on a developer's machine and fails it
// where CI=true is set, so that a missing tool cannot hide there.
package testkit
