// SPDX-License-Identifier: GPL-3.0-or-later

// Package flow tells the stories of rastOS step by step: building an image,
// upgrading a machine, rolling back, finishing a boot. A story calls nouns
// (packages, nodes, deployments, boot entries) in order and says what happens
// through a report.Sink; what it does to the machine goes through Machine,
// which only main constructs.
//
// A story that changes something is two calls: one works out a plan as a value,
// which the caller shows, and one runs that very value.
package flow
