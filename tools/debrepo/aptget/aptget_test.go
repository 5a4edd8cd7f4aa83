// SPDX-License-Identifier: GPL-3.0-or-later

package aptget

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPlannedReadsTheSimulation(t *testing.T) {
	a := &Apt{Dir: "cache"}
	got := a.planned([]byte(`Reading package lists...
NOTE: This is only a simulation!
Inst libc6 (2.36-9+deb12u10 Debian:12.11/stable, Debian-Security:12/stable-security [amd64]) []
Inst bsdutils (1:2.38.1-5+deb12u3 Debian:12.11/stable [amd64]) [util-linux:amd64 ]
Inst adduser (3.134 Debian:12.11/stable [all])
Inst foo:i386 (1.0 Debian:12.11/stable [i386])
Conf libc6 (2.36-9+deb12u10 Debian:12.11/stable [amd64])
`))
	want := []Deb{
		{"adduser", "3.134", "all", "cache/archives/adduser_3.134_all.deb"},
		{"bsdutils", "1:2.38.1-5+deb12u3", "amd64", "cache/archives/bsdutils_1%3a2.38.1-5+deb12u3_amd64.deb"},
		{"foo", "1.0", "i386", "cache/archives/foo_1.0_i386.deb"},
		{"libc6", "2.36-9+deb12u10", "amd64", "cache/archives/libc6_2.36-9+deb12u10_amd64.deb"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
