// SPDX-License-Identifier: GPL-3.0-or-later

package solve

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/syncdb"
)

// heard records stages, notes and questions in the order in which they come.
func heard(r *Request) *[]string {
	var out []string
	r.Tell = func(n Note) {
		if n.Kind == NoteStage {
			out = append(out, "stage "+n.Text)
			return
		}
		out = append(out, strings.Join(strings.Fields(string(n.Kind)+" "+n.Package+" "+n.Version+" "+n.Other+" "+n.OtherVersion+" "+n.Repo+" "+n.Dep), " "))
	}
	r.Answer = func(q Question) int {
		text := "ask " + string(q.Kind)
		if q.Package != nil {
			text += " " + q.Package.Name
		}
		for _, p := range q.Packages {
			text += " +" + p.Name
		}
		out = append(out, text)
		return Yes
	}
	return &out
}

func TestTellComesInOrderWithQuestions(t *testing.T) {
	u := world(`
		core:
		a 1 depends=b
		b 1 depends=nothing
		c 2
		old 2
		new 1 replaces=gone conflicts=foe
		held 3
		local:
		c 2
		old 3
		gone 1
		foe 1
		held 2`)
	u.IgnorePkg = []string{"held"}
	r := Request{Targets: []string{"a", "c"}, SysUpgrade: true}
	got := heard(&r)
	sol, err := Solve(u, r)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"reinstall c 2", "stage upgrade", "ask replace new", "ignored-upgrade held 2 3 core", "local-newer old 3 2 core",
		"stage resolve", "unresolved b 1 nothing", "unresolved a 1 b", "ask skip a +a", "left-out a 1",
		"stage conflicts", "ask conflict new",
	}
	if d := cmp.Diff(want, *got); d != "" {
		t.Error(d)
	}
	if len(sol.Install) != 2 {
		t.Errorf("installs %+v", sol.Install)
	}
}

func TestUnsatisfiedTrail(t *testing.T) {
	u := world(`
		core:
		a 1 depends=b
		b 1 depends=nothing`)
	_, err := Solve(u, Request{Targets: []string{"a"}})
	var un *UnsatisfiedError
	if !errors.As(err, &un) || len(un.Missing) != 1 || len(un.Trail) != 2 {
		t.Fatalf("got %+v", err)
	}
	if un.Trail[0].Package != "b" || un.Trail[1].Package != "a" || un.Trail[1].Dep.String() != "b" {
		t.Errorf("trail %+v", un.Trail)
	}
}

func TestSelectOfGroup(t *testing.T) {
	u := world(`
		core:
		a 1 groups=g
		b 1 groups=g
		c 1 groups=g
		extra:
		b 2 groups=g
		d 1 groups=g
		local:
		c 1`)
	var offered []string
	r := Request{Targets: []string{"g"}, Needed: true, Select: func(group string, members []Candidate) ([]Candidate, error) {
		for _, m := range members {
			offered = append(offered, m.Repo+"/"+m.Package.Name)
		}
		return members[1:], nil
	}}
	sol, err := Solve(u, r)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"core/a", "core/b", "extra/d"}; !slices.Equal(offered, want) {
		t.Errorf("offered %v", offered)
	}
	if len(sol.Install) != 2 || sol.Install[0].Package.Version != "1" {
		t.Errorf("installs %+v", sol.Install)
	}
	stop := errors.New("stop")
	r.Select = func(string, []Candidate) ([]Candidate, error) { return nil, stop }
	if _, err := Solve(u, r); !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
}

func TestArchNamesAllTargets(t *testing.T) {
	u := world(`
		core:
		a 1
		b 1`)
	for _, p := range u.Repos[0].DB.(*syncdb.DB).Packages() {
		p.Arch = "m68k"
	}
	u.Arch = []string{"x86_64"}
	_, err := Solve(u, Request{Targets: []string{"a", "b"}})
	var arch *ArchError
	if !errors.As(err, &arch) || !slices.EqualFunc(arch.All, []string{"a", "b"}, func(p *desc.Package, name string) bool { return p.Name == name }) {
		t.Errorf("got %+v", err)
	}
}
