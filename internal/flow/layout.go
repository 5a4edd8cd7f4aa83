// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/rastos/rastos/internal/manifest"
)

// Where pacman's database lies in a node, and the link by which pacman and
// rastos find it: /var is not the node's own, the list of its packages is.
const (
	nodeDB   = "usr/lib/rastos/pacman/local"
	dbPath   = "var/lib/pacman"
	dbLink   = dbPath + "/local"
	dbTarget = "../../../usr/lib/rastos/pacman/local"
)

// mountPoints are the folders of a node that something is mounted on; a sealed
// tree cannot get them later.
func mountPoints() []string {
	return []string{"dev", "proc", "sys", "run", "tmp", "efi", "etc", "var", "home", "root", "srv", "usr/local", "mnt", "swap"}
}

// skeleton makes what must be there before the first package: the database of
// the node and the link to it.
func skeleton(t Tree) error {
	for _, d := range []string{"usr/lib", nodeDB, dbPath, "etc"} {
		if err := t.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	return linkDB(t)
}

func linkDB(t Tree) error {
	target, err := t.Readlink(dbLink)
	if err == nil && target == dbTarget {
		return nil
	}
	if err == nil {
		return fmt.Errorf("/%s leads to %s, not to the node's database", dbLink, target)
	}
	return t.Symlink(dbTarget, dbLink)
}

// complete makes what must be there after the last package: every mount point.
func complete(t Tree) error {
	for _, d := range mountPoints() {
		if _, err := t.Lstat(d); err == nil {
			continue
		}
		perm := map[string]fs.FileMode{"root": 0o700, "tmp": 0o777 | fs.ModeSticky}[d]
		if perm == 0 {
			perm = 0o755
		}
		if err := t.MkdirAll(d, perm.Perm()); err != nil {
			return err
		}
		if err := t.Chmod(d, perm); err != nil {
			return err
		}
	}
	return nil
}

// disks is what fstab and the boot entry name.
type disks struct {
	systemUUID string // of the btrfs file system
	espUUID    string // partition UUID of the ESP
}

// fstab lists the shared subvolumes and the ESP. The root and /etc are not in
// it: the boot entry and the deployment say which they are.
func fstab(d disks, mf *manifest.Manifest) []byte {
	var b strings.Builder
	b.WriteString("# The root and /etc are mounted by the initramfs, from the boot entry; they do not belong here.\n")
	// The initramfs mounts them: systemd finds them there, which spares a slow
	// machine seconds, and what writes to /var early finds it.
	options := "rw,noatime,x-initrd.mount"
	if c := mf.Disk.Compress; c != "" && c != "none" {
		options += ",compress=" + c
	}
	for _, v := range volumes() {
		fmt.Fprintf(&b, "UUID=%s /%s btrfs %s,subvol=/%s 0 0\n", d.systemUUID, v.where, options, v.name)
	}
	fmt.Fprintf(&b, "PARTUUID=%s /efi vfat rw,noatime,umask=0077,nofail,x-initrd.mount 0 2\n", d.espUUID)
	if mf.Disk.Swap > 0 {
		fmt.Fprintf(&b, "UUID=%s /swap btrfs rw,noatime,subvol=/@swap 0 0\n/swap/swapfile none swap defaults 0 0\n", d.systemUUID)
	}
	return []byte(b.String())
}

// pacmanConfMark begins a pacman.conf that is rastOS's own to write again.
const pacmanConfMark = "# Made from /etc/rastos/rastos.toml.\n"

// pacmanConf is /etc/pacman.conf: what the manifest says of repositories, for
// those who use pacman on the machine.
func pacmanConf(mf *manifest.Manifest) []byte {
	var b strings.Builder
	b.WriteString(pacmanConfMark + "[options]\nHoldPkg = " + strings.Join(append([]string{"pacman", "glibc"}, mf.Packages.Hold...), " ") + "\n")
	if len(mf.Packages.Ignore) > 0 {
		b.WriteString("IgnorePkg = " + strings.Join(mf.Packages.Ignore, " ") + "\n")
	}
	b.WriteString("Architecture = auto\nCheckSpace\nParallelDownloads = 5\nSigLevel = Required DatabaseOptional\n")
	for _, r := range mf.Repositories {
		fmt.Fprintf(&b, "\n[%s]\nSigLevel = %s\n", r.Name, strings.Join(r.SigLevelWords(), " "))
		for _, s := range r.Servers {
			fmt.Fprintf(&b, "Server = %s\n", s)
		}
	}
	return []byte(b.String())
}

// keyPath is where a machine keeps the key of a repository.
func keyPath(repo string) string { return path.Join("etc/rastos/keys", repo+".pub") }
