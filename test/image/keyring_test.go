// SPDX-License-Identifier: GPL-3.0-or-later

package image_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"

	"github.com/rastos/rastos/internal/testkit"
)

// inImage runs shell commands over a writable view of the image's system,
// $ROOT, which goes away with them.
const inImage = `set -e
mount -t tmpfs none "$2"
mkdir "$2/up" "$2/work" "$2/root"
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/up,workdir=$2/work" "$2/root"
mount --rbind /dev "$2/root/dev"
mount -t proc proc "$2/root/proc"
ROOT=$2/root exec sh -c "$3"
`

// over runs commands over the image and gives what they say.
func (b *built) over(commands string) (string, error) {
	b.t.Helper()
	scratch := b.t.TempDir()
	cmd := exec.Command(testkit.NeedTool(b.t, "unshare"), "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", inImage, "sh", b.node, scratch, commands)
	cmd.Env = []string{"LC_ALL=C", "PATH=/usr/bin:/bin:/usr/sbin:/sbin"}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// keyring: the real pacman with the image's settings, and rastos in its place in
// the image, take what the repository signed, and nothing without the keyring;
// and no private key is in the image.
func (b *built) keyring() {
	testkit.NeedTool(b.t, "pacman")
	testkit.NeedTool(b.t, "gpg")
	for _, pacman := range []string{
		`pacman --root $ROOT --dbpath $ROOT/var/lib/pacman --config $ROOT/etc/pacman.conf --gpgdir $ROOT/etc/pacman.d/gnupg --cachedir $ROOT/var/cache/pacman/pkg`,
		`chroot $ROOT rastos pacman`,
	} {
		get := pacman + " --noconfirm -Sy && " + pacman + " --noconfirm -Sw bash"
		if out, err := b.over(get); err != nil {
			b.t.Errorf("%v\n%s", err, out)
		}
		if out, err := b.over("rm -r $ROOT/etc/pacman.d/gnupg/* && " + get); err == nil {
			b.t.Errorf("packages are taken without the keyring:\n%s", out)
		}
	}
	out, err := b.over("gpg --homedir $ROOT/etc/pacman.d/gnupg --batch --with-colons -k")
	if believed := regexp.MustCompile(`(?m)^pub:f:`).FindAllString(out, -1); err != nil || len(believed) != 1 {
		b.t.Errorf("gpg believes other keys than the repository's: %v\n%s", err, out)
	}
	for _, etc := range b.etcs() {
		private, err := os.ReadDir(filepath.Join(etc, "pacman.d/gnupg/private-keys-v1.d"))
		if err != nil || len(private) != 0 {
			b.t.Errorf("private keys in the image: %v, %v", private, err)
		}
	}
}
