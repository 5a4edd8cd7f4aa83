// SPDX-License-Identifier: GPL-3.0-or-later

package fsroot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Chmod sets the mode with setuid, setgid and sticky. A link is refused: it
// has no mode, and what it points to is not what was named.
func (r *FS) Chmod(name string, mode fs.FileMode) error {
	return r.fail("chmod", name, r.inOrRoot(name, func(dir *os.File, base string) error {
		return chmod(dir, base, mode)
	}))
}

func chmod(dir *os.File, base string, mode fs.FileMode) error {
	err := control(dir, func(fd int) error {
		return retry(func() error { return unix.Fchmodat(fd, base, unixPerm(mode), unix.AT_SYMLINK_NOFOLLOW) })
	})
	if !errors.Is(err, unix.EOPNOTSUPP) {
		return err
	}
	return chmodViaProc(dir, base, unixPerm(mode)) // a link, or a kernel before 6.6
}

// chmodViaProc does without fchmodat2.
func chmodViaProc(dir *os.File, base string, perm uint32) error {
	return viaProc(dir, base, func(path string, link bool) error {
		if link {
			return unix.EOPNOTSUPP
		}
		return unix.Chmod(path, perm)
	})
}

// viaProc gives a path that leads to one file and nothing else, for the calls
// that take no descriptor without opening the file (a device, a link).
func viaProc(dir *os.File, base string, fn func(path string, link bool) error) error {
	f, err := openat2(dir, base, unix.O_PATH|unix.O_NOFOLLOW, 0, unix.RESOLVE_BENEATH)
	if err != nil {
		return err
	}
	defer f.Close()
	return control(f, func(fd int) error {
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			return err
		}
		err := retry(func() error {
			return fn("/proc/self/fd/"+strconv.Itoa(fd), st.Mode&unix.S_IFMT == unix.S_IFLNK)
		})
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("/proc is not mounted: %w", err)
		}
		return err
	})
}

// Chown sets the owner of the name itself. Keep leaves one as it is. The kernel
// clears setuid and setgid of a file: Chmod comes after.
func (r *FS) Chown(name string, uid, gid int) error {
	return r.fail("chown", name, r.atOrRoot(name, func(dirfd int, base string) error {
		return unix.Fchownat(dirfd, base, uid, gid, unix.AT_SYMLINK_NOFOLLOW)
	}))
}

// Chtimes sets the times of access and change of the name itself.
func (r *FS) Chtimes(name string, atime, mtime time.Time) error {
	return r.fail("set the times of", name, r.atOrRoot(name, func(dirfd int, base string) error {
		a, err := unix.TimeToTimespec(atime)
		if err != nil {
			return err
		}
		m, err := unix.TimeToTimespec(mtime)
		if err != nil {
			return err
		}
		return unix.UtimesNanoAt(dirfd, base, []unix.Timespec{a, m}, unix.AT_SYMLINK_NOFOLLOW)
	}))
}

// Xattrs reads all extended attributes of the name itself, ACLs and file
// capabilities among them. A file system without any gives an empty map.
func (r *FS) Xattrs(name string) (map[string]string, error) {
	out := map[string]string{}
	err := r.inOrRoot(name, func(dir *os.File, base string) error {
		return viaProc(dir, base, func(path string, _ bool) error {
			names, err := xattrNames(path)
			if err != nil {
				return err
			}
			for _, n := range names {
				v, err := grow(func(buf []byte) (int, error) { return unix.Getxattr(path, n, buf) })
				if errors.Is(err, unix.ENODATA) {
					continue // removed meanwhile
				}
				if err != nil {
					return fmt.Errorf("xattr %s: %w", n, err)
				}
				out[n] = string(v)
			}
			return nil
		})
	})
	return out, r.fail("read the xattrs of", name, err)
}

// SetXattrs makes the extended attributes of the name itself exactly want.
func (r *FS) SetXattrs(name string, want map[string]string) error {
	err := r.inOrRoot(name, func(dir *os.File, base string) error {
		return viaProc(dir, base, func(path string, _ bool) error {
			have, err := xattrNames(path)
			if err != nil {
				return err
			}
			for _, n := range have {
				if _, keep := want[n]; keep {
					continue
				}
				if err := unix.Removexattr(path, n); err != nil && !errors.Is(err, unix.ENODATA) {
					return fmt.Errorf("remove xattr %s: %w", n, err)
				}
			}
			for n, v := range want {
				if err := unix.Setxattr(path, n, []byte(v), 0); err != nil {
					return fmt.Errorf("xattr %s: %w", n, err)
				}
			}
			return nil
		})
	})
	return r.fail("set the xattrs of", name, err)
}

func xattrNames(path string) ([]string, error) {
	list, err := grow(func(buf []byte) (int, error) { return unix.Listxattr(path, buf) })
	if errors.Is(err, unix.ENOTSUP) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return strings.FieldsFunc(string(list), func(c rune) bool { return c == 0 }), nil
}

// grow reads a value whose size may change between asking and reading.
func grow(read func([]byte) (int, error)) ([]byte, error) {
	for size := 256; ; size *= 4 {
		buf := make([]byte, size)
		n, err := read(buf)
		if errors.Is(err, unix.ERANGE) && size < 1<<20 {
			continue
		}
		if err != nil {
			return nil, err
		}
		return buf[:n], nil
	}
}

// RealPath is the path of a name as this process sees it, with no link left:
// for a mount, or a program that is given a path. It is true for the moment.
func (r *FS) RealPath(name string) (string, error) {
	f, err := r.openAt(name, unix.O_PATH, 0)
	if err != nil {
		return "", r.fail("resolve", name, err)
	}
	defer f.Close()
	var path string
	err = control(f, func(fd int) (err error) {
		path, err = os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
		return err
	})
	return path, r.fail("resolve", name, err)
}
