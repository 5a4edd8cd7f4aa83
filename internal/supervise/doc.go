// SPDX-License-Identifier: GPL-3.0-or-later

// Package supervise is the service manager: it carries out what
// internal/supervise/state decides, with real processes, logs and a clock, and
// answers people at a socket.
//
// Implemented: a manager for the services of one user, or of a system whose PID 1
// is another program. Everything happens in one goroutine, the loop, which owns the
// state; processes, the socket and the timer send it events.
//
// Not implemented: being PID 1; a manager that ends without its services (those of
// one that was killed are ended by the next, where there are cgroups of version 2,
// and else go on without one); limits; socket activation; timers.
package supervise
