// SPDX-License-Identifier: GPL-3.0-or-later

package trans

// ErrStopped stops a journalled run as a cut would: nothing is taken back.
var ErrStopped = errStopped

// SetFault lets a test stop or fail a journalled run at any of its steps.
func (e *Env) SetFault(f func(what string) error) { e.fault = f }

// SetUnsynced leaves out what makes staged files last.
func (e *Env) SetUnsynced() { e.unsynced = true }
