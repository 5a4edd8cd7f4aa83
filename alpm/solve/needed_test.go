// SPDX-License-Identifier: GPL-3.0-or-later

package solve

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/rastos/rastos/alpm/desc"
)

func TestNeeded(t *testing.T) {
	for name, c := range map[string]struct{ roots, packages, want string }{
		"the closure":             {"a", "a 1 depends=b|b 1 depends=c>=1|c 1|d 1", "a b c"},
		"a circle":                {"a", "a 1 depends=b|b 1 depends=a|c 1 depends=d|d 1 depends=c", "a b"},
		"what is missing":         {"a", "a 1 depends=x,b|b 1", "a b"},
		"optional ones":           {"a", "a 1 optdepends=b|b 1", "a"},
		"the one called so":       {"a", "a 1 depends=sh|bash 1 provides=sh|sh 1", "a sh"},
		"the first by name":       {"a", "a 1 depends=sh|dash 1 provides=sh|bash 1 provides=sh", "a bash"},
		"the one needed anyway":   {"a z", "a 1 depends=sh|bash 1 provides=sh|dash 1 provides=sh|z 1 depends=dash", "a dash z"},
		"the one that is a root":  {"a dash", "a 1 depends=sh|bash 1 provides=sh|dash 1 provides=sh", "a dash"},
		"a choice made by others": {"a", "a 1 depends=p,q|x 1 provides=p|y 1 provides=p,q|z 1 provides=q", "a y"},
		"no roots":                {"", "a 1 depends=b|b 1", ""},
	} {
		var list []*desc.Package
		for line := range strings.SplitSeq(c.packages, "|") {
			list = append(list, pkg(line))
		}
		roots := strings.Fields(c.roots)
		got := Needed(list, func(p *desc.Package) bool { return slices.Contains(roots, p.Name) })
		if diff := cmp.Diff(c.want, strings.Join(slices.Sorted(maps.Keys(got)), " ")); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// TestNeededIsStableAndWhole: of the needed packages all are needed, and none
// of them lacks what the whole list had for it.
func TestNeededIsStableAndWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom(strings.Split("abcdefghij", ""))
		var list []*desc.Package
		roots := map[string]bool{}
		for n := range rapid.MapOf(name, rapid.Just(0)).Draw(t, "names") {
			p := &desc.Package{Name: n, Version: "1"}
			p.Depends = rapid.SliceOfN(name, 0, 3).Draw(t, "depends of "+n)
			for _, v := range rapid.SliceOfN(name, 0, 2).Draw(t, "provides of "+n) {
				p.Provides = append(p.Provides, fmt.Sprintf("%s=%d", v, rapid.IntRange(1, 2).Draw(t, "provided")))
			}
			roots[n] = rapid.Bool().Draw(t, "root "+n)
			list = append(list, p)
		}
		root := func(p *desc.Package) bool { return roots[p.Name] }
		got := Needed(list, root)
		var kept []*desc.Package
		for _, p := range list {
			if got[p.Name] {
				kept = append(kept, p)
			}
		}
		if again := Needed(kept, root); !maps.Equal(got, again) {
			t.Fatalf("%v, and of those %v", got, again)
		}
		before, after := newIndex(list), newIndex(kept)
		for _, p := range kept {
			for _, text := range p.Depends {
				if d := desc.ParseDep(text); before.satisfier(d) != nil && after.satisfier(d) == nil {
					t.Fatalf("%s loses %s", p.Name, text)
				}
			}
		}
	})
}
