#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Installs the host programs that the tests, the benchmarks and the demo run.
# It says what it installs. When all are there it does nothing and needs no
# network.
#
#   tools/hosttools/host-tools.sh             install what is missing; fail if that cannot be done
#   tools/hosttools/host-tools.sh --lenient   without root, only say what is missing
set -eu

lenient=
[ "${1-}" = --lenient ] && lenient=yes

# What to look for, the Debian package and the Arch package that bring it.
# A name with a slash is a file, other names are programs.
table='
pacman pacman-package-manager pacman
repo-add pacman-package-manager pacman
makepkg makepkg pacman
vercmp makepkg pacman
mkfs.btrfs btrfs-progs btrfs-progs
qemu-system-x86_64 qemu-system-x86 qemu-system-x86
qemu-img qemu-utils qemu-img
/usr/share/OVMF/OVMF_CODE_4M.fd|/usr/share/edk2/x64/OVMF_CODE.4m.fd ovmf edk2-ovmf
mcopy mtools mtools
fsck.fat dosfstools dosfstools
sgdisk gdisk gptfdisk
mkfs.ext4 e2fsprogs e2fsprogs
zstd zstd zstd
xz xz-utils xz
bsdtar libarchive-tools libarchive
gpg gnupg gnupg
openssl openssl openssl
ssh openssh-client openssh
sshd openssh-server openssh
docker-registry docker-registry distribution
dot graphviz graphviz
busybox busybox-static busybox
python3 python3 python
curl curl curl
fakeroot fakeroot fakeroot
systemctl systemd systemd
systemd-firstboot systemd systemd
script bsdutils util-linux
setpriv util-linux util-linux
gcc gcc gcc
/usr/include/stdlib.h libc6-dev glibc
/usr/include/alpm.h libalpm-dev pacman
/usr/include/archive.h libarchive-dev libarchive
pkg-config pkg-config pkgconf
'

# Programs of the system live in sbin, which a user's PATH may lack.
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"

have() {
	case $1 in
	/*)
		# Alternatives are separated by bars.
		old_ifs=$IFS
		IFS='|'
		for f in $1; do
			if [ -e "$f" ]; then
				IFS=$old_ifs
				return 0
			fi
		done
		IFS=$old_ifs
		return 1
		;;
	*) command -v "$1" >/dev/null 2>&1 ;;
	esac
}

missing() {
	echo "$table" | while read -r what debian arch; do
		[ -n "$what" ] || continue
		have "$what" || if [ "$1" = debian ]; then echo "$debian"; else echo "$arch"; fi
	done | sort -u | tr '\n' ' ' | sed 's/ $//'
}

if command -v apt-get >/dev/null 2>&1; then
	family=debian
elif [ -e /etc/arch-release ]; then
	family=arch
else
	family=other
fi

need=$(missing $family)
if [ -z "$need" ]; then
	echo "host programs: all there"
	exit 0
fi

if [ $family = other ]; then
	echo "host-tools: this is neither Debian nor Arch; install what these Arch packages hold: $need" >&2
	[ -n "$lenient" ] && exit 0
	exit 9
fi

if [ "$(id -u)" != 0 ]; then
	echo "host-tools: missing and not installed, since this is not root: $need" >&2
	if [ -n "$lenient" ]; then
		echo "host-tools: tests that need them are skipped" >&2
		exit 0
	fi
	exit 8
fi

echo "host programs: installing $need"
if [ $family = debian ]; then
	export DEBIAN_FRONTEND=noninteractive
	# The lists may be there already; fetch them only if they do not do.
	# shellcheck disable=SC2086 # a list of words
	install="apt-get -q -y -o Acquire::Retries=3 install --no-install-recommends $need"
	$install || { apt-get -q -o Acquire::Retries=3 update && $install; }
else
	# shellcheck disable=SC2086
	pacman -Sy --needed --noconfirm $need
fi

need=$(missing $family)
if [ -n "$need" ]; then
	echo "host-tools: still missing after the installation: $need" >&2
	exit 9
fi
