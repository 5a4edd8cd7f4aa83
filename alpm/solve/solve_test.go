// SPDX-License-Identifier: GPL-3.0-or-later

package solve

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestInstall(t *testing.T) {
	runCases(t, []solveCase{
		{name: "closure, dependencies first", world: `
			core:
			a 1 depends=b,c
			b 1 depends=c
			c 1`,
			req: Request{Targets: []string{"a"}}, want: "+core/c-1:dep +core/b-1:dep +core/a-1"},
		{name: "the first repository wins", world: `
			core:
			a 1
			extra:
			a 2`,
			req: Request{Targets: []string{"a"}}, want: "+core/a-1"},
		{name: "a named repository", world: `
			core:
			a 1
			extra:
			a 2`,
			req: Request{Targets: []string{"extra/a"}}, want: "+extra/a-2"},
		{name: "an unknown repository", world: `
			core:
			a 1`,
			req: Request{Targets: []string{"nope/a"}}, err: `no repository "nope"`},
		{name: "a version goes past the first repository", world: `
			core:
			a 1
			extra:
			a 2`,
			req: Request{Targets: []string{"a>=2"}}, want: "+extra/a-2"},
		{name: "an exact version", world: `
			core:
			a 1
			extra:
			a 2`,
			req: Request{Targets: []string{"a=3"}}, err: "target not found"},
		{name: "literal before provider, in a later repository too", world: `
			core:
			x 1 provides=sh
			extra:
			sh 1`,
			req: Request{Targets: []string{"sh"}}, want: "+extra/sh-1"},
		{name: "an installed provider wins", world: `
			core:
			a 1 depends=sh
			bash 1 provides=sh
			dash 1 provides=sh
			local:
			dash 0.9 provides=sh`,
			req: Request{Targets: []string{"a"}}, want: "+core/a-1"},
		{name: "the first provider by default", world: `
			core:
			a 1 depends=sh
			bash 1 provides=sh
			dash 1 provides=sh`,
			req: Request{Targets: []string{"a"}}, want: "+core/bash-1:dep +core/a-1"},
		{name: "the answer chooses a provider", world: `
			core:
			a 1 depends=sh
			bash 1 provides=sh
			dash 1 provides=sh`,
			req: Request{Targets: []string{"a"}, Answer: yes}, want: "+core/dash-1:dep +core/a-1"},
		{name: "a target is preferred as provider", world: `
			core:
			a 1 depends=sh
			bash 1 provides=sh
			dash 1 provides=sh`,
			req: Request{Targets: []string{"a", "dash"}}, want: "+core/dash-1 +core/a-1"},
		{name: "an unversioned provide does not meet a version", world: `
			core:
			a 1 depends=sh>=2
			bash 1 provides=sh`,
			req: Request{Targets: []string{"a"}}, err: "a 1 needs sh>=2"},
		{name: "a versioned provide does", world: `
			core:
			a 1 depends=sh>=2
			bash 1 provides=sh=3`,
			req: Request{Targets: []string{"a"}}, want: "+core/bash-1:dep +core/a-1"},
		{name: "a group", world: `
			core:
			a 1 groups=g
			b 1 groups=g depends=c
			c 1
			extra:
			b 2 groups=g
			d 1 groups=g`,
			req: Request{Targets: []string{"g"}}, want: "+core/a-1 +core/c-1:dep +core/b-1 +extra/d-1"},
		{name: "needed", world: `
			core:
			a 1
			b 2
			local:
			a 1
			b 1 reason=depend`,
			req: Request{Targets: []string{"a", "b"}, Needed: true}, want: "^core/b-2:dep"},
		{name: "reinstall keeps the reason", world: `
			core:
			a 1
			local:
			a 1 reason=depend`,
			req: Request{Targets: []string{"a"}}, want: "^core/a-1:dep"},
		{name: "asexplicit overrides", world: `
			core:
			a 1
			local:
			a 1 reason=depend`,
			req: Request{Targets: []string{"a"}, AsExplicit: true}, want: "^core/a-1"},
		{name: "asdeps", world: `
			core:
			a 1`,
			req: Request{Targets: []string{"a"}, AsDeps: true}, want: "+core/a-1:dep"},
		{name: "a circle", world: `
			core:
			a 1 depends=b
			b 1 depends=a`,
			req: Request{Targets: []string{"a"}}, want: "+core/b-1:dep +core/a-1"},
		{name: "order goes through installed packages", world: `
			core:
			a 2 depends=b
			c 2
			local:
			a 1 depends=b
			b 1 depends=c
			c 1`,
			req: Request{Targets: []string{"a", "c"}}, want: "^core/c-2 ^core/a-2"},
		{name: "a dependency pulls an upgrade of what is installed", world: `
			core:
			a 1 depends=b>=2
			b 2
			local:
			b 1 reason=depend`,
			req: Request{Targets: []string{"a"}}, want: "^core/b-2:dep +core/a-1"},
		{name: "an ignored dependency is skipped silently", world: `
			core:
			a 1 depends=b
			b 1`,
			req: Request{Targets: []string{"a"}}, tune: func(u *Universe) { u.IgnorePkg = []string{"b*"} },
			err: "an ignore list keeps out"},
		{name: "an ignored target is installed", world: `
			core:
			a 1 groups=g`,
			req: Request{Targets: []string{"a"}}, tune: func(u *Universe) { u.IgnoreGroup = []string{"g"} },
			want: "+core/a-1"},
		{name: "assumed dependencies", world: `
			core:
			a 1 depends=b>=2`,
			req: Request{Targets: []string{"a"}}, tune: func(u *Universe) { u.Assume = []string{"b=3"} },
			want: "+core/a-1"},
		{name: "no versions", world: `
			core:
			a 1 depends=b>=2
			b 1`,
			req: Request{Targets: []string{"a"}, NoVersions: true}, want: "+core/a-1 +core/b-1:dep"}, // pacman sorts by what is written
		{name: "no dependencies", world: `
			core:
			a 1 depends=b>=2`,
			req: Request{Targets: []string{"a"}, NoDeps: true}, want: "+core/a-1"},
		{name: "another architecture", world: `
			core:
			a 1 arch=i686`,
			req: Request{Targets: []string{"a"}}, tune: func(u *Universe) { u.Arch = []string{"x86_64"} },
			err: "a is for i686"},
		{name: "skipping by answer", world: `
			core:
			a 1 depends=nope
			b 1`,
			req: Request{Targets: []string{"a", "b"}, Answer: yes}, want: "+core/b-1"},
		{name: "an upgrade that breaks what is installed", world: `
			core:
			lib 2
			local:
			lib 1
			app 1 depends=lib=1`,
			req: Request{Targets: []string{"lib"}}, err: "app 1 is installed and needs lib=1"},
		{name: "what was broken before is left alone", world: `
			core:
			a 1
			local:
			app 1 depends=gone`,
			req: Request{Targets: []string{"a"}}, want: "+core/a-1"},
		{name: "one name from two repositories", world: `
			core:
			a 1
			extra:
			a 2`,
			req: Request{Targets: []string{"core/a", "extra/a"}}, err: "asked for twice"},
	})
}

func TestErrorsHelp(t *testing.T) {
	u := world(`
		core:
		app 1 depends=mid
		mid 1 depends=libfrob>=2
		libfrob 1
		openssh 1`)
	_, err := Solve(u, Request{Targets: []string{"opensssh"}})
	var nf *NotFoundError
	if !errors.As(err, &nf) || !slices.Equal(nf.Near, []string{"openssh"}) {
		t.Errorf("unknown target: %v, near %v", err, nf)
	}
	if nf.Hint() != "did you mean openssh?" {
		t.Errorf("hint %q", nf.Hint())
	}
	_, err = Solve(u, Request{Targets: []string{"app"}})
	var un *UnsatisfiedError
	if !errors.As(err, &un) || len(un.Missing) != 1 {
		t.Fatalf("got %v", err)
	}
	if m := un.Missing[0]; m.Package != "mid" || m.Dep.String() != "libfrob>=2" || !slices.Equal(m.Chain, []string{"mid", "app"}) {
		t.Errorf("missing %+v", m)
	}
	if !strings.Contains(err.Error(), "wanted by app") {
		t.Errorf("the error does not tell who wanted it: %v", err)
	}
}

func TestWhy(t *testing.T) {
	u := world(`
		core:
		app 1 depends=mid
		mid 1 depends=low
		other 1 depends=low
		low 1`)
	s, err := Solve(u, Request{Targets: []string{"app", "other"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Why("low"); !slices.Equal(got, []string{"low", "mid", "app"}) {
		t.Errorf("why low: %v", got)
	}
	for _, in := range s.Install {
		if in.Package.Name == "low" && !slices.Equal(in.RequiredBy, []string{"mid", "other"}) {
			t.Errorf("low is required by %v", in.RequiredBy)
		}
	}
}

func TestNotes(t *testing.T) {
	u := world(`
		core:
		a 1
		b 1 depends=c
		c 1 depends=b
		local:
		a 2`)
	s, err := Solve(u, Request{SysUpgrade: true, Targets: []string{"b"}})
	if err != nil {
		t.Fatal(err)
	}
	var kinds []NoteKind
	for _, n := range s.Notes {
		kinds = append(kinds, n.Kind)
	}
	if !slices.Equal(kinds, []NoteKind{NoteNewer, NoteCycle}) {
		t.Errorf("notes %+v", s.Notes)
	}
}

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"*", "", true}, {"a*", "abc", true}, {"a*c", "a/b/c", true}, {"a*d", "abc", false},
		{"?b", "ab", true}, {"?", "", false}, {"[a-c]x", "bx", true}, {"[!a-c]x", "bx", false},
		{"[^a]x", "bx", true}, {"[]]", "]", true}, {"[x", "[x", true}, {`\*`, "*", true}, {`\*`, "a", false},
		{"linux*", "linux-headers", true}, {"linux", "linux-headers", false}, {"**", "x", true},
	} {
		if got := Match(c.pattern, c.name); got != c.want {
			t.Errorf("Match(%q, %q) = %v", c.pattern, c.name, got)
		}
	}
}

func TestRolledBackBranchLeavesNothing(t *testing.T) {
	// a pulls b before it fails over nope; the skipped target must not leave
	// b behind.
	u := world(`
		core:
		a 1 depends=b,nope
		b 1
		c 1`)
	s, err := Solve(u, Request{Targets: []string{"a", "c"}, Answer: yes})
	if err != nil {
		t.Fatal(err)
	}
	if got := show(s); got != "+core/c-1" {
		t.Errorf("got %s", got)
	}
}
