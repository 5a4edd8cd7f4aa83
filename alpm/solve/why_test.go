// SPDX-License-Identifier: GPL-3.0-or-later

package solve

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestWhyInstalled(t *testing.T) {
	const w = `
		local:
		app 1 depends=mid,sh
		mid 1 depends=libx.so=1-64 reason=depend
		lib 1 provides=libx.so=1-64 reason=depend optdepends=dash
		tool 1 depends=lib
		suite 1 depends=tool,app
		bash 1 provides=sh reason=depend
		orphan 1 reason=depend
		loop1 1 depends=loop2 reason=depend
		loop2 1 depends=loop1 reason=depend`
	for _, c := range []struct {
		name, chains, requiredBy, optional string
		orphan                             bool
	}{
		{name: "lib", requiredBy: "mid tool", chains: "tool → lib; app → mid (libx.so=1-64) → lib"},
		{name: "sh", requiredBy: "app", chains: "app (sh) → bash"},
		{name: "tool", requiredBy: "suite", chains: "suite → tool"},
		{name: "suite"},
		{name: "orphan", orphan: true},
		{name: "loop1", requiredBy: "loop2"}, // nobody asked for either
	} {
		got, err := WhyInstalled(world(w).Installed, c.name)
		if err != nil {
			t.Fatal(err)
		}
		var chains []string
		for _, ch := range got.Chains {
			chains = append(chains, ch.String())
		}
		if s := strings.Join(chains, "; "); s != c.chains {
			t.Errorf("%s: chains %q, want %q", c.name, s, c.chains)
		}
		if s := strings.Join(got.RequiredBy, " "); s != c.requiredBy {
			t.Errorf("%s: required by %q, want %q", c.name, s, c.requiredBy)
		}
		if got.Orphan() != c.orphan {
			t.Errorf("%s: orphan %v", c.name, got.Orphan())
		}
	}
}

func TestWhyInstalledOptional(t *testing.T) {
	u := world(`
		local:
		git 1
		perl 1 reason=depend`)
	u.Installed[0].OptDepends = []string{"perl: to send mail", "tk: gitk"}
	got, err := WhyInstalled(u.Installed, "perl")
	if err != nil {
		t.Fatal(err)
	}
	if want := []OptionalUse{{"git", "to send mail"}}; !slices.Equal(got.OptionalFor, want) || len(got.Chains) > 0 || !got.Orphan() {
		t.Errorf("got %+v", got)
	}
}

func TestWhyInstalledUnknown(t *testing.T) {
	_, err := WhyInstalled(world("local:\nopenssh 1").Installed, "opensssh")
	var nf *NotFoundError
	if !errors.As(err, &nf) || !nf.Installed || nf.Hint() != "did you mean openssh?" {
		t.Errorf("got %v", err)
	}
}
