// SPDX-License-Identifier: GPL-3.0-or-later

package solve

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/syncdb"
	"pgregory.net/rapid"
)

// TestSearch are requests at which the walk fails, pacman's too.
func TestSearch(t *testing.T) {
	runCases(t, []solveCase{
		{name: "another provider, as in pacman's sync403", world: `
			core:
			pkg1 1 depends=dep
			pkg2 1 conflicts=pkg1 provides=dep
			pkg3 1 provides=dep`,
			req: Request{Targets: []string{"pkg1"}}, want: "+core/pkg3-1:dep +core/pkg1-1"},
		{name: "what an upgraded target no longer provides, as in sync406", world: `
			core:
			kdelibs 1 depends=phonon
			qt 4.6.1-1
			phonon 1
			kdeapp 1 depends=qt>=4.6
			local:
			qt 4.5.3-1 provides=phonon conflicts=phonon`,
			req: Request{Targets: []string{"kdelibs", "kdeapp"}}, want: "+core/phonon-1:dep +core/kdelibs-1 ^core/qt-4.6.1-1 +core/kdeapp-1"},
		{name: "what an upgrade no longer provides", world: `
			core:
			pkg1 2
			feature 2
			local:
			pkg1 1 provides=feature=1
			pkg2 1 depends=feature`,
			req: Request{SysUpgrade: true}, want: "^core/pkg1-2 +core/feature-2:dep"},
		{name: "an installed package upgraded along", world: `
			core:
			lib 2
			app 2 depends=lib>=2
			local:
			lib 1
			app 1 depends=lib<2`,
			req: Request{Targets: []string{"lib"}}, want: "^core/lib-2 ^core/app-2"},
		{name: "another repository's version", world: `
			core:
			app 1 depends=lib,tool
			lib 1 conflicts=tool
			tool 1
			extra:
			lib 2`,
			req: Request{Targets: []string{"app"}}, want: "+extra/lib-2:dep +core/tool-1:dep +core/app-1"},
		{name: "far down", world: `
			core:
			a 1 depends=x,z
			b 1 provides=x depends=b2
			b2 1 depends=nowhere
			c 1 provides=x depends=y
			d 1 provides=y conflicts=z
			e 1 provides=y
			z 1`,
			req: Request{Targets: []string{"a"}}, want: "+core/e-1:dep +core/c-1:dep +core/z-1:dep +core/a-1"},
		{name: "a person's choice goes before others that do as well", world: `
			core:
			a 1 depends=x,y
			b 1 provides=x
			c 1 provides=x
			d 1 provides=y conflicts=a
			e 1 provides=y`,
			req: Request{Targets: []string{"a"}, Answer: func(q Question) int {
				if q.Kind == QuestionProvider && q.Dep.Name == "x" {
					return 1
				}
				return q.Default
			}}, want: "+core/c-1:dep +core/e-1:dep +core/a-1"},
		{name: "a range is one package's, as in pacman's deprange001", world: `
			core:
			a 1 depends=dep>=3,dep<=4
			local:
			b 1 provides=dep=2
			c 1 provides=dep=5`,
			req: Request{Targets: []string{"a"}}, err: "a 1 needs dep>=3 and dep<=4 in one package, and there is none"},
		{name: "a range that another provider meets", world: `
			core:
			a 1 depends=dep>=3,dep<=4
			d 1 provides=dep=3
			local:
			b 1 provides=dep=2
			c 1 provides=dep=5`,
			req: Request{Targets: []string{"a"}}, want: "+core/d-1:dep +core/a-1"},
		{name: "nothing that is installed goes by itself", world: `
			core:
			a 1 conflicts=b
			local:
			b 1`,
			req: Request{Targets: []string{"a"}}, err: "a and b conflict (b is installed)"},
		{name: "what an ignore list names is left alone", world: `
			core:
			lib 2
			app 2 depends=lib>=2
			local:
			lib 1
			app 1 depends=lib<2`,
			req:  Request{Targets: []string{"lib"}},
			tune: func(u *Universe) { u.IgnorePkg = []string{"app"} },
			err:  "app 1 (installed) needs lib<2"},
	})
}

// TestSearchExplains: a few reasons, of which none can be left out, in words.
func TestSearchExplains(t *testing.T) {
	for _, c := range []struct {
		name, world string
		req         Request
		tune        func(*Universe)
		want        []string
	}{
		{name: "two providers, each in the way of something", world: `
			core:
			a 1 depends=x,z
			b 1 provides=x conflicts=z
			c 1 provides=x depends=nowhere
			z 1
			noise 1`,
			req: Request{Targets: []string{"a", "noise"}},
			want: []string{
				"a 1 is to be installed",
				"a 1 needs x, which only b 1 or c 1 can give",
				"a 1 needs z, which only z 1 can give",
				"b 1 conflicts with z 1",
				"c 1 needs nowhere, which no repository has",
			}},
		{name: "a version that nobody has", world: `
			core:
			a 1 depends=lib>=3
			lib 2`,
			req: Request{Targets: []string{"a"}},
			want: []string{
				"a 1 is to be installed",
				"a 1 needs lib>=3, and core has 2",
			}},
		{name: "an installed package that holds a library", world: `
			core:
			lib 2
			local:
			lib 1
			old 1 depends=lib=1`,
			req: Request{SysUpgrade: true},
			want: []string{
				"old 1 (installed) needs lib=1, which lib 1 gives, and lib is to go to 2",
				"old 1 is installed and not to be removed, and no repository has another version",
			}},
		{name: "an ignore list", world: `
			core:
			lib 2
			app 2
			local:
			lib 1
			app 1 depends=lib=1`,
			req:  Request{SysUpgrade: true},
			tune: func(u *Universe) { u.IgnorePkg = []string{"app"} },
			want: []string{
				"app 1 (installed) needs lib=1, which lib 1 gives, and lib is to go to 2",
				"app 1 is installed and not to be removed, and an ignore list keeps it at this version",
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			u := world(c.world)
			if c.tune != nil {
				c.tune(&u)
			}
			_, err := Solve(u, c.req)
			var why []string
			var unmet *UnsatisfiedError
			var conflict *ConflictError
			switch {
			case errors.As(err, &unmet):
				why = unmet.Why
			case errors.As(err, &conflict):
				why = conflict.Why
			}
			slices.Sort(why)
			slices.Sort(c.want)
			if !slices.Equal(why, c.want) {
				t.Errorf("got\n%s\nwant\n%s\nerror: %v", strings.Join(why, "\n"), strings.Join(c.want, "\n"), err)
			}
		})
	}
}

// small is a random universe that can be searched by trying everything.
type small struct {
	u    Universe
	req  Request
	pool []*desc.Package // of the repositories
}

func anySmall(t *rapid.T) small {
	relation := func(label string) string {
		name := rapid.SampledFrom([]string{"a", "b", "c", "d", "v", "w"}).Draw(t, label)
		if rapid.IntRange(0, 3).Draw(t, "versioned") == 0 {
			name += rapid.SampledFrom([]string{">=", "<=", "=", "<", ">"}).Draw(t, "operator") + fmt.Sprint(rapid.IntRange(1, 3).Draw(t, "version"))
		}
		return name
	}
	one := func(name string) *desc.Package {
		p := &desc.Package{Name: name, Version: fmt.Sprint(rapid.IntRange(1, 3).Draw(t, "version")), Arch: "any"}
		for range rapid.IntRange(0, 2).Draw(t, "depends") {
			p.Depends = append(p.Depends, relation("dependency"))
		}
		if rapid.IntRange(0, 2).Draw(t, "provides") == 0 {
			p.Provides = []string{rapid.SampledFrom([]string{"v", "w", "v=1", "w=2", "v=3"}).Draw(t, "provide")}
		}
		if rapid.IntRange(0, 3).Draw(t, "conflicts") == 0 {
			p.Conflicts = []string{relation("conflict")}
		}
		return p
	}
	var s small
	for _, repo := range []string{"core", "extra"} {
		var list []*desc.Package
		for _, name := range []string{"a", "b", "c", "d"} {
			if rapid.IntRange(0, 3).Draw(t, "in "+repo) > 0 {
				list = append(list, one(name))
			}
		}
		s.pool = append(s.pool, list...)
		s.u.Repos = append(s.u.Repos, Repo{Name: repo, DB: syncdb.New(repo, list)})
	}
	for _, name := range []string{"a", "b", "c", "d"} {
		if rapid.IntRange(0, 3).Draw(t, "installed") == 0 {
			s.u.Installed = append(s.u.Installed, one(name))
		}
	}
	s.req.Targets = []string{rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "target")}
	return s
}

// sound tells what is wrong with a state of the system, given what was
// installed before: new packages lack nothing, old ones lose nothing, and no
// new package is in conflict.
func (s small) sound(after map[string]*desc.Package) error {
	before := map[string]*desc.Package{}
	for _, p := range s.u.Installed {
		before[p.Name] = p
		if after[p.Name] == nil {
			return fmt.Errorf("%s is gone", p.Name)
		}
	}
	met := func(in map[string]*desc.Package, text string) bool {
		for _, q := range in {
			if q.Satisfies(desc.ParseDep(text)) {
				return true
			}
		}
		return false
	}
	for _, p := range after {
		old := before[p.Name] == p
		for _, text := range p.Depends {
			if !met(after, text) && (!old || met(before, text)) {
				return fmt.Errorf("%s lacks %s", p.Name, text)
			}
		}
		if !old && !rangesMet(p, after) {
			return fmt.Errorf("a range of %s is met by no one package", p.Name)
		}
		for _, text := range p.Conflicts {
			for _, q := range after {
				if q.Name != p.Name && q.Satisfies(desc.ParseDep(text)) && (!old || before[q.Name] != q) {
					return fmt.Errorf("%s conflicts with %s", p.Name, q.Name)
				}
			}
		}
	}
	return nil
}

// rangesMet tells whether dependencies of p on one name are met by one package.
func rangesMet(p *desc.Package, in map[string]*desc.Package) bool {
	byName := map[string][]desc.Dep{}
	for _, text := range p.Depends {
		d := desc.ParseDep(text)
		byName[d.Name] = append(byName[d.Name], d)
	}
	for _, list := range byName {
		met := false
		for _, q := range in {
			met = met || satisfiesAll(q, list)
		}
		if !met {
			return false
		}
	}
	return true
}

// possible tries every state in which the target is there as the walk takes it.
func (s small) possible(target *desc.Package) bool {
	byName := map[string][]*desc.Package{}
	for _, p := range append(append([]*desc.Package(nil), s.u.Installed...), s.pool...) {
		byName[p.Name] = append(byName[p.Name], p)
	}
	names := []string{"a", "b", "c", "d"}
	var try func(i int, after map[string]*desc.Package) bool
	try = func(i int, after map[string]*desc.Package) bool {
		if i == len(names) {
			return after[target.Name] == target && s.sound(after) == nil
		}
		delete(after, names[i])
		if try(i+1, after) {
			return true
		}
		for _, p := range byName[names[i]] {
			after[names[i]] = p
			if try(i+1, after) {
				return true
			}
		}
		delete(after, names[i])
		return false
	}
	return try(0, map[string]*desc.Package{})
}

// TestSearchIsComplete: where anything goes, something is found, and what is
// found is sound.
func TestSearchIsComplete(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anySmall(t)
		var target *desc.Package
		for i := len(s.u.Repos) - 1; i >= 0; i-- {
			if p := s.u.Repos[i].DB.Package(s.req.Targets[0]); p != nil {
				target = p
			}
		}
		got, err := Solve(s.u, s.req)
		var none *NotFoundError
		if errors.As(err, &none) {
			return
		}
		if err != nil {
			if target != nil && s.possible(target) {
				t.Fatalf("there is a way: %v", err)
			}
			return
		}
		after := map[string]*desc.Package{}
		for _, p := range s.u.Installed {
			after[p.Name] = p
		}
		if len(got.Remove) > 0 {
			t.Fatalf("%s: nobody agreed to a removal", show(got))
		}
		for _, in := range got.Install {
			after[in.Package.Name] = in.Package
		}
		if err := s.sound(after); err != nil {
			t.Fatalf("%s: %v", show(got), err)
		}
	})
}
