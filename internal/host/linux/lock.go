// SPDX-License-Identifier: GPL-3.0-or-later

package linux

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Lock is an advisory lock on a file, held until Unlock or the end of the
// process, however that comes. Unlock leaves the file, Remove takes it away.
type Lock struct{ f *os.File }

// LockedError is a lock that another process holds.
type LockedError struct {
	Path string
	PID  int // of the holder as it wrote it down; 0: unknown
}

func (e *LockedError) Error() string {
	if e.PID != 0 {
		return fmt.Sprintf("lock %s: held by process %d", e.Path, e.PID)
	}
	return fmt.Sprintf("lock %s: held by another process", e.Path)
}

// ExitCode is the class "lock held by another".
func (e *LockedError) ExitCode() int { return 10 }

// Hint says what to do.
func (e *LockedError) Hint() string {
	return "another rastos is at work; wait for it to end (nothing has to be removed by hand: the lock ends with its process)"
}

// TryLock takes an exclusive lock on path at once, or fails with a *LockedError.
func TryLock(path string) (*Lock, error) { return lock(path, unix.LOCK_EX) }

// TryLockShared takes a lock that other shared ones do not exclude.
func TryLockShared(path string) (*Lock, error) { return lock(path, unix.LOCK_SH) }

// WaitLock takes an exclusive lock, waiting for the holder until ctx ends.
func WaitLock(ctx context.Context, path string) (*Lock, error) {
	for delay := 10 * time.Millisecond; ; delay = min(2*delay, time.Second) {
		l, err := TryLock(path)
		var held *LockedError
		if !errors.As(err, &held) {
			return l, err
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(err, context.Cause(ctx))
		case <-time.After(delay):
		}
	}
}

func lock(path string, how int) (*Lock, error) {
	f, err := lockFile(path, how)
	if err != nil {
		return nil, err
	}
	if how == unix.LOCK_EX {
		// For the message of the next one only; the lock itself is the kernel's.
		if f.Truncate(0) == nil {
			_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
		}
	}
	return &Lock{f}, nil
}

// lockFile locks the file that has the name path. One that its holder removed
// between the open and the lock is not that file any more.
func lockFile(path string, how int) (*os.File, error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
		if err != nil {
			return nil, err
		}
		err = retry(func() error { return unix.Flock(int(f.Fd()), how|unix.LOCK_NB) })
		if errors.Is(err, unix.EWOULDBLOCK) {
			e := &LockedError{Path: path, PID: holder(f)}
			f.Close()
			return nil, e
		}
		var same bool
		if err == nil {
			same, err = names(path, f)
		}
		if err == nil && same {
			return f, nil
		}
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
	}
}

// names tells whether path is the name of f.
func names(path string, f *os.File) (bool, error) {
	mine, err := f.Stat()
	if err != nil {
		return false, err
	}
	now, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && os.SameFile(mine, now), err
}

func holder(f *os.File) int {
	buf := make([]byte, 32)
	n, _ := f.ReadAt(buf, 0)
	pid, _ := strconv.Atoi(strings.TrimSpace(string(buf[:n])))
	return pid
}

// Unlock releases the lock. A second call does nothing.
func (l *Lock) Unlock() error {
	if l.f == nil {
		return nil
	}
	f := l.f
	l.f = nil
	return f.Close()
}

// Remove releases the lock and takes its file away, if it is there still. Who
// opened the file before finds out when it gets the lock.
func (l *Lock) Remove() error {
	if l.f == nil {
		return nil
	}
	err := os.Remove(l.f.Name())
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, l.Unlock())
}
