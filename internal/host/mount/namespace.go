// SPDX-License-Identifier: GPL-3.0-or-later

package mount

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// Private runs fn in a mount namespace of its own, from which no mount spreads
// to the host. The kernel drops its mounts when the last user of the namespace
// ends, so that nothing stays behind even after a kill.
//
// A namespace belongs to a thread: fn runs on one of its own and must not hand
// work to other goroutines that is to see the mounts. Programs that it starts
// see them.
func Private(fn func() error) error {
	done := make(chan error, 1)
	go func() {
		// Never unlocked: the runtime ends the thread with the goroutine, and
		// nobody else gets one that lives in another namespace.
		runtime.LockOSThread()
		done <- enterAndRun(fn)
	}()
	return <-done
}

func enterAndRun(fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic in a private mount namespace: %v", p)
		}
	}()
	if err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_FS); err != nil {
		return &Error{Op: "make a private mount namespace at", Target: "/", Err: err}
	}
	if err := KeepOwn(unix.MS_PRIVATE); err != nil {
		return err
	}
	return fn()
}
