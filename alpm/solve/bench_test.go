// SPDX-License-Identifier: GPL-3.0-or-later

package solve

import (
	"fmt"
	"testing"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/syncdb"
)

// largeUniverse has n packages, each of which needs a few earlier ones, and
// the first of them installed in an older version.
func largeUniverse(n, installed int) Universe {
	var u Universe
	list := make([]*desc.Package, n)
	for i := range list {
		p := &desc.Package{Name: fmt.Sprintf("p%05d", i), Version: "2-1", Arch: "any"}
		for j := 1; j <= i%7 && i > 0; j++ {
			p.Depends = append(p.Depends, fmt.Sprintf("p%05d>=1", i*j/9))
		}
		if i%5 == 0 {
			p.Provides = []string{fmt.Sprintf("v%d", i%400)}
		}
		list[i] = p
		if i < installed {
			old := *p
			old.Version = "1-1"
			u.Installed = append(u.Installed, &old)
		}
	}
	u.Repos = []Repo{{Name: "core", DB: syncdb.New("core", list)}}
	return u
}

// BenchmarkWalk upgrades 1,000 packages of 60,000, which the walk does.
func BenchmarkWalk(b *testing.B) {
	u := largeUniverse(60000, 1000)
	for b.Loop() {
		if _, err := Solve(u, Request{SysUpgrade: true}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSearch is the same where one installed package is in the way of it
// until it is upgraded along.
func BenchmarkSearch(b *testing.B) {
	u := largeUniverse(60000, 1000)
	held := &desc.Package{Name: "held", Version: "1-1", Arch: "any", Depends: []string{"gone"}}
	u.Installed[500].Provides = []string{"gone"}
	u.Installed = append(u.Installed, held)
	help := &desc.Package{Name: "help", Version: "1-1", Arch: "any", Provides: []string{"gone"}, Depends: []string{"p59999"}}
	u.Repos = append(u.Repos, Repo{Name: "extra", DB: syncdb.New("extra", []*desc.Package{help})})
	for b.Loop() {
		if _, err := Solve(u, Request{SysUpgrade: true}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkExplain is the same where nothing helps.
func BenchmarkExplain(b *testing.B) {
	u := largeUniverse(60000, 1000)
	u.Installed[500].Provides = []string{"gone"}
	u.Installed = append(u.Installed, &desc.Package{Name: "held", Version: "1-1", Arch: "any", Depends: []string{"gone"}})
	for b.Loop() {
		if _, err := Solve(u, Request{SysUpgrade: true}); err == nil {
			b.Fatal("solved")
		}
	}
}
