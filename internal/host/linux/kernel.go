// SPDX-License-Identifier: GPL-3.0-or-later

package linux

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Kernel names the running kernel.
type Kernel struct{ Release, Version, Machine, Hostname string }

// Uname describes the running kernel.
func Uname() (Kernel, error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return Kernel{}, fmt.Errorf("uname: %w", err)
	}
	return Kernel{
		Release: unix.ByteSliceToString(u.Release[:]), Version: unix.ByteSliceToString(u.Version[:]),
		Machine: unix.ByteSliceToString(u.Machine[:]), Hostname: unix.ByteSliceToString(u.Nodename[:]),
	}, nil
}

// HasFilesystem tells whether the running kernel knows a file system now. A
// module that is not loaded yet is not seen: a mount would load it.
func HasFilesystem(name string) (bool, error) {
	list, err := os.ReadFile("/proc/filesystems")
	if err != nil {
		return false, err
	}
	for line := range strings.Lines(string(list)) {
		fields := strings.Fields(line)
		if len(fields) > 0 && fields[len(fields)-1] == name {
			return true, nil
		}
	}
	return false, nil
}

// Ending is a way to end the machine's run.
type Ending int

// The endings of reboot(2).
const (
	Restart  Ending = unix.LINUX_REBOOT_CMD_RESTART
	PowerOff Ending = unix.LINUX_REBOOT_CMD_POWER_OFF
	Halt     Ending = unix.LINUX_REBOOT_CMD_HALT
)

// Reboot ends the run of the machine at once, after a sync. No service is
// asked first: it is for PID 1 and for test machines.
func Reboot(how Ending) error {
	unix.Sync()
	if err := unix.Reboot(int(how)); err != nil {
		return fmt.Errorf("reboot: %w", err)
	}
	return nil
}

// Processor is what uname -m says.
func Processor() string {
	k, err := Uname()
	if err != nil { // it fails for a bad pointer only
		return ""
	}
	return k.Machine
}

// EnterRoot makes a folder the root of the whole process, for good.
func EnterRoot(root string) error {
	err := unix.Chroot(root)
	if err == nil {
		err = unix.Chdir("/")
	}
	if err != nil {
		return fmt.Errorf("chroot %s: %w", root, err)
	}
	return nil
}
