// SPDX-License-Identifier: GPL-3.0-or-later

package declare

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/solve"
)

// world is a system of packages that changes are run in, without files.
type world struct {
	t         *rapid.T
	repos     []solve.Repo
	installed map[string]*desc.Package
}

var letters = strings.Split("abcdefghijkl", "")

// draw makes two repositories. Each package can be installed: what it needs is
// there, and comes before it by name, as in a repository that somebody tested.
func draw(t *rapid.T, conflicts bool) *world {
	w := &world{t: t, installed: map[string]*desc.Package{}}
	lists := map[string][]*desc.Package{}
	var before []string
	for _, name := range letters {
		repo := rapid.SampledFrom([]string{"core", "extra"}).Draw(t, "repository of "+name)
		p := &desc.Package{Name: name, Version: fmt.Sprint(rapid.IntRange(1, 3).Draw(t, "version")), Arch: "any"}
		if len(before) > 0 {
			p.Depends = rapid.SliceOfN(rapid.SampledFrom(before), 0, 3).Draw(t, "depends")
		}
		if v := rapid.SampledFrom([]string{"", "", "v1", "v2"}).Draw(t, "provides"); v != "" {
			p.Provides = []string{v}
			before = append(before, v)
		}
		if g := rapid.SampledFrom([]string{"", "", "g1", "g2"}).Draw(t, "group"); g != "" {
			p.Groups = []string{g}
		}
		if conflicts && len(before) > 0 && rapid.IntRange(0, 4).Draw(t, "conflicting") == 0 {
			p.Conflicts = []string{rapid.SampledFrom(before).Draw(t, "conflicts")}
		}
		before = append(before, name)
		lists[repo] = append(lists[repo], p)
	}
	w.repos = reposOf(lists, "core", "extra")
	return w
}

func (w *world) universe() Universe {
	var list []*desc.Package
	for _, name := range slices.Sorted(maps.Keys(w.installed)) {
		list = append(list, w.installed[name])
	}
	return Universe{Installed: list, Repos: func() ([]solve.Repo, error) { return w.repos, nil }}
}

func (w *world) declaration(what string) Declaration {
	names := slices.Concat(letters, []string{"v1", "v2", "g1", "g2"})
	known := func(name string) bool {
		return slices.ContainsFunc(w.repos, func(r solve.Repo) bool {
			return r.DB.Package(name) != nil || len(r.DB.Providers(name)) > 0 || len(r.DB.Group(name)) > 0
		})
	}
	names = slices.DeleteFunc(names, func(n string) bool { return !known(n) })
	return Declaration{
		Targets: rapid.SliceOfNDistinct(rapid.SampledFrom(names), 0, 5, rapid.ID[string]).Draw(w.t, what),
		Hold:    rapid.SampledFrom([][]string{nil, nil, {"a"}, {"[bc]"}}).Draw(w.t, what+" holds"),
	}
}

// run does what the engine does with a request.
func (w *world) run(c *Change) error {
	u := w.universe()
	sol, err := solve.Solve(solve.Universe{Repos: w.repos, Installed: u.Installed},
		solve.Request{Targets: c.Targets, Remove: c.Remove, SysUpgrade: c.Upgrade, Needed: true, Answer: c.Answer})
	if err != nil {
		return err
	}
	before := slices.Sorted(maps.Keys(w.installed))
	for _, rm := range sol.Remove {
		delete(w.installed, rm.Package.Name)
	}
	for _, in := range sol.Install {
		p := *in.Package
		p.Reason = in.Reason
		w.installed[p.Name] = &p
	}
	for _, name := range before {
		if gone := slices.Contains(c.Gone, name); gone == (w.installed[name] != nil) {
			return fmt.Errorf("%s is gone: %v, and that is wrong", name, gone)
		}
	}
	for name, reason := range c.Reasons {
		if w.installed[name] == nil {
			return fmt.Errorf("a reason for %s, which is not there", name)
		}
		p := *w.installed[name]
		p.Reason = reason
		w.installed[name] = &p
	}
	return nil
}

// reach goes to a declaration and checks that it is arrived there. It reports
// whether there is a way.
func (w *world) reach(d Declaration, o Options) bool {
	c, err := Work(w.universe(), d, o)
	if err != nil {
		return false
	}
	if err := w.run(c); err != nil {
		w.t.Fatalf("%+v: the engine refuses %s: %v", d, show(c), err)
	}
	again, err := Work(w.universe(), d, Options{})
	if err != nil || !again.Empty() {
		w.t.Fatalf("%+v: %s ran, and then there is still %s (%v); installed: %v", d, show(c), show(again), err, slices.Sorted(maps.Keys(w.installed)))
	}
	w.whole(d)
	return true
}

// whole checks that nothing lacks what it needs, and that nothing is there that
// is neither declared, held nor needed.
func (w *world) whole(d Declaration) {
	u := w.universe()
	for _, p := range u.Installed {
		for _, text := range p.Depends {
			if !slices.ContainsFunc(u.Installed, func(q *desc.Package) bool { return q.Satisfies(desc.ParseDep(text)) }) {
				w.t.Fatalf("%s lacks %s", p.Name, text)
			}
		}
		for _, q := range u.Installed {
			if p != q && slices.ContainsFunc(p.Conflicts, func(text string) bool { return q.Satisfies(desc.ParseDep(text)) }) {
				w.t.Fatalf("%s and %s exclude each other, and both are there", p.Name, q.Name)
			}
		}
	}
	needed := solve.Needed(u.Installed, func(p *desc.Package) bool { return p.Reason == desc.Explicit || matches(d.Hold, p.Name) })
	if len(needed) != len(u.Installed) {
		w.t.Fatalf("%d packages are there, and %d are needed", len(u.Installed), len(needed))
	}
	for _, target := range d.Targets {
		meant := func(p *desc.Package) bool {
			return (p.Reason == desc.Explicit || matches(d.Hold, p.Name)) && (p.Satisfies(dependency(target)) || slices.Contains(p.Groups, target))
		}
		if !slices.ContainsFunc(u.Installed, meant) {
			w.t.Fatalf("%s is declared, and nothing that is there was asked for by it", target)
		}
	}
}

// TestAnyDeclarationLeadsToAnyOther: with packages that do not exclude each
// other, there is a way from each declaration to each, and at its end nothing
// is left to do.
func TestAnyDeclarationLeadsToAnyOther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := draw(t, false)
		for i := range rapid.IntRange(2, 4).Draw(t, "steps") {
			if !w.reach(w.declaration(fmt.Sprintf("declaration %d", i)), Options{Upgrade: rapid.Bool().Draw(t, "upgrade")}) {
				t.Fatal("there is no way")
			}
		}
	})
}

// TestConflictsAreOvercome: where a declaration can be met at all, it can be
// met from any state that another one led to.
func TestConflictsAreOvercome(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := draw(t, true)
		for i := range rapid.IntRange(2, 4).Draw(t, "steps") {
			d := w.declaration(fmt.Sprintf("declaration %d", i))
			d.Hold = nil
			fresh := &world{t: t, repos: w.repos, installed: map[string]*desc.Package{}}
			if fresh.reach(d, Options{}) && !w.reach(d, Options{}) {
				_, err := Work(w.universe(), d, Options{})
				t.Fatalf("%+v can be met, and not from %v: %v", d, slices.Sorted(maps.Keys(w.installed)), err)
			}
		}
	})
}
