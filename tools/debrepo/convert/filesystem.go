// SPDX-License-Identifier: GPL-3.0-or-later

package convert

import (
	"archive/tar"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/pkgfile"
)

// filesystemVersion is raised with every change of what the package holds.
const filesystemVersion = "1.0-1"

// filesystemDate is the time of its files, the same in every build.
var filesystemDate = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

// directories are those of the system that belong to no package in
// particular. A package that has one of them, too, has it in this mode.
var directories = map[string]owner{
	"boot": {mode: 0o755}, "dev": {mode: 0o755}, "efi": {mode: 0o700}, "etc": {mode: 0o755},
	"home": {mode: 0o755}, "media": {mode: 0o755}, "mnt": {mode: 0o755}, "opt": {mode: 0o755},
	"proc": {mode: 0o555}, "root": {mode: 0o700}, "run": {mode: 0o755}, "srv": {mode: 0o755},
	"sys": {mode: 0o555}, "tmp": {mode: 0o1777},
	"etc/ld.so.conf.d": {mode: 0o755}, "etc/profile.d": {mode: 0o755}, "etc/skel": {mode: 0o755},
	"etc/pam.d": {mode: 0o755}, "etc/security": {mode: 0o755}, "etc/sysctl.d": {mode: 0o755},
	"usr": {mode: 0o755}, "usr/bin": {mode: 0o755}, "usr/games": {mode: 0o755}, "usr/include": {mode: 0o755},
	"usr/lib": {mode: 0o755}, "usr/share": {mode: 0o755}, "usr/src": {mode: 0o755},
	"usr/share/libalpm": {mode: 0o755}, "usr/share/libalpm/hooks": {mode: 0o755}, "usr/share/libalpm/scripts": {mode: 0o755},
	"usr/local": {mode: 0o755}, "usr/local/bin": {mode: 0o755}, "usr/local/etc": {mode: 0o755},
	"usr/local/games": {mode: 0o755}, "usr/local/include": {mode: 0o755}, "usr/local/lib": {mode: 0o755},
	"usr/local/sbin": {mode: 0o755}, "usr/local/share": {mode: 0o755}, "usr/local/src": {mode: 0o755},
	"var": {mode: 0o755}, "var/cache": {mode: 0o755}, "var/lib": {mode: 0o755}, "var/lib/misc": {mode: 0o755},
	"var/local": {mode: 0o2775, gid: gidStaff}, "var/log": {mode: 0o755}, "var/mail": {mode: 0o2775, gid: gidMail},
	"var/opt": {mode: 0o755}, "var/spool": {mode: 0o755}, "var/tmp": {mode: 0o1777},
}

// systemLinks are the links of the merged /usr and those that programs expect.
var systemLinks = map[string]string{
	"bin": "usr/bin", "sbin": "usr/bin", "lib": "usr/lib", "lib64": "usr/lib",
	"usr/sbin": "bin", "usr/lib64": "lib",
	"var/run": "../run", "var/lock": "../run/lock", "var/spool/mail": "../mail",
	"etc/mtab": "../proc/self/mounts", "etc/os-release": "../usr/lib/os-release",
}

// Filesystem writes the package filesystem.
func (c *Converter) Filesystem() (*Result, error) {
	info := &desc.Package{
		Name: "filesystem", Base: "filesystem", Version: filesystemVersion, Arch: "any",
		Description: "Directories, links and basic files of a rastOS system",
		Packager:    "rastOS debrepo",
		Licenses:    []string{"GPL-3.0-or-later"},
		BuildDate:   filesystemDate.Unix(),
	}
	j := c.start("filesystem", info, nil)
	j.drop = nil
	j.backups(nil)
	err := j.create(pkgfile.WriterOptions{Fast: c.Fast}, func() error {
		for _, name := range slices.Sorted(maps.Keys(directories)) {
			if err := j.add(&tar.Header{Typeflag: tar.TypeDir, Name: name, ModTime: filesystemDate}, nil, ByDirectory); err != nil {
				return err
			}
		}
		for _, name := range slices.Sorted(maps.Keys(systemLinks)) {
			h := &tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: systemLinks[name], ModTime: filesystemDate}
			if err := j.add(h, nil, ByAddition); err != nil {
				return err
			}
		}
		return j.finish()
	})
	if err != nil {
		return nil, fmt.Errorf("make package filesystem: %w", err)
	}
	return j.result, nil
}
