// SPDX-License-Identifier: GPL-3.0-or-later

package pacman_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rastos/rastos/internal/testkit"
)

// operation is an operation with options, and several lists of targets.
type operation struct {
	name, options string
	targets       []string
	reads         bool // it changes nothing: one root does for all
}

// changing are options of what changes the system, each up to the next bar.
const changing = "-d|-dd|--dbonly|--noscriptlet|-p|--print-format %n:%s|--ask 7"

const installing = changing + "|--assume-installed nothing=3|--needed|--asdeps|--asexplicit|-w|--overwrite *|--ignore lib|--ignoregroup tools|--ignore *"

func operations() []operation {
	return []operation{
		{"-S", installing + "|-u|-uu|-y|-yy|-c|-cc|-i|-ii|-g|-gg|-l|-q|-s", []string{"", "lib", "tools scr conf", "broken t1"}, false},
		{"-U", installing, []string{"core/lib-2-1-any.pkg.tar.zst", "core/scr-2-1-any.pkg.tar.zst core/clash-1-1-any.pkg.tar.zst", "core/broken-1-1-any.pkg.tar.zst",
			"packages/lib-1-1-any.pkg.tar.zst core/conf-2-1-any.pkg.tar.zst"}, false},
		{"-R", changing + "|--assume-installed lib=3|-c|-n|-s|-ss|-u", []string{"lib", "app scr", "chain3 conf", "tools", "held"}, false},
		{"-D", "-k|-kk|-q|--asdeps|--asexplicit|--noconfirm|-p|-v", []string{"", "app", "nope lib", "app app", "tools"}, false},
		{"-F", "-l|-x|-q|-y|-yy|--machinereadable|--noconfirm|-v", []string{"", "app", "usr/bin/app /usr/bin/t1", "^usr/bin/t.$", "extra/lib", "nope", "lib-tool"}, false},
		{"-T", "-q|-v|--noconfirm", []string{"", "app", "lib>=2 nope", "company virt", "app=1-1 app>1 oldname<9", "tools", "local/app"}, true},
		{"-Q", "-c|-d|-e|-g|-i|-ii|-k|-kk|-l|-m|-n|-o|-p|-q|-s|-t|-tt|-u", []string{"", "app lib", "tools", "core/lib-2-1-any.pkg.tar.zst", "root/usr/bin/app", "nope"}, true},
	}
}

// lines are the command lines with up to so many options.
func (o operation) lines(most int) (lines []string) {
	options := strings.Split(o.options, "|")
	var with func(line string, from, most int)
	with = func(line string, from, most int) {
		for _, target := range o.targets {
			lines = append(lines, strings.TrimSpace(line+" "+target))
		}
		for i := from; i < len(options) && most > 0; i++ {
			with(line+" "+options[i], i, most-1)
		}
	}
	with(o.name, 0, most)
	return lines
}

// hold lets both programs take the command lines of an operation.
func (c *changes) hold(o operation, most int) {
	c.t.Helper()
	lines := o.lines(most)
	if o.reads {
		c.fresh()
		for _, line := range lines {
			c.same(strings.Fields(line)...)
		}
	} else {
		for _, line := range lines {
			c.both(step{"y\ny\ny\ny\n", line})
		}
	}
	c.t.Logf("%s: %d command lines", o.name, len(lines))
}

// TestOptionsAsPacman gives each option to each operation that has it.
func TestOptionsAsPacman(t *testing.T) {
	c := newChanges(t)
	time.Local = time.UTC
	for _, o := range operations() {
		c.hold(o, 1)
	}
}

// TestPairsOfOptionsAsPacman gives two at once, and three where that is quick.
func TestPairsOfOptionsAsPacman(t *testing.T) {
	testkit.Soak(t)
	c := newChanges(t)
	time.Local = time.UTC
	for _, o := range operations() {
		most := 2
		if slices.Contains([]string{"-Q", "-F", "-T"}, o.name) {
			most = 3
		}
		c.hold(o, most)
	}
}
