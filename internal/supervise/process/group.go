// SPDX-License-Identifier: GPL-3.0-or-later

package process

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// killGroup ends what is left of a process group whose first process has ended and
// was reaped. Its number stays taken while somebody is in the group and is anybody's
// after that: so a group with a first process is another one, and so is one of
// another session.
func killGroup(group int) error {
	session, err := unix.Getsid(0)
	if err != nil {
		return fmt.Errorf("end process group %d: %w", group, err)
	}
	if _, err := os.Stat(fmt.Sprintf("/proc/%d", group)); err == nil {
		return nil
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return fmt.Errorf("end process group %d: %w", group, err)
	}
	var all error
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if g, s, ok := belongs(pid); ok && g == group && s == session {
			if err := unix.Kill(pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
				all = errors.Join(all, fmt.Errorf("end process %d: %w", pid, err))
			}
		}
	}
	return all
}

// belongs tells the process group and the session of a process.
func belongs(pid int) (group, session int, ok bool) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, false
	}
	// The name may hold anything: what follows the last ")" are state, parent, group
	// and session.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) < 4 {
		return 0, 0, false
	}
	group, err1 := strconv.Atoi(fields[2])
	session, err2 := strconv.Atoi(fields[3])
	return group, session, err1 == nil && err2 == nil
}
