// SPDX-License-Identifier: GPL-3.0-or-later

package convert

import (
	"path"
	"strings"
)

// moved lists directories of Debian and their place in the merged /usr. All
// programs are in one directory, as on Arch; the loader's path
// /lib64/ld-linux-x86-64.so.2 works since /lib64 leads to /usr/lib.
var moved = []struct{ from, to string }{
	{"usr/sbin", "usr/bin"},
	{"usr/lib64", "usr/lib"},
	{"bin", "usr/bin"},
	{"sbin", "usr/bin"},
	{"lib", "usr/lib"},
	{"lib64", "usr/lib"},
	{"lib32", "usr/lib32"},
	{"libx32", "usr/libx32"},
	{"var/run", "run"},
	{"var/lock", "run/lock"},
}

// kernelFiles are those of /boot that belong to a kernel version.
var kernelFiles = []string{"vmlinuz", "config", "System.map"}

// Place is where a path of a Debian package goes; paths have no leading slash.
// It is empty for what has no place: the content of /boot and /run.
func Place(name string) string {
	name = strings.TrimPrefix(path.Clean("/"+name), "/")
	for _, m := range moved {
		if name == m.from {
			name = m.to
			break
		}
		if rest, ok := strings.CutPrefix(name, m.from+"/"); ok {
			name = m.to + "/" + rest
			break
		}
	}
	if file, ok := strings.CutPrefix(name, "boot/"); ok {
		for _, kind := range kernelFiles {
			if version, ok := strings.CutPrefix(file, kind+"-"); ok && !strings.Contains(version, "/") {
				return "usr/lib/modules/" + version + "/" + kind
			}
		}
		return ""
	}
	if strings.HasPrefix(name, "run/") {
		return "" // a tmpfs: tmpfiles.d makes what is needed there
	}
	return name
}

// placeLink gives the new place of a symbolic link and its target, which is
// spelt anew where the move would make it lead elsewhere. A link that would
// lead to itself has no place: what it led to is there instead.
func placeLink(name, target string) (newName, newTarget string) {
	newName = Place(name)
	if newName == "" {
		return "", ""
	}
	end := target
	if !path.IsAbs(target) {
		end = path.Join("/", path.Dir(strings.TrimPrefix(path.Clean("/"+name), "/")), target)
	}
	place := Place(end)
	if place == newName {
		return "", ""
	}
	if path.IsAbs(target) || place == "" || newName == strings.TrimPrefix(path.Clean("/"+name), "/") && place == strings.TrimPrefix(end, "/") {
		return newName, target
	}
	return newName, relative(path.Dir(newName), place)
}

// relative leads from one directory to a path, both below the root.
func relative(dir, to string) string {
	from, parts := strings.Split(dir, "/"), strings.Split(to, "/")
	if dir == "." {
		from = nil
	}
	for len(from) > 0 && len(parts) > 1 && from[0] == parts[0] {
		from, parts = from[1:], parts[1:]
	}
	return strings.Repeat("../", len(from)) + strings.Join(parts, "/")
}

// documentation is what --trim leaves out of every package.
var documentation = []string{
	"usr/share/doc/", "usr/share/man/", "usr/share/info/", "usr/share/locale/", "usr/share/gtk-doc/", "usr/share/help/",
}

// useless lists what means nothing without dpkg, initramfs-tools or sysvinit.
var useless = []string{
	"etc/init.d/", "etc/rc0.d/", "etc/rc1.d/", "etc/rc2.d/", "etc/rc3.d/", "etc/rc4.d/", "etc/rc5.d/", "etc/rc6.d/", "etc/rcS.d/",
	"etc/apt/", "etc/dpkg/", "etc/initramfs-tools/", "etc/sv/", "etc/runit/", "etc/ufw/", "etc/kernel/",
	"etc/cron.d/", "etc/cron.daily/", "etc/cron.hourly/", "etc/cron.monthly/", "etc/cron.weekly/",
	"usr/share/initramfs-tools/", "usr/share/lintian/", "usr/share/bug/", "usr/share/doc-base/", "usr/share/apport/",
	"usr/share/runit/", "usr/share/debconf/", "var/lib/dpkg/", "var/log/runit/", "usr/lib/lsb/",
	"usr/lib/systemd/system-generators/systemd-sysv-generator", "usr/lib/systemd/system-generators/systemd-rc-local-generator",
}

// below tells whether a path, or a directory itself, is in one of the folders,
// which end in a slash. Other entries are exact paths or shell patterns.
func below(name string, folders []string) bool {
	for _, folder := range folders {
		if strings.HasSuffix(folder, "/") {
			if strings.HasPrefix(name+"/", folder) {
				return true
			}
		} else if ok, _ := path.Match(folder, name); ok {
			return true
		}
	}
	return false
}
