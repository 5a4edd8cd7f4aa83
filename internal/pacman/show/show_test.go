// SPDX-License-Identifier: GPL-3.0-or-later

package show_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/internal/pacman/show"
)

func TestSize(t *testing.T) {
	for _, c := range []struct {
		bytes int64
		unit  byte
		want  string
	}{{0, 0, "0.00 B"}, {2048, 0, "2048.00 B"}, {2049, 0, "2.00 KiB"}, {5 << 20, 0, "5.00 MiB"}, {-1, 'M', "0.00 MiB"}, {-3 << 20, 'M', "-3.00 MiB"}, {1500, 'K', "1.46 KiB"}, {3 << 40, 0, "3.00 TiB"}} {
		if got := show.Size(c.bytes, c.unit); got != c.want {
			t.Errorf("%d: %s, want %s", c.bytes, got, c.want)
		}
	}
}

func draw(columns int, f func(show.Page)) string {
	var out strings.Builder
	f(show.Page{Out: &out, Columns: columns})
	return out.String()
}

func TestFolding(t *testing.T) {
	for _, c := range []struct {
		columns int
		draw    func(show.Page)
		want    string
	}{
		{20, func(p show.Page) { p.Text("Name :", "a few words to fold") }, "Name : a few words\n       to fold\n"},
		{0, func(p show.Page) { p.Text("Name :", "a few words to fold") }, "Name : a few words to fold\n"},
		{5, func(p show.Page) { p.Text("Name :", "a few words") }, "Name : a few words\n"},
		{80, func(p show.Page) { p.Text("Name :", "") }, "Name : None\n"},
		{80, func(p show.Page) { p.Text("N :", "two  blanks, one after ") }, "N : two blanks, one after \n"},
		{18, func(p show.Page) { p.List("Deps :", []string{"one", "two", "three"}) }, "Deps : one  two\n       three\n"},
		{80, func(p show.Page) { p.List("Deps :", nil) }, "Deps : None\n"},
		{80, func(p show.Page) { p.Lines("Opt :", []string{"one", "two"}) }, "Opt : one\n      two\n"},
		{80, func(p show.Page) { p.Lines("Opt :", nil) }, "Opt : None\n"},
	} {
		if diff := cmp.Diff(c.want, draw(c.columns, c.draw)); diff != "" {
			t.Errorf("%d columns: %s", c.columns, diff)
		}
	}
}

func TestInfo(t *testing.T) {
	p := &desc.Package{Name: "a", Version: "1-1", Arch: "any", Depends: []string{"b>=1"}, SHA256: "00", CompressedSize: 3 << 20, InstalledSize: 5 << 20}
	got := draw(0, func(page show.Page) {
		page.Info(show.Info{Package: p, Origin: show.Repository, Repo: "core", Zone: time.UTC})
	})
	for _, want := range []string{"Repository      : core\n", "Depends On      : b>=1\n", "Download Size   : 3.00 MiB\n", "Installed Size  : 5.00 MiB\n",
		"Build Date      : Thu Jan  1 00:00:00 1970\n", "Validated By    : SHA-256 Sum\n\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("it lacks %q:\n%s", want, got)
		}
	}
}
