// SPDX-License-Identifier: GPL-3.0-or-later

package pacman_test

import (
	"strings"

	"github.com/rastos/rastos/alpm/desc"
)

func pkg(name, version string) desc.Package { return desc.Package{Name: name, Version: version} }

// with makes a package of a name and version and "field=value" words.
func with(name, version string, words ...string) desc.Package {
	p := pkg(name, version)
	for _, w := range words {
		key, value, _ := strings.Cut(w, ":")
		switch key {
		case "needs":
			p.Depends = append(p.Depends, value)
		case "gives":
			p.Provides = append(p.Provides, value)
		case "against":
			p.Conflicts = append(p.Conflicts, value)
		case "for":
			p.Replaces = append(p.Replaces, value)
		case "group":
			p.Groups = append(p.Groups, value)
		case "keeps":
			p.Backup = append(p.Backup, desc.Backup{Path: value})
		case "may":
			p.OptDepends = append(p.OptDepends, value)
		case "arch":
			p.Arch = value
		}
	}
	return p
}

const talking = `
pre_install() { echo "before $1"; }
post_install() { echo "after $1"; }
pre_upgrade() { echo "from $2 to $1"; }
post_upgrade() { echo "now $1"; echo twice; }
pre_remove() { echo "goodbye $1"; }
post_remove() { echo "gone"; false; }
`

// changeRepos are the repositories of a changes.
func changeRepos() map[string][]recipe {
	file := func(path, text string) map[string]string { return map[string]string{path: text} }
	return map[string][]recipe{
		"core": {
			{Package: with("app", "2-1", "needs:lib>=2", "may:extra-docs: to read", "may:lib"), files: file("usr/bin/app", "app 2")},
			{Package: with("lib", "2-1", "group:tools"), files: file("usr/lib/lib", strings.Repeat("lib", 9000))},
			{Package: with("t1", "1-1", "group:tools"), files: file("usr/bin/t1", "1")},
			{Package: with("t2", "1-1", "group:tools"), files: file("usr/bin/t2", "2")},
			{Package: with("user", "1-1", "needs:virt"), files: file("usr/bin/user", "u")},
			{Package: with("p1", "1-1", "gives:virt"), files: file("usr/bin/p1", "1")},
			{Package: with("foe", "1-1", "against:friend"), files: file("usr/bin/foe", "f")},
			{Package: with("rival", "1-1", "against:company"), files: file("usr/bin/rival", "r")},
			{Package: with("newname", "2-1", "for:oldname", "against:oldname", "gives:oldname=2"), files: file("usr/bin/name", "new")},
			{Package: with("ign", "2-1"), files: file("usr/bin/ign", "2")},
			{Package: with("conf", "2-1", "keeps:etc/conf", "keeps:etc/mine"), files: map[string]string{"etc/conf": "2\n", "etc/mine": "2\n"}},
			{Package: with("scr", "2-1"), install: talking, files: file("usr/bin/scr", "2")},
			{Package: with("down", "1-1"), files: file("usr/bin/down", "1")},
			{Package: with("clash", "1-1"), files: map[string]string{"usr/bin/stray": "c", "usr/bin/lib-tool": "c"}},
			{Package: with("twin1", "1-1"), files: file("usr/share/twin", "1")},
			{Package: with("twin2", "1-1"), files: file("usr/share/twin", "2")},
			{Package: with("broken", "1-1", "needs:sub")},
			{Package: with("sub", "1-1", "needs:nothing>=3")},
			{Package: with("alien", "1-1", "arch:m68k")},
			{Package: with("ring1", "1-1", "needs:ring2")},
			{Package: with("ring2", "1-1", "needs:ring1")},
			{Package: with("mode", "1-1"), files: map[string]string{"usr/": "", "usr/odd/": "", "usr/odd/file": "x"}},
			{Package: with("enemy1", "1-1", "against:enemy2")},
			{Package: with("enemy2", "1-1")},
			{Package: with("stale", "2-1", "needs:lib=1")},
		},
		"extra": {
			{Package: with("p2", "1-1", "gives:virt"), files: file("usr/bin/p2", "2")},
			{Package: with("t3", "1-1", "group:tools", "needs:t1"), files: file("usr/bin/t3", "3")},
			{Package: with("lib", "3-1"), files: file("usr/lib/lib", "3")},
			{Package: with("extra-docs", "1-1"), files: file("usr/share/doc/x", "x")},
		},
	}
}

// changeInstalled are what the root begins with.
func changeInstalled() []recipe {
	file := func(path, text string) map[string]string { return map[string]string{path: text} }
	return []recipe{
		{Package: with("app", "1-1", "needs:lib"), files: file("usr/bin/app", "app 1")},
		{Package: with("lib", "1-1"), files: map[string]string{"usr/lib/lib": "1", "usr/bin/lib-tool": "t"}},
		{Package: with("friend", "1-1", "gives:company"), files: file("usr/bin/friend", "f")},
		{Package: with("oldname", "1-1"), files: file("usr/bin/name", "old")},
		{Package: with("ign", "1-1"), files: file("usr/bin/ign", "1")},
		{Package: with("conf", "1-1", "keeps:etc/conf", "keeps:etc/mine"), files: map[string]string{"etc/conf": "1\n", "etc/mine": "1\n"}},
		{Package: with("scr", "1-1"), install: talking, files: file("usr/bin/scr", "1")},
		{Package: with("down", "2-1"), files: file("usr/bin/down", "2")},
		{Package: with("t2", "1-1", "may:extra-docs: to read"), files: file("usr/bin/t2", "2")},
		{Package: with("chain1", "1-1", "needs:chain2")},
		{Package: with("chain2", "1-1", "needs:chain3")},
		{Package: with("chain3", "1-1", "may:friend")},
		{Package: with("held", "1-1"), files: file("usr/bin/held", "h")},
	}
}
