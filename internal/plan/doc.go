// SPDX-License-Identifier: GPL-3.0-or-later

// Package plan runs work that is made of steps: in order, announced to a
// report.Sink, written to a journal before and after each step, and undone in
// reverse when a step fails or the person interrupts.
//
// A plan is a value. Its names and details are shown to the person (and
// encoded as JSON) before anything runs; the very same value is then run.
//
// Scope is for what must be given back however a piece of work ends: mounts,
// loop devices, temporary files. Steps are for what changes the machine.
package plan
