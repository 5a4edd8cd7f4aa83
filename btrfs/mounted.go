// SPDX-License-Identifier: GPL-3.0-or-later

package btrfs

import (
	"bufio"
	"errors"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

func isNoDevice(err error) bool { return errors.Is(err, unix.ENODEV) }

// MountedAt tells where a subvolume, or a directory in it, is mounted in this
// mount namespace; "" when it is not.
func MountedAt(path string) (string, error) {
	const op = "look for mounts of subvolume"
	f, err := openSubvolume(path)
	if err != nil {
		return "", fail(op, path, err)
	}
	defer f.Close()
	where, err := mountedAt(f)
	return where, fail(op, path, err)
}

// mountedAt finds a mount of the subvolume f, or of a directory in it, in this
// process's mount namespace; "" when there is none.
func mountedAt(f *os.File) (string, error) {
	info, err := describeOpen(f)
	if err != nil {
		return "", err
	}
	table, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return "", nil // no /proc: a minimal chroot, where nothing can be told
	}
	defer table.Close()
	mounts, err := btrfsMounts(table)
	if err != nil {
		return "", err
	}
	for _, m := range mounts {
		if holds(m, info) {
			return m, nil
		}
	}
	return "", nil
}

// holds opens a mount point and compares: names in mountinfo are the ones at
// the time of the mount seen from another subvolume, ids and UUIDs are exact.
func holds(mountPoint string, info Subvolume) bool {
	dir, err := open(mountPoint)
	if err != nil {
		return false // hidden under another mount, or a file
	}
	defer dir.Close()
	got, err := describeOpen(dir)
	return err == nil && got.UUID == info.UUID && got.ID == info.ID
}

// btrfsMounts lists the mount points of btrfs in the format of
// /proc/<pid>/mountinfo (proc_pid_mountinfo(5)).
func btrfsMounts(r io.Reader) ([]string, error) {
	var out []string
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		before, after, ok := strings.Cut(lines.Text(), " - ")
		fields := strings.Fields(before)
		if !ok || len(fields) < 5 || !strings.HasPrefix(after, "btrfs ") {
			continue
		}
		out = append(out, unescape.Replace(fields[4]))
	}
	return out, lines.Err()
}

// unescape undoes the octal escapes of mountinfo.
var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
