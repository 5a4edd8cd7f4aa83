// SPDX-License-Identifier: GPL-3.0-or-later

package extract

import (
	"archive/tar"
	"strings"
)

// Linux's own limits, in bytes.
const (
	maxPath = 4095
	maxName = 255
)

// entryPath checks the name of an entry and returns it without a directory's
// trailing slash.
func entryPath(h *tar.Header) (string, error) {
	name := h.Name
	if h.Typeflag == tar.TypeDir {
		name = strings.TrimSuffix(name, "/")
	}
	if reason := badPath(name); reason != "" {
		return "", &HostileError{Name: h.Name, Reason: reason}
	}
	return name, nil
}

// badPath says what is wrong with a path below the root, or nothing.
func badPath(p string) string {
	switch {
	case p == "":
		return "an empty name"
	case p[0] == '/':
		return "an absolute path"
	case len(p) > maxPath:
		return "a path longer than Linux allows"
	case strings.IndexByte(p, 0) >= 0:
		return "a NUL in the name"
	case strings.IndexByte(p, '\n') >= 0:
		return "a line break in the name, which would forge lines of the package database"
	}
	for start := 0; start <= len(p); {
		end := strings.IndexByte(p[start:], '/')
		if end < 0 {
			end = len(p)
		} else {
			end += start
		}
		switch c := p[start:end]; {
		case c == "..":
			return "the path goes up (..)"
		case c == "" || c == ".":
			return "the path is not in its shortest form"
		case len(c) > maxName:
			return "a name longer than Linux allows"
		}
		start = end + 1
	}
	return ""
}

// split cuts a checked path into its directory ("" for the root) and last name.
func split(p string) (dir, base string) {
	i := strings.LastIndexByte(p, '/')
	if i < 0 {
		return "", p
	}
	return p[:i], p[i+1:]
}
