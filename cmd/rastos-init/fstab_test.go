// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOnlyWhatFstabMarksIsMountedEarly(t *testing.T) {
	got := initrdVolumes(`# UUID=1 /commented btrfs x-initrd.mount 0 0
UUID=1 /var btrfs rw,noatime,subvol=/@var,x-initrd.mount 0 0
UUID=1 /srv btrfs rw,subvol=/@srv 0 0
PARTUUID=2 /efi vfat rw,umask=0077,nofail,x-initrd.mount,x-systemd.automount 0 2
UUID=1 /with\040blank btrfs x-initrd.mount 0 0
UUID=1 / btrfs x-initrd.mount 0 0
UUID=1 /etc btrfs x-initrd.mount 0 0
UUID=1 /../out btrfs x-initrd.mount 0 0
UUID=1 none swap x-initrd.mount 0 0
short /line
`)
	want := []volume{
		{"UUID=1", "/var", "btrfs", "rw,noatime,subvol=/@var"},
		{"PARTUUID=2", "/efi", "vfat", "rw,umask=0077"},
		{"UUID=1", "/with blank", "btrfs", ""},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(volume{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
