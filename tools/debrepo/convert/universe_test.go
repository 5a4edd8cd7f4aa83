// SPDX-License-Identifier: GPL-3.0-or-later

package convert

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/tools/debrepo/debian"
)

func source(t *testing.T, control, postinst string) *Source {
	t.Helper()
	all, err := debian.ReadParagraphs(strings.NewReader(control))
	if err != nil || len(all) != 1 {
		t.Fatalf("%d paragraphs, %v", len(all), err)
	}
	return &Source{
		Name:    all[0]["Package"],
		Control: &debian.Control{Paragraph: all[0], Scripts: map[string]string{"postinst": postinst}},
	}
}

func describe(t *testing.T, controls ...string) map[string]*desc.Package {
	t.Helper()
	var sources []*Source
	for _, text := range controls {
		sources = append(sources, source(t, text, ""))
	}
	u, err := NewUniverse(sources)
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]*desc.Package)
	for _, s := range sources {
		if all[s.Name], err = u.Describe(s); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func TestDescribeMapsFields(t *testing.T) {
	got := describe(t, `Package: libx1
Source: x (1.0)
Version: 1:1.0-2
Architecture: amd64
Maintainer: A B <a@b>
Homepage: https://x.example
Description: short text
 long text
`)["libx1"]
	want := &desc.Package{
		Name: "libx1", Base: "x", Version: "1:1.0-2", Description: "short text", URL: "https://x.example", Arch: "x86_64",
		Packager: "A B <a@b>", Licenses: []string{"custom"}, BuildDate: got.BuildDate,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestDependsTakesTheFirstAlternativeThatIsThere(t *testing.T) {
	got := describe(t,
		"Package: a\nVersion: 1\nPre-Depends: b (>= 1.5)\nDepends: gone | b, old (<< 1) | virt, left-out, virt (>= 2) | b, a-self\nProvides: a-self\n",
		"Package: b\nVersion: 2.0-1\n",
		"Package: c\nVersion: 1\nProvides: virt (= 3), plain\nDepends: b (= 2.0-1), plain\n",
		"Package: old\nVersion: 2\n",
	)
	for name, want := range map[string][]string{
		"a": {"b>=1.5", "b", "virt", "virt>=2"},
		"c": {"b=2.0-1"},
	} {
		if diff := cmp.Diff(want, got[name].Depends); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if diff := cmp.Diff([]string{"virt=3-1", "plain"}, got["c"].Provides); diff != "" {
		t.Error(diff)
	}
}

func TestConflictsOnlyWhereTheyMatter(t *testing.T) {
	got := describe(t,
		"Package: a\nVersion: 1\nProvides: mta\nConflicts: mta, b (<< 2), gone\nBreaks: c (<< 5), d\n",
		"Package: b\nVersion: 2\n",
		"Package: c\nVersion: 4\n",
		"Package: d\nVersion: 1\n",
		"Package: e\nVersion: 1\nConflicts: mta\nProvides: mta\n",
	)
	if diff := cmp.Diff([]string{"mta", "c<5", "d"}, got["a"].Conflicts); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"mta"}, got["e"].Conflicts); diff != "" {
		t.Error(diff)
	}
}

func TestReplacesOnlyWholePackages(t *testing.T) {
	got := describe(t,
		"Package: new\nVersion: 2\nConflicts: old, here\nReplaces: old (<< 2), files-only, here\n",
		"Package: here\nVersion: 1\n",
	)
	if diff := cmp.Diff([]string{"old<2"}, got["new"].Replaces); diff != "" {
		t.Error(diff)
	}
}

func TestRecommendsBecomeOptional(t *testing.T) {
	got := describe(t, "Package: a\nVersion: 1\nRecommends: b (>= 1) | c, d\nSuggests: b, e\n")
	want := []string{"b: recommended", "d: recommended", "e: suggested"}
	if diff := cmp.Diff(want, got["a"].OptDepends); diff != "" {
		t.Error(diff)
	}
}

func TestRenamedPackagesKeepTheirOldName(t *testing.T) {
	kernel := source(t, "Package: linux-image-6.1-cloud-amd64\nVersion: 6.1-2\nArchitecture: amd64\n", "")
	kernel.Name = "linux"
	meta := source(t, "Package: linux-image-cloud-amd64\nVersion: 6.1-2\nArchitecture: amd64\nDepends: linux-image-6.1-cloud-amd64 (= 6.1-2)\n", "")
	u, err := NewUniverse([]*Source{kernel, meta})
	if err != nil {
		t.Fatal(err)
	}
	got, err := u.Describe(kernel)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"linux-image-6.1-cloud-amd64=6.1-2"}, got.Provides); diff != "" {
		t.Error(diff)
	}
	if got, err = u.Describe(meta); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"linux=6.1-2"}, got.Depends); diff != "" {
		t.Error(diff)
	}
}

func TestSettleDropsWhatVercmpDoesNotGrant(t *testing.T) {
	packages := []*desc.Package{
		{Name: "a", Version: "1-1", Depends: []string{"b>=2", "b>=1", "virt>=1"}},
		{Name: "b", Version: "1-1", Provides: []string{"virt=2-1"}},
	}
	weak := Settle(packages)
	if diff := cmp.Diff([]string{"a: b>=2"}, weak); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"b", "b>=1", "virt>=1"}, packages[0].Depends); diff != "" {
		t.Error(diff)
	}
}
