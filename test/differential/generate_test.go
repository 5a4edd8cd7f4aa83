// SPDX-License-Identifier: GPL-3.0-or-later

package differential_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// generator makes up a story.
type generator struct {
	*rand.Rand
	story story
	names []string
	// versions are the archives of each package, oldest first.
	versions map[string][]string
	shapes   map[string]shape
	paths    []string // of all packages
}

// generate makes up the story of a seed.
func generate(seed uint64) story {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 3)), versions: map[string][]string{}, shapes: map[string]shape{}}
	g.names = []string{"a", "b", "c", "d", "e", "f"}[:3+g.IntN(4)]
	for _, name := range g.names {
		chain := g.chain()
		g.shapes[name] = g.shape(name)
		for _, version := range chain {
			g.pack(name, version)
			g.mutate(name)
		}
	}
	g.settings()
	g.hooks()
	g.edits(g.IntN(3))
	g.publish(0)
	first := g.options([]option{{50, func() string { return "--overwrite *" }}, {50, func() string { return "--ask 20" }}})
	g.add("run", "-S", first, g.some(g.names, 1+g.IntN(len(g.names))))
	for range 1 + g.IntN(4) {
		g.edits(g.IntN(5))
		if g.chance(60) {
			g.publish(1 + g.IntN(2))
		}
		g.change()
	}
	return g.story
}

func (g *generator) chance(percent int) bool { return g.IntN(100) < percent }

func (g *generator) pick(list ...string) string { return list[g.IntN(len(list))] }

// some are n of a list, with spaces between.
func (g *generator) some(list []string, n int) string {
	var out []string
	for _, i := range g.Perm(len(list))[:min(n, len(list))] {
		out = append(out, list[i])
	}
	return strings.Join(out, " ")
}

// add adds a statement of words, which may hold several each.
func (g *generator) add(words ...string) {
	g.story = append(g.story, statement{words: strings.Fields(strings.Join(words, " "))})
}

// chain are versions of a package, rising.
func (g *generator) chain() []string {
	all := []string{"1-1", "1-2", "1.1-1", "2rc1-1", "2-1", "2.a-1", "10-1", "1:0.5-1", "1:1-1"}
	at := g.Perm(len(all))[:1+g.IntN(3)]
	slices.Sort(at)
	var out []string
	for _, i := range at {
		out = append(out, all[i])
	}
	return out
}

// pack adds an archive.
func (g *generator) pack(name, version string) {
	st := statement{words: []string{"pkg", name, version}}
	for _, key := range []struct {
		name    string
		percent int
		value   func() string
	}{
		{"depends", 40, g.relation}, {"provides", 20, g.provision}, {"conflicts", 8, g.relation}, {"replaces", 8, g.relation},
		{"groups", 25, func() string { return g.pick("all", "odd") }}, {"optdepends", 10, g.relation},
	} {
		if !g.chance(key.percent) {
			continue
		}
		var values []string
		for range 1 + g.IntN(5)/4 {
			bare := func(v string) string { return strings.Split(v, "=")[0] }
			if v := key.value(); bare(v) != name && !slices.ContainsFunc(values, func(w string) bool { return bare(v) == bare(w) }) {
				values = append(values, v)
			}
		}
		if len(values) > 0 {
			st.words = append(st.words, key.name+"="+strings.Join(values, ","))
		}
	}
	sh := g.shapes[name]
	var keeps []string
	for _, path := range sh.sorted() {
		st.under = append(st.under, sh[path])
		g.paths = append(g.paths, path)
		if sh.plain(path) && (strings.HasPrefix(path, "etc/") && g.chance(75) || g.chance(3)) {
			keeps = append(keeps, strings.TrimSuffix(path, "/"))
		}
	}
	if len(keeps) > 0 {
		st.words = append(st.words, "backup="+strings.Join(keeps, ","))
	}
	if g.chance(30) {
		line := []string{"s"}
		for _, f := range []string{"pre_install", "post_install", "pre_upgrade", "post_upgrade", "pre_remove", "post_remove"} {
			if g.chance(60) {
				line = append(line, f)
			}
		}
		st.under = append(st.under, line)
		if len(line) > 1 && len(g.paths) > 0 && g.chance(15) {
			st.under = append(st.under, []string{"x", g.pick(line[1:]...), strings.TrimSuffix(g.pick(g.paths...), "/")})
		}
	}
	g.story = append(g.story, st)
	g.versions[name] = append(g.versions[name], name+"-"+version)
}

func (g *generator) relation() string {
	name := g.pick(g.names...)
	if g.chance(15) {
		name = "v" + strconv.Itoa(1+g.IntN(2))
	}
	if g.chance(10) {
		name += g.pick(">=", "=", "<", "<=", ">") + g.pick("1", "2", "1.1", "1:1")
	}
	return name
}

func (g *generator) provision() string {
	name := g.pick(append(g.names, "v1", "v2", "v1", "v2")...)
	if g.chance(50) {
		name += "=" + g.pick("1", "2", "1.1")
	}
	return name
}

// settings are lines of pacman.conf.
func (g *generator) settings() {
	for _, o := range []struct {
		percent int
		key     string
		value   func() string
	}{
		{8, "IgnorePkg", func() string { return g.pick(g.names...) }},
		{5, "IgnoreGroup", func() string { return "odd" }},
		{5, "HoldPkg", func() string { return g.pick(g.names...) }},
		{15, "NoUpgrade", g.pattern}, {15, "NoExtract", g.pattern},
		{5, "VerbosePkgLists", nil}, {5, "CheckSpace", nil},
	} {
		switch {
		case !g.chance(o.percent):
		case o.value == nil:
			g.add("conf", o.key)
		default:
			g.add("conf", o.key, o.value())
		}
	}
}

// pattern is one of paths.
func (g *generator) pattern() string {
	path := g.pick(g.paths...)
	switch g.IntN(4) {
	case 0:
		return path
	case 1:
		return path + " !" + g.pick(g.paths...)
	case 2:
		return g.pick("etc/*", "usr/share/*", "usr/bin/?", "usr/share/doc/* !usr/share/doc/a/*")
	}
	return path + "*"
}

func (g *generator) hooks() {
	for i := range g.IntN(3) {
		if g.chance(60) {
			continue
		}
		kind, target := "Path", g.pick("usr/bin/*", "etc/*", "usr/share/*", g.pick(g.paths...))
		if g.chance(50) {
			kind, target = "Package", g.pick("*", g.pick(g.names...))
		}
		words := []string{"hook", fmt.Sprintf("%d0-it", i), "Type=" + kind, "Target=" + target, "When=" + g.pick("PreTransaction", "PostTransaction"),
			"Operation=" + g.pick("Install", "Upgrade", "Remove", "Install,Upgrade", "Install,Upgrade,Remove")}
		if g.chance(60) {
			words = append(words, "NeedsTargets")
		}
		if g.chance(20) {
			words = append(words, "Depends="+g.pick(g.names...))
		}
		if len(g.paths) > 0 && g.chance(8) {
			words = append(words, "Removes="+strings.TrimSuffix(g.pick(g.paths...), "/"))
		}
		g.add(words...)
	}
}

// publish makes the repositories hold the nth version of most packages.
func (g *generator) publish(n int) {
	var core, extra []string
	for _, name := range g.names {
		list := g.versions[name]
		at := min(max(n-g.IntN(2), 0), len(list)-1)
		switch {
		case g.chance(8):
		case g.chance(75):
			core = append(core, list[at])
			if g.chance(10) {
				extra = append(extra, list[len(list)-1])
			}
		default:
			extra = append(extra, list[at])
		}
	}
	g.add("repo", "core", strings.Join(core, " "))
	g.add("repo", "extra", strings.Join(extra, " "))
}
