// SPDX-License-Identifier: GPL-3.0-or-later

package process

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Children are the processes that somebody waits for: what else ends is reaped for
// nobody.
type Children struct {
	mu   sync.Mutex
	pids map[int]bool
}

// start starts a child so that it is known before it can be reaped.
func (c *Children) start(begin func() (*os.Process, error)) (*os.Process, error) {
	if c == nil {
		return begin()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	p, err := begin()
	if err != nil {
		return nil, err
	}
	if c.pids == nil {
		c.pids = map[int]bool{}
	}
	c.pids[p.Pid] = true
	return p, nil
}

// ended forgets a child, which was reaped.
func (c *Children) ended(pid int) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.pids, pid)
}

// Adopt makes this process the parent of what its children leave behind, and reaps
// it until ctx ends.
func (c *Children) Adopt(ctx context.Context) error {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("become a subreaper: %w", err)
	}
	ends := make(chan os.Signal, 1)
	signal.Notify(ends, unix.SIGCHLD)
	go func() {
		defer signal.Stop(ends)
		for {
			again := c.reap()
			select {
			case <-ctx.Done():
				return
			case <-ends:
			case <-again:
			}
		}
	}()
	return nil
}

// reap takes children that have ended off the kernel's table. One that somebody
// waits for hides those behind it: then it tells when to look again.
func (c *Children) reap() (again <-chan time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		var info unix.Siginfo
		err := unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
		pid := childOf(&info)
		if err != nil || pid == 0 {
			return nil
		}
		if c.pids[pid] {
			return time.After(10 * time.Millisecond)
		}
		_, _ = unix.Wait4(pid, nil, unix.WNOHANG, nil) // it is there: it was just seen
	}
}

// childOf reads the number of the child out of what waitid tells: it comes first
// of what depends on the signal, behind three numbers and the padding that aligns a
// pointer.
func childOf(info *unix.Siginfo) int {
	const word = unsafe.Sizeof(uintptr(0))
	offset := (3*unsafe.Sizeof(int32(0)) + word - 1) / word * word
	return int(*(*int32)(unsafe.Add(unsafe.Pointer(info), offset)))
}
