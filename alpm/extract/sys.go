// SPDX-License-Identifier: GPL-3.0-or-later

package extract

import (
	"bufio"
	"errors"
	"os"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// resolve is how every path with more than one component is looked up.
const resolve = unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS

// openIn opens a path below root. EAGAIN is the kernel saying that something
// was renamed while it walked through a "..", so that it cannot vouch for it.
func openIn(root int, path string, flags int) (int, error) {
	how := unix.OpenHow{Flags: uint64(flags | unix.O_CLOEXEC), Resolve: resolve}
	if path == "" {
		path = "."
	}
	for range 100 {
		fd, err := unix.Openat2(root, path, &how)
		if err == nil || !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) {
			return fd, err
		}
	}
	return -1, unix.EAGAIN
}

// openAt opens a single name in a directory, never through a link.
func openAt(dir int, base string, flags int, mode uint32) (int, error) {
	for {
		fd, err := unix.Openat(dir, base, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, mode)
		if !errors.Is(err, unix.EINTR) {
			return fd, err
		}
	}
}

func writeAll(fd int, p []byte) error {
	for len(p) > 0 {
		n, err := unix.Write(fd, p)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

// setTimes sets access and modification time through a descriptor; x/sys has
// only the detour over /proc for this.
func setTimes(fd int, t time.Time) error {
	ts := timespecs(t)
	_, _, errno := unix.Syscall6(unix.SYS_UTIMENSAT, uintptr(fd), 0, uintptr(unsafe.Pointer(&ts[0])), 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

func timespecs(t time.Time) [2]unix.Timespec {
	ts := unix.Timespec{Sec: t.Unix(), Nsec: int64(t.Nanosecond())}
	return [2]unix.Timespec{ts, ts}
}

func setLinkTimes(dir int, base string, t time.Time) error {
	ts := timespecs(t)
	return unix.UtimesNanoAt(dir, base, ts[:], unix.AT_SYMLINK_NOFOLLOW)
}

// SyncFileSystem makes everything last that was written to the file system
// that an open file or directory is on (syncfs(2)): for very many new files it
// takes the place of an fsync for each.
func SyncFileSystem(f *os.File) error {
	for {
		err := unix.Syncfs(int(f.Fd()))
		if !errors.Is(err, unix.EINTR) {
			return os.NewSyscallError("syncfs "+f.Name(), err)
		}
	}
}

// processUmask reads the file mode mask without setting it, which would be
// seen by other goroutines. Unknown, it is all ones: then every mode is set.
func processUmask() uint32 {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0o7777
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if v, ok := strings.CutPrefix(s.Text(), "Umask:"); ok {
			if n, err := strconv.ParseUint(strings.TrimSpace(v), 8, 32); err == nil {
				return uint32(n)
			}
		}
	}
	return 0o7777
}
