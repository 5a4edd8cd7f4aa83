// SPDX-License-Identifier: GPL-3.0-or-later

package linux

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
)

// MappedFiles lists the files that a process runs from: its program and the
// libraries, by their paths as it sees them. What was deleted since is left out.
func MappedFiles(pid int) ([]string, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return nil, err
	}
	return mappedFiles(data), nil
}

// mappedFiles reads the kernel's list: five fields, then the path, which may hold
// blanks.
func mappedFiles(maps []byte) (paths []string) {
	lines := bufio.NewScanner(bytes.NewReader(maps))
	for lines.Scan() {
		at := strings.IndexByte(lines.Text(), '/')
		if at < 0 || len(strings.Fields(lines.Text()[:at])) != 5 {
			continue
		}
		if path := lines.Text()[at:]; !strings.HasSuffix(path, " (deleted)") {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// SeesMountsOf tells whether this process lives in the mount namespace of another.
func SeesMountsOf(pid int) (bool, error) {
	own, err := os.Readlink("/proc/self/ns/mnt")
	if err != nil {
		return false, err
	}
	other, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/mnt", pid))
	return own == other, err
}
