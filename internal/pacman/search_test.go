// SPDX-License-Identifier: GPL-3.0-or-later

package pacman

import (
	"slices"
	"strings"
	"testing"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/syncdb"
)

// TestWordsOfASearch: what is looked for first is in all that matches.
func TestWordsOfASearch(t *testing.T) {
	packages := []*desc.Package{
		{Name: "linux-headers", Description: "Headers of the kernel"},
		{Name: "Libc++", Description: "a C++ library", Provides: []string{"libc++abi=3"}},
		{Name: "gtk3", Description: "\u212aelvin \u017fcale, \u00c4rger", Groups: []string{"gnome-Extra"}},
		{Name: "a.b", Description: "a.b"},
	}
	for expr, want := range map[string]string{
		"linux": "linux", "LINUX.*Head": "linux", "^lib": "lib", "c++": "c", "g?tk(3|4)": "tk", "kelvin": "kelvin", "scale": "scale",
		"(headers)+": "headers", "[abc]+": "", "a|b": "", "": "", ".": "", `a\.b`: "", "\u00e4rger": "rger", "gnome-extra": "gnome-extra", "x{2}": "x",
	} {
		f, err := newFinder([]string{expr})
		if err != nil {
			t.Fatal(err)
		}
		if got := f.words[0]; got != want {
			t.Errorf("%q: looked for by %q, want %q", expr, got, want)
		}
		for _, p := range packages {
			text := syncdb.Fold(strings.Join(slices.Concat([]string{p.Name, p.Description}, p.Provides, p.Groups), "\n"))
			if f.matches(p) && !strings.Contains(text, f.words[0]) {
				t.Errorf("%q: %s matches and has no %q", expr, p.Name, f.words[0])
			}
		}
	}
}
