// SPDX-License-Identifier: GPL-3.0-or-later

// Package state decides what becomes of services: it is the state machine of
// a service manager, without processes, files or a clock of its own. Events go in
// with the time at which they happened, actions come out; Manager.Deadline says
// when to wake it if nothing happens.
//
// Implemented: states of each service; start and stop in the order of the graph,
// as parallel as it allows; conditions (requires, requires-one); virtual services
// and bundles, whose state is that of their providers and contents; readiness by
// notification or by staying alive; tries, back-off and a limit of crashes;
// deadlines with the signal that asks and the one that kills; oneshots with stop
// scripts; clean-up scripts; reload by difference, which touches nothing that runs;
// runlevels; shutdown with a deadline that names what held it up.
//
// Not implemented here: carrying actions out (internal/supervise), speaking with
// people (internal/supervise/control).
//
// The meaning of service files is rinit's (docs/services.md). Where rinit gives up
// on a service that dies after it was up, this tries again: at once the first
// time, then after ever longer pauses, max_deaths times unless it stays up for
// Steady in between.
package state
