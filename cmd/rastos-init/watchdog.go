// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"errors"
	"io/fs"
	"os"

	"github.com/rastos/rastos/internal/host/early"
)

// watch starts a watchdog for a deployment on trial: an init that hangs before it
// feeds one would otherwise keep the machine from falling back. The machine's own
// watchdog is preferred; the kernel's stands in where there is none.
func (b *initramfs) watch() {
	if b.cmd.watchdog == 0 {
		return
	}
	dev := sysroot + "/dev/watchdog0"
	if _, err := os.Stat(dev); errors.Is(err, fs.ErrNotExist) {
		b.drivers.named("softdog")
	}
	if err := early.StartWatchdog(dev, b.cmd.watchdog); err != nil {
		b.log(err.Error() + ": a hang of this boot will not end by itself")
	}
}
