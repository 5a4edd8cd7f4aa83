// SPDX-License-Identifier: GPL-3.0-or-later

package locale

import (
	"bytes"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/rastos/rastos/internal/mistake"
)

const zoneDir = "usr/share/zoneinfo"

// checkTimezone asks for the zone's file. UTC needs none: it is what a system
// without /etc/localtime has.
func checkTimezone(root FS, zone string) error {
	if zone == "" || zone == "UTC" {
		return nil
	}
	if path.Clean(zone) != zone || strings.HasPrefix(zone, "/") || strings.HasPrefix(zone, "..") || strings.ContainsAny(zone, "\n\x00") {
		return &Error{"timezone", zone, "is no name of a time zone", "write it like Europe/Berlin"}
	}
	if isZone(root, zone) {
		return nil
	}
	names, err := list(root, zoneDir, 4)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return &Error{"timezone", zone, "the system has no time zones", "add the package tzdata"}
	}
	names = slices.DeleteFunc(names, func(n string) bool { // other leap seconds, and tables
		return strings.HasPrefix(n, "posix/") || strings.HasPrefix(n, "right/") || strings.Contains(n, ".")
	})
	return &Error{"timezone", zone, "there is no such time zone", didYouMean(zone, names)}
}

// isZone tells compiled zones from the tables that lie beside them.
func isZone(root FS, zone string) bool {
	data, err := root.ReadFile(zoneDir + "/" + zone)
	return err == nil && bytes.HasPrefix(data, []byte("TZif"))
}

func writeTimezone(root FS, s Settings) error {
	if s.Timezone == "" {
		return nil
	}
	const link = "etc/localtime"
	target := "../" + zoneDir + "/" + s.Timezone
	old, err := root.Readlink(link)
	if err != nil || old != target {
		if err := root.Remove(link); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if isZone(root, s.Timezone) {
			if err := root.Symlink(target, link); err != nil {
				return err
			}
		}
	}
	if _, err := root.Lstat("etc/timezone"); err == nil {
		return replace(root, "etc/timezone", s.Timezone+"\n")
	}
	return nil
}

// didYouMean names the value that was most likely meant.
func didYouMean(value string, among []string) string {
	for _, candidate := range among { // "berlin" means Europe/Berlin
		if strings.EqualFold(path.Base(candidate), path.Base(value)) {
			return "did you mean " + candidate + "?"
		}
	}
	if near := mistake.Nearest(value, among); near != "" {
		return "did you mean " + near + "?"
	}
	return ""
}
