// SPDX-License-Identifier: GPL-3.0-or-later

package differential_test

import (
	"strconv"
	"strings"
)

// edits are what a person does to files.
func (g *generator) edits(n int) {
	for range n {
		path := strings.TrimSuffix(g.pick(g.paths...), "/")
		if g.chance(15) {
			path += g.pick(".pacnew", ".pacsave", ".pacsave.1", "/stray", "/.hidden")
		}
		switch g.IntN(8) {
		case 0:
			g.add("remove", path)
		case 1:
			g.add("mkdir", path, g.pick("0755", "0700"))
		case 2:
			g.add("link", path, g.pick("nowhere", "etc", "."))
		default:
			g.add("write", path, g.pick("0644", "0600", "0755"), g.pick("mine", "text"+strconv.Itoa(g.IntN(6))))
		}
	}
}

// option adds an option to a command, so many times in a hundred.
type option struct {
	percent int
	text    func() string
}

func (g *generator) options(list []option) (out string) {
	for _, o := range list {
		if g.chance(o.percent) {
			out += " " + o.text()
		}
	}
	return out
}

func text(s string) func() string { return func() string { return s } }

// change is a command that changes the system.
func (g *generator) change() {
	common := g.options([]option{
		{4, text("--noscriptlet")}, {3, text("--dbonly")}, {6, text("-d")}, {4, text("-dd")},
		{15, text("--ask 4")}, {4, text("--ask 1")}, {4, text("--ask 16")}, {3, func() string { return "--assume-installed " + g.relation() }},
	})
	install := g.options([]option{
		{10, text("--needed")}, {8, text("--asdeps")}, {8, text("--asexplicit")}, {25, text("--overwrite *")},
		{8, func() string { return "--overwrite " + g.pick(g.paths...) }}, {6, func() string { return "--ignore " + g.pick(g.names...) }},
		{4, text("--ignoregroup odd")},
	})
	n := 1 + g.IntN(2)
	switch kind := g.IntN(100); {
	case kind < 30:
		g.add("run", g.pick("-Su", "-Su", "-Su", "-Suu")+common+install, g.options([]option{{25, func() string { return g.some(g.names, n) }}}))
	case kind < 50:
		g.add("run -S"+common+install, g.options([]option{
			{85, func() string { return g.some(g.names, n) }}, {10, g.relation}, {15, text("all")}, {10, func() string { return g.pick("core/", "extra/") + g.pick(g.names...) }},
		}))
	case kind < 68:
		var files []string
		for _, name := range strings.Fields(g.some(g.names, n)) {
			files = append(files, "@"+g.pick(g.versions[name]...))
		}
		g.add("run -U"+common+install, strings.Join(files, " "))
	case kind < 95:
		g.add("run -R"+g.options([]option{{25, text("-s")}, {8, text("-s")}, {20, text("-c")}, {25, text("-n")}, {8, text("-u")}})+common,
			g.pick(g.names...), g.options([]option{{8, text("odd")}, {15, func() string { return g.pick(g.names...) }}}))
	default:
		g.add("run -D", g.pick("--asdeps", "--asexplicit"), g.pick(g.names...))
	}
}
