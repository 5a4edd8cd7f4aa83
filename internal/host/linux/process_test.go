// SPDX-License-Identifier: GPL-3.0-or-later

package linux

import (
	"os"
	"slices"
	"testing"
)

func TestMappedFilesAreFilesOnly(t *testing.T) {
	const maps = `55d0c0a00000-55d0c0a28000 r--p 00000000 00:1d 2571                       /usr/lib/systemd/systemd
55d0c0a28000-55d0c0b00000 r-xp 00028000 00:1d 2571                       /usr/lib/systemd/systemd
7f0000000000-7f0000001000 rw-p 00000000 00:00 0
7f0000001000-7f0000002000 r--p 00000000 00:1d 99                         /usr/lib/with blank.so
7f0000002000-7f0000003000 r--p 00000000 00:1d 98                         /usr/lib/old.so (deleted)
7ffd00000000-7ffd00021000 rw-p 00000000 00:00 0                          [stack]
`
	want := []string{"/usr/lib/systemd/systemd", "/usr/lib/with blank.so"}
	if got := mappedFiles([]byte(maps)); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAProcessRunsFromItsProgramAndSeesItsOwnMounts(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := MappedFiles(os.Getpid()); err != nil || !slices.Contains(got, self) {
		t.Errorf("%q is not in %q, %v", self, got, err)
	}
	if same, err := SeesMountsOf(os.Getpid()); err != nil || !same {
		t.Errorf("%t, %v", same, err)
	}
}
