// SPDX-License-Identifier: GPL-3.0-or-later

package pacman

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/internal/pacman/cmdline"
	"github.com/rastos/rastos/internal/pacman/show"
)

// line is one package of a plan as it is shown.
type line struct {
	repo         string
	install, old *desc.Package // the latter alone: a removal
	download     int64
	explicit     bool
}

func (l line) name() string {
	if l.install != nil {
		return l.install.Name
	}
	return l.old.Name
}

// lines are the packages of the plan, those that nobody asked for first.
func (t *transaction) lines() []line {
	var out []line
	for i := range t.plan.Install {
		st := &t.plan.Install[i]
		out = append(out, line{
			repo: st.Repo, install: st.Package, old: t.local.Package(st.Package.Name), download: st.Download, explicit: t.explicit(st),
		})
	}
	for _, rm := range t.plan.Remove {
		out = append(out, line{old: rm.Package, explicit: rm.Cause == "requested"})
	}
	slices.SortStableFunc(out, func(a, b line) int {
		if a.explicit != b.explicit {
			if a.explicit {
				return 1
			}
			return -1
		}
		return cmp.Compare(a.name(), b.name())
	})
	return out
}

// showPlan shows what will happen.
func (t *transaction) showPlan() {
	list := t.lines()
	var installed, removed, download int64
	for _, l := range list {
		if l.install != nil {
			installed += l.install.InstalledSize
			download += l.download
		}
		if l.old != nil {
			removed += l.old.InstalledSize
		}
	}
	t.print("\n")
	if !t.conf.VerbosePkgLists || !t.planTable(list) {
		t.planList(list, installed == 0)
	}
	t.print("\n")
	t.totals(installed, removed, download)
}

func (t *transaction) planList(list []line, onlyRemovals bool) {
	var names []string
	for _, l := range list {
		p, mark := l.install, ""
		if p == nil {
			p = l.old
			if !onlyRemovals {
				mark = " " + t.tint.Off + "[removal]"
			}
		}
		text := p.Name + t.tint.Faint + "-" + p.Version + t.tint.Off
		if mark != "" {
			text = p.Name + t.tint.Faint + "-" + p.Version + mark + t.tint.Off
		}
		names = append(names, text)
	}
	t.page().List(fmt.Sprintf("Packages (%d)", len(list)), names)
}

// planTable is the list as a table; false where it does not fit.
func (t *transaction) planTable(list []line) bool {
	heading := []show.Cell{{Text: fmt.Sprintf("Package (%d)", len(list)), Title: true}}
	for _, text := range []string{"Old Version", "New Version", "Net Change", "Download Size"} {
		heading = append(heading, show.Cell{Text: text, Title: true})
	}
	var rows [][]show.Cell
	for _, l := range list {
		name, old, new, net, size := l.name(), "", "", int64(0), ""
		if l.repo != "" {
			name = l.repo + "/" + name
		}
		if l.old != nil {
			old, net = l.old.Version, -l.old.InstalledSize
		}
		if l.install != nil {
			new, net = l.install.Version, net+l.install.InstalledSize
		}
		if l.install != nil && l.download != 0 {
			size = show.Size(l.download, 'M')
		}
		rows = append(rows, []show.Cell{
			{Text: name}, {Text: old}, {Text: new}, {Text: show.Size(net, 'M'), Right: true}, {Text: size, Right: true},
		})
	}
	ok := t.page().Table(heading, rows)
	if !ok {
		t.warnf("insufficient columns available for table display")
	}
	return ok
}

// totals are the sums below a plan.
func (t *transaction) totals(installed, removed, download int64) {
	var rows [][]show.Cell
	add := func(title string, bytes int64) {
		rows = append(rows, []show.Cell{{Text: title, Title: true}, {Text: show.Size(bytes, 'M'), Right: true}})
	}
	if download > 0 || t.opt.DownloadOnly {
		add("Total Download Size:", download)
	}
	if !t.opt.DownloadOnly {
		if installed > 0 {
			add("Total Installed Size:", installed)
		}
		if removed > 0 && installed == 0 {
			add("Total Removed Size:", removed)
		}
		if installed > 0 && removed > 0 {
			add("Net Upgrade Size:", installed-removed)
		}
	}
	t.page().Table(nil, rows)
}

// printStep is -p of an installation.
func (t *transaction) printStep(st *trans.Step) {
	size := st.Download
	if t.opt.Op == cmdline.OpUpgrade {
		size = st.Package.CompressedSize
	}
	repo := st.Repo
	if repo == "" {
		repo = "local"
	}
	t.printPackage(st.Package, t.location(st), repo, size)
}

// printRemoval is -p of a removal.
func (t *transaction) printRemoval(p *desc.Package) {
	t.printPackage(p, p.Name+"-"+p.Version, "local", p.InstalledSize)
}

func (t *transaction) printPackage(p *desc.Package, location, repo string, size int64) {
	text := t.opt.PrintFormat
	if text == "" {
		text = "%l"
	}
	for _, r := range [][2]string{
		{"%n", p.Name}, {"%v", p.Version}, {"%l", location}, {"%r", repo}, {"%s", strconv.FormatInt(size, 10)},
	} {
		text = strings.ReplaceAll(text, r[0], r[1])
	}
	t.print(text, "\n")
}

// location is where the archive of a step is or comes from.
func (t *transaction) location(st *trans.Step) string {
	if st.File != "" {
		if name, ok := t.given[st.File]; ok {
			return name
		}
		return st.File
	}
	if st.Download == 0 {
		for _, dir := range t.conf.CacheDirs {
			path := filepath.Join(dir, st.Package.Filename)
			if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
				return "file://" + path
			}
		}
	}
	if r := t.conf.Repo(st.Repo); r != nil && len(r.Servers) > 0 {
		return r.Servers[0] + "/" + st.Package.Filename
	}
	return st.Package.Filename
}
