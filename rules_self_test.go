// SPDX-License-Identifier: GPL-3.0-or-later

package rastos

import (
	"strings"
	"testing"
)

// The rules are tested themselves: a rule that cannot fail guards nothing.

func TestRingsAllowAndForbid(t *testing.T) {
	for _, c := range []struct {
		from, to string
		allowed  bool
	}{
		{"alpm/desc", "alpm/version", true},
		{"alpm/desc", "alpm/trans", false},
		{"alpm/desc", "internal/report", false},
		{"internal/report", "internal/plan", false},
		{"internal/plan", "internal/report", true},
		{"internal/plan", "internal/node", false},
		{"internal/node", "internal/report", true},
		{"internal/node", "internal/host/linux", false},
		{"internal/node", "internal/deploy", false},
		{"internal/deploy", "internal/node", true},
		{"alpm/trans", "alpm/extract", true},
		{"alpm/extract", "alpm/trans", false},
		{"internal/host/mount", "internal/host/linux", true},
		{"internal/host/mount", "internal/node", false},
		{"internal/host/mount", "internal/report", false},
		{"internal/flow", "internal/node", true},
		{"internal/flow", "internal/host/mount", false},
		{"internal/cli", "internal/flow", true},
		{"internal/cli", "internal/manifest", true},
		{"internal/cli", "internal/node", false},
		{"internal/cli", "internal/host/run", false},
		{"internal/cli", "internal/tui", false},
		{"internal/tui", "internal/cli", false},
		{"cmd/rastos", "internal/host/run", true},
		{"cmd/rastos", "internal/cli", true},
		{"internal/flow", "internal/cli", false},
		{"internal/node", "internal/testkit", false},
		{"internal/boot", "internal/boot/esptest", false},
		{"internal/boot", "internal/boot/modlist", true},
		{"internal/testkit/lab", "internal/flow", true},
		{"internal/testkit", "internal/cli", false},
		{"tools/demo", "internal/testkit/lab", true},
		{"tools/demo", "internal/cli", false},
	} {
		if got := importAllowed(c.from, c.to); got != c.allowed {
			t.Errorf("%s importing %s: allowed = %v", c.from, c.to, got)
		}
	}
}

func TestEveryBanHasAReason(t *testing.T) {
	for what, p := range importPlaces {
		if p.reason == "" {
			t.Errorf("import of %s is banned without a reason", what)
		}
	}
	for what, p := range callPlaces {
		if p.reason == "" {
			t.Errorf("%s is banned without a reason", what)
		}
	}
	for edge, reason := range edges {
		if reason == "" {
			t.Errorf("the edge %v has no reason", edge)
		}
	}
	for from := range mayImport {
		if ringReasons[from] == "" && from != cmd && from != face {
			t.Errorf("the ring %s has no reason", from)
		}
	}
}

func source(t *testing.T, text string) *file {
	t.Helper()
	f, err := parseFile("room/x.go", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestMutableVariablesAreFound(t *testing.T) {
	for text, want := range map[string]int{
		`var ErrX = errors.New("x")`:                                                  0,
		`var re = regexp.MustCompile("x")`:                                            0,
		`var table = map[string]int{"a": 1}; func f() int { return table["a"] }`:      0,
		`var _ io.Reader = (*T)(nil)`:                                                 0,
		"//go:embed x\nvar text string":                                               0,
		`var magic = []byte("abc")`:                                                   0,
		`var count int`:                                                               1,
		`var count = 3`:                                                               1,
		`var now = func() int { return 1 }`:                                           1,
		`var cache = map[string]int{}; func f() { cache["a"] = 1 }`:                   1,
		`var cache = map[string]int{}; func f() { delete(cache, "a") }`:               1,
		`var cache = T{}; func f() { cache.n++ }`:                                     1,
		`var cache = map[string]int{}; func f() { cache := 1; cache = 2; _ = cache }`: 0,
		`var a = make(map[string]int)`:                                                1,
	} {
		if got := mutableVars("room", []*file{source(t, "package room\n"+text)}); len(got) != want {
			t.Errorf("%s: %d problems, want %d: %v", text, len(got), want, got)
		}
	}
}

func TestSelectorsAreSeenThroughImports(t *testing.T) {
	f := source(t, "package room\nimport (\"os\"; x \"syscall\")\nfunc f(os2 T) { os.Exit(1); x.Mount(); os2.Exit() ; { os := T{}; os.Getenv() } }")
	var seen []string
	f.eachSelector(func(pkg, name, _ string) { seen = append(seen, pkg+"."+name) })
	if got := strings.Join(seen, " "); got != "os.Exit syscall.Mount" {
		t.Errorf("seen: %s", got)
	}
}
