// SPDX-License-Identifier: GPL-3.0-or-later

// Package linux wraps the system calls that rastOS needs and the standard
// library does not offer, one function each: durability (fsync of files and
// directories, syncfs), room of a file system, locks, allocation and holes,
// copying by reference, the running kernel, reboot. Interrupted calls are
// retried and errors name the operation and the object.
//
// Mounts, loop devices and access below a system root have packages of their
// own beside this one.
package linux

import (
	"errors"

	"golang.org/x/sys/unix"
)

// retry repeats a call that a signal interrupted.
func retry(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
