// SPDX-License-Identifier: GPL-3.0-or-later

package run

// pkgNames are the packages of one program.
type pkgNames struct{ debian, arch string }

// packageOf names the packages (Debian 12, Arch) of the host programs that
// rastOS runs anywhere.
var packageOf = map[string]pkgNames{
	"apt-get":            {"apt", "apt"},
	"bash":               {"bash", "bash"},
	"btrfs":              {"btrfs-progs", "btrfs-progs"},
	"busybox":            {"busybox-static", "busybox"},
	"cpio":               {"cpio", "cpio"},
	"crun":               {"crun", "crun"},
	"cryptsetup":         {"cryptsetup-bin", "cryptsetup"},
	"depmod":             {"kmod", "kmod"},
	"dpkg-deb":           {"dpkg", "dpkg"},
	"fsck.fat":           {"dosfstools", "dosfstools"},
	"gcc":                {"gcc", "gcc"},
	"git":                {"git", "git"},
	"gpg":                {"gnupg", "gnupg"},
	"ld":                 {"binutils", "binutils"},
	"make":               {"make", "make"},
	"makepkg":            {"makepkg", "pacman"},
	"mcopy":              {"mtools", "mtools"},
	"mdir":               {"mtools", "mtools"},
	"mformat":            {"mtools", "mtools"},
	"mkfs.btrfs":         {"btrfs-progs", "btrfs-progs"},
	"mkfs.ext4":          {"e2fsprogs", "e2fsprogs"},
	"mkfs.fat":           {"dosfstools", "dosfstools"},
	"mkfs.vfat":          {"dosfstools", "dosfstools"},
	"mkswap":             {"util-linux", "util-linux"},
	"mmd":                {"mtools", "mtools"},
	"nft":                {"nftables", "nftables"},
	"objcopy":            {"binutils", "binutils"},
	"openssl":            {"openssl", "openssl"},
	"pacman":             {"pacman-package-manager", "pacman"},
	"qemu-img":           {"qemu-utils", "qemu-img"},
	"qemu-nbd":           {"qemu-utils", "qemu-img"},
	"qemu-system-x86_64": {"qemu-system-x86", "qemu-system-x86"},
	"repo-add":           {"pacman-package-manager", "pacman"},
	"runc":               {"runc", "runc"},
	"sgdisk":             {"gdisk", "gptfdisk"},
	"ssh-keygen":         {"openssh-client", "openssh"},
	"systemd-nspawn":     {"systemd-container", "systemd"},
	"tar":                {"tar", "tar"},
	"ukify":              {"systemd-ukify", "systemd-ukify"},
	"vercmp":             {"makepkg", "pacman"},
	"xz":                 {"xz-utils", "xz"},
	"zstd":               {"zstd", "zstd"},
}
