// SPDX-License-Identifier: GPL-3.0-or-later

package differential_test

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// shape is what a package has, by path: lines of a pkg statement.
type shape map[string][]string

func (s shape) sorted() []string { return slices.Sorted(maps.Keys(s)) }

// plain tells whether there is a file, with one name, or a directory at path.
func (s shape) plain(path string) bool {
	for _, line := range s {
		if line[0] == "h" && line[2] == path {
			return false
		}
	}
	return s[path][0] == "f" || s[path][0] == "d"
}

// set puts an entry where nothing of the package is in its way.
func (s shape) set(line ...string) {
	path := strings.TrimSuffix(line[1], "/")
	for other := range s {
		plain := strings.TrimSuffix(other, "/")
		if other != line[1] && plain == path || line[0] != "d" && strings.HasPrefix(other, path+"/") ||
			s[other][0] != "d" && strings.HasPrefix(path, plain+"/") {
			return
		}
	}
	s[line[1]] = line
}

// slot is a place that packages may have something at.
type slot struct {
	percent int
	lines   []string // one of them
}

// slots are the places of a package. N is its name, T some text, M a mode of a
// file and D one of a directory; common paths are in the way of each other.
func slots() []slot {
	return []slot{
		{60, []string{"f etc/N.conf M 0:0 T"}}, {15, []string{"f etc/N.d/one 0640 0:0 T"}}, {6, []string{"f etc/common.conf 0644 0:0 T"}},
		{5, []string{"l etc/N.link N.conf"}},
		{70, []string{"f usr/bin/N M 0:0 T"}}, {15, []string{"h usr/bin/N2 usr/bin/N", "l usr/bin/N2 N", "f usr/bin/N2 0755 0:0 T"}},
		{30, []string{"d usr/share/N/ D 0:0", "f usr/share/N 0644 0:0 T", "l usr/share/N common", "f usr/share/N/data M 1:2 T"}},
		{20, []string{"f usr/share/N/sub/deep 0644 0:0 T", "d usr/share/N/sub/ D 3:3", "l usr/share/N/sub ../common", "f usr/share/N/sub 0600 0:0 T"}},
		{12, []string{"f usr/share/common/one 0644 0:0 T", "f usr/share/common/two 0644 0:0 T", "f usr/share/common/three 0644 0:0 T"}},
		{10, []string{"f usr/lib/thing M 0:0 T", "d usr/lib/thing/ D 0:0", "l usr/lib/thing ../share/common", "f usr/lib/thing/x 0644 0:0 T"}},
		{15, []string{"f usr/lib/libN.so.1 0755 0:0 T"}}, {15, []string{"l usr/lib/libN.so libN.so.1"}},
		{6, []string{"l opt/way ../usr/share/common", "f opt/way/one 0644 0:0 T", "d opt/way/ D 0:0"}},
		{10, []string{"d var/lib/N/ D 5:5", "f var/lib/N/state 0600 5:5 T"}}, {20, []string{"f usr/share/doc/N/README 0644 0:0 T"}},
		{8, []string{"h usr/share/doc/N/COPY usr/share/doc/N/README"}},
	}
}

func (g *generator) shape(name string) shape {
	s := shape{}
	for _, sl := range slots() {
		if g.chance(sl.percent) {
			s.set(g.entry(name, sl)...)
		}
	}
	return g.whole(s)
}

// entry is what a package has in a slot.
func (g *generator) entry(name string, sl slot) []string {
	line := strings.Fields(g.pick(sl.lines...))
	for i, w := range line {
		switch {
		case w == "T":
			line[i] = "text" + strconv.Itoa(g.IntN(4))
		case w == "M":
			line[i] = g.pick("0644", "0755", "0600", "04755", "0755", "0644", "0444")
		case w == "D":
			line[i] = g.pick("0755", "0755", "0700", "01777", "02775")
		case i > 0:
			line[i] = strings.ReplaceAll(w, "N", name)
		}
	}
	return line
}

// mutate makes the next version of a package's files.
func (g *generator) mutate(name string) {
	s := maps.Clone(g.shapes[name])
	for _, path := range s.sorted() {
		line := slices.Clone(s[path])
		switch {
		case g.chance(8):
			delete(s, path)
			continue
		case line[0] == "f" && g.chance(60):
			line[4] = "text" + strconv.Itoa(g.IntN(6))
		case line[0] == "f" && g.chance(10):
			line[2] = "0640"
		}
		s[path] = line
	}
	for _, sl := range slots() {
		if g.chance(sl.percent / 5) {
			s.set(g.entry(name, sl)...)
		}
	}
	for _, path := range s.sorted() {
		if g.chance(4) { // something else instead
			delete(s, path)
			plain := strings.TrimSuffix(path, "/")
			s.set(strings.Fields(g.pick("f "+plain+" 0644 0:0 text9", "d "+plain+"/ 0755 0:0", "l "+plain+" somewhere", "f "+plain+"/in 0644 0:0 text9"))...)
		}
	}
	g.shapes[name] = g.whole(s)
}

// whole takes out hard links to what is no file of the package.
func (g *generator) whole(s shape) shape {
	for path, line := range s {
		if line[0] == "h" && (s[line[2]] == nil || s[line[2]][0] != "f") {
			delete(s, path)
		}
	}
	return s
}
