// SPDX-License-Identifier: GPL-3.0-or-later

// Package process starts processes of services and ends them with all that came
// from them.
//
// Implemented: a process group for each, and a cgroup (version 2) where the caller
// has one to make others in; users and groups with their supplementary groups;
// readiness by a descriptor of the caller's choice and by sd_notify(3); signals that
// cannot hit another process (pidfd, through package os); reaping what is left to
// this process as a subreaper.
//
// Without cgroups, what leaves its process group survives; Cgroups says why there
// are none. Not implemented: limits of memory, processors and tasks.
package process
