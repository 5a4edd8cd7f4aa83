// SPDX-License-Identifier: GPL-3.0-or-later

package extract

import (
	"archive/tar"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"golang.org/x/sys/unix"
)

// Extended attributes in pax headers: GNU tar and bsdtar write the first form
// (the value as it is), bsdtar the second one besides (value in base64, name
// with %XX).
const (
	schilyXattr     = "SCHILY.xattr."
	libarchiveXattr = "LIBARCHIVE.xattr."
)

// setXattrs sets the extended attributes of an open file or directory.
func (j *job) setXattrs(h *tar.Header, fd int) error {
	if len(h.PAXRecords) == 0 {
		return nil
	}
	for name, value := range xattrsOf(h) {
		if !strings.HasPrefix(name, "user.") && !strings.HasPrefix(name, "security.") {
			j.warn("%s: the attribute %s is not for packages to set", h.Name, name)
			continue
		}
		err := unix.Fsetxattr(fd, name, value, 0)
		if errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.EPERM) && j.r.uid != 0 {
			j.warn("%s: the file system does not take the attribute %s", h.Name, name)
			continue
		}
		if err != nil {
			return fail("set attribute "+name, h.Name, err)
		}
	}
	return nil
}

func xattrsOf(h *tar.Header) map[string][]byte {
	found := map[string][]byte{}
	for key, value := range h.PAXRecords {
		if name, ok := strings.CutPrefix(key, schilyXattr); ok {
			found[name] = []byte(value)
			continue
		}
		escaped, ok := strings.CutPrefix(key, libarchiveXattr)
		if !ok {
			continue
		}
		name, err := url.PathUnescape(escaped)
		if err != nil || h.PAXRecords[schilyXattr+name] != "" {
			continue
		}
		if b, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(value, "=")); err == nil {
			found[name] = b
		}
	}
	return found
}

func (j *job) warn(format string, args ...any) {
	j.res.Warnings = append(j.res.Warnings, fmt.Sprintf(format, args...))
}
