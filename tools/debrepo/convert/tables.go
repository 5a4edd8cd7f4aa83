// SPDX-License-Identifier: GPL-3.0-or-later

package convert

// Numbers of the system users and groups that packages of Debian make in their
// scripts. Debian takes the next free one; an image that is to be the same
// every time needs fixed ones. They are all in filesystem's passwd and group.
const (
	gidShadow     = 42
	gidMail       = 8
	gidStaff      = 50
	gidMessagebus = 81
	gidSSH        = 991
)

// owner is who has a path and in what mode.
type owner struct {
	mode     int64
	uid, gid int
}

// overrides are what scripts do with chmod, chgrp and dpkg-statoverride, by
// path, and the modes of our own files.
var overrides = map[string]owner{
	"usr/lib/dbus-1.0/dbus-daemon-launch-helper": {0o4754, 0, gidMessagebus},
	"usr/bin/ssh-agent":                          {0o2755, 0, gidSSH},
	"etc/shadow":                                 {0o640, 0, gidShadow},
	"etc/machine-id":                             {0o444, 0, 0},
	"etc/gshadow":                                {0o640, 0, gidShadow},
}

// copies are files that scripts copy into place for people to change, by
// Debian package: from, to.
var copies = map[string][][2]string{
	"openssh-server": {{"usr/share/openssh/sshd_config", "etc/ssh/sshd_config"}},
}

// dropped lists, by Debian package, files that are not wanted in a system that
// is built by a package manager and sealed. Their work is done by the hooks in
// additions when the system is built; at each first boot of a deployment it
// would cost seconds.
var dropped = map[string][]string{
	"systemd": {
		"usr/lib/sysusers.d/basic.conf", // filesystem has these accounts
		"usr/lib/systemd/system/sysinit.target.wants/systemd-journal-catalog-update.service",
		"usr/lib/systemd/system/sysinit.target.wants/systemd-update-done.service",
		"usr/lib/systemd/system/sysinit.target.wants/ldconfig.service",
	},
	"udev": {
		"usr/lib/systemd/system/sysinit.target.wants/systemd-hwdb-update.service",
	},
	"systemd-hwdb": {
		"usr/lib/systemd/system/sysinit.target.wants/systemd-hwdb-update.service",
	},
	"libpam-systemd": {"usr/share/pam-configs/"},
	"libc-bin":       {"etc/default/", "usr/share/libc-bin/"},
}

// circular are dependencies that lead back to the package, by Debian package.
// They become optional: pacman would warn of them at every installation.
var circular = map[string]string{
	"libc6":              "libgcc-s1",
	"libdevmapper1.02.1": "dmsetup",
}
