// SPDX-License-Identifier: GPL-3.0-or-later

package solve

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func showHeld(list []Held) string {
	var out []string
	for _, h := range list {
		out = append(out, fmt.Sprintf("%s-%s (%s/%s): %s", h.Name, h.Version, h.Repo, h.New, strings.Join(h.Why, "; ")))
	}
	return strings.Join(out, "\n")
}

// holdCases are upgrades of which not all goes.
func holdCases() []struct{ name, world, want, held string } {
	return []struct{ name, world, want, held string }{
		{"an installed package needs the old version", `
			core:
			lib 2
			other 2
			local:
			lib 1
			tool 1 depends=lib<2
			other 1`,
			"^core/other-2",
			"lib-1 (core/2): tool 1 (installed) needs lib<2, which lib 1 gives, and lib is to go to 2; " +
				"tool 1 is installed and not to be removed, and no repository has another version"},
		{"what needs the new version stays, too", `
			core:
			app 2 depends=lib>=2
			lib 2
			other 2
			local:
			app 1 depends=lib
			lib 1
			tool 1 depends=lib<2
			other 1`,
			"^core/other-2", "lib app"},
		{"what a new version needs is nowhere", `
			core:
			app 2 depends=gone
			other 2
			local:
			app 1
			other 1`,
			"^core/other-2", "app-1 (core/2): app is to go from 1 to 2; app 2 needs gone, which no repository has"},
		{"a replacement conflicts", `
			core:
			new 1 replaces=old conflicts=foe
			other 2
			local:
			old 1
			foe 1
			other 1`,
			"^core/other-2", "old-1 (core/new-1): new 1 conflicts with foe 1 (installed); new 1 replaces old; foe 1 is installed and not to be removed, and no repository has another version"},
		{"another machine", `
			core:
			app 2 arch=sparc
			other 2
			local:
			app 1
			other 1`,
			"^core/other-2", "app-1 (core/2): package app is for sparc; this system takes x86_64 and any"},
		{"two exclude each other", `
			core:
			a 2 conflicts=b>=2
			b 2
			c 2 depends=b>=2
			local:
			a 1
			b 1
			c 1`,
			"^core/b-2 ^core/c-2", "a"},
		{"nothing is left", `
			core:
			lib 2
			local:
			lib 1
			tool 1 depends=lib<2`,
			"", "lib"},
		{"all goes", `
			core:
			lib 2
			local:
			lib 1`,
			"^core/lib-2", ""},
	}
}

func TestHoldBack(t *testing.T) {
	for _, c := range holdCases() {
		t.Run(c.name, func(t *testing.T) {
			u := world(c.world)
			u.Arch = []string{"x86_64"}
			asked := 0
			sol, err := Solve(u, Request{SysUpgrade: true, HoldBack: true, Answer: func(q Question) int {
				if q.Kind == QuestionHoldBack {
					asked++
					return Yes
				}
				return q.Default
			}})
			if err != nil {
				t.Fatal(err)
			}
			if got := show(sol); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			held := showHeld(sol.Held)
			if !strings.Contains(c.held, ":") {
				var names []string
				for _, h := range sol.Held {
					names = append(names, h.Name)
				}
				held = strings.Join(names, " ")
			}
			if held != c.held {
				t.Errorf("held back:\n%s\nwant:\n%s", held, c.held)
			}
			if want := min(1, len(sol.Held)); asked != want {
				t.Errorf("asked %d times, want %d", asked, want)
			}
		})
	}
}

func TestHoldBackDeclinedIsTheErrorOfAll(t *testing.T) {
	u := world(`
		core:
		lib 2
		local:
		lib 1
		tool 1 depends=lib<2`)
	_, plain := Solve(u, Request{SysUpgrade: true})
	_, err := Solve(u, Request{SysUpgrade: true, HoldBack: true})
	var held *HoldBackError
	if !errors.As(err, &held) || plain == nil || err.Error() != plain.Error() || held.ExitCode() != 4 {
		t.Fatalf("got %v, without the offer %v", err, plain)
	}
	if want := "all else can be upgraded while these stay as they are: lib"; held.Hint() != want {
		t.Errorf("hint %q", held.Hint())
	}
}

// What a person asked for by name is never held back.
func TestHoldBackNoTarget(t *testing.T) {
	u := world(`
		core:
		lib 2
		local:
		lib 1
		tool 1 depends=lib<2`)
	_, err := Solve(u, Request{Targets: []string{"lib"}, SysUpgrade: true, HoldBack: true, Answer: yes})
	var unmet *UnsatisfiedError
	var held *HoldBackError
	if !errors.As(err, &unmet) || errors.As(err, &held) {
		t.Errorf("got %v", err)
	}
}

// Over random worlds: what is left is sound, and not one of those held back
// could have come along.
func TestHoldBackIsLeast(t *testing.T) {
	some := 0
	for seed := range uint64(400) {
		u := randomUpgrade(rand.New(rand.NewPCG(seed, 4)))
		sol, err := Solve(u, Request{SysUpgrade: true, HoldBack: true, Answer: yes})
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if len(sol.Held) > 0 {
			some++
		}
		for i := range sol.Held {
			r := Request{SysUpgrade: true, Answer: remembered(yes)}
			s := newState(&u, &r)
			s.held = map[string]bool{}
			for j, h := range sol.Held {
				s.held[h.Name] = j != i
			}
			if other, err := s.solve(); err == nil {
				t.Errorf("seed %d: %s is held back, and yet there is %s", seed, sol.Held[i].Name, show(other))
			}
		}
	}
	if some < 50 {
		t.Errorf("only in %d worlds was something held back", some)
	}
}

func randomUpgrade(r *rand.Rand) Universe {
	names := []string{"a", "b", "c", "d", "e", "f"}
	var text strings.Builder
	relation := func(not string) string {
		others := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == not })
		return others[r.IntN(len(others))] + []string{"", "<2", ">=2", "=1"}[r.IntN(4)]
	}
	text.WriteString("core:\n")
	for _, n := range names {
		fmt.Fprintf(&text, "%s %d", n, 1+r.IntN(2))
		if r.IntN(2) == 0 {
			text.WriteString(" depends=" + relation(n))
		}
		if r.IntN(6) == 0 {
			text.WriteString(" conflicts=" + relation(n))
		}
		text.WriteString("\n")
	}
	text.WriteString("local:\n")
	for _, n := range names {
		fmt.Fprintf(&text, "%s 1", n)
		if r.IntN(3) == 0 {
			text.WriteString(" depends=" + relation(n))
		}
		text.WriteString("\n")
	}
	return world(text.String())
}
