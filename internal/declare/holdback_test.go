// SPDX-License-Identifier: GPL-3.0-or-later

package declare

import (
	"errors"
	"testing"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/solve"
)

func TestUpgradeHoldsBackWhatDoesNotGo(t *testing.T) {
	repos := reposOf(map[string][]*desc.Package{"core": pkgs("lib 3|tool 2|old 1 depends=lib<3")}, "core")
	u := Universe{
		Installed: pkgs("lib 2 dep|tool 1|old 1 depends=lib<3"),
		Repos:     func() ([]solve.Repo, error) { return repos, nil },
	}
	d := Declaration{Targets: []string{"tool", "old"}}
	var asked []solve.Held
	agree := true
	o := Options{Upgrade: true, HoldBack: func(held []solve.Held) bool {
		asked = held
		return agree
	}}
	got, err := Work(u, d, o)
	if err != nil || !got.HoldBack || len(asked) != 1 || asked[0].Name != "lib" || len(got.Gone) > 0 {
		t.Fatalf("got %+v, %v; asked of %v", got, err, asked)
	}
	sol, err := solve.Solve(solve.Universe{Repos: repos, Installed: u.Installed},
		solve.Request{Targets: got.Targets, Remove: got.Remove, SysUpgrade: got.Upgrade, HoldBack: got.HoldBack, Needed: true, Answer: got.Answer})
	if err != nil || len(sol.Install) != 1 || sol.Install[0].Package.Name != "tool" {
		t.Errorf("the request leads to %+v, %v", sol, err)
	}

	agree = false
	var declined *solve.HoldBackError
	if _, err := Work(u, d, o); !errors.As(err, &declined) || len(declined.Held) != 1 {
		t.Errorf("declined: %v", err)
	}
	var unmet *solve.UnsatisfiedError
	if _, err := Work(u, d, Options{Upgrade: true}); !errors.As(err, &unmet) || errors.As(err, &declined) {
		t.Errorf("not offered: %v", err)
	}
	// What is not declared is no reason to hold anything back: it goes.
	asked = nil
	if got, err := Work(u, Declaration{Targets: []string{"tool", "lib"}}, o); err != nil || got.HoldBack || asked != nil {
		t.Errorf("got %+v, %v; asked of %v", got, err, asked)
	}
}
