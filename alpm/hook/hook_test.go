// SPDX-License-Identifier: GPL-3.0-or-later

package hook_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/rastos/rastos/alpm/hook"
)

const full = `# a comment
[Trigger]
Operation = Install
Operation=Upgrade
Type = Path
Target = usr/share/fonts/*
Target = !usr/share/fonts/misc/*

[Trigger]
Operation = Remove
Type = Package
Target = fontconfig

[Action]
Description = Updating "the" font cache...
When = PreTransaction
Exec = /usr/bin/env 'A=1 2' sh\ x "say \"hi\"" a"b c"d \'q\' --x=y
Depends = fontconfig>=2
Depends = sh
AbortOnFail
NeedsTargets
NetworkAccess = allowed
`

func TestParse(t *testing.T) {
	got, err := hook.Parse("font.hook", []byte(full))
	if err != nil {
		t.Fatal(err)
	}
	want := &hook.Hook{
		Name: "font.hook", Description: `Updating "the" font cache...`, When: hook.PreTransaction,
		Exec:    []string{"/usr/bin/env", "A=1 2", `sh\`, "x", `say "hi"`, "ab cd", "'q'", "--x=y"},
		Depends: []string{"fontconfig>=2", "sh"}, AbortOnFail: true, NeedsTargets: true, Network: true,
		Triggers: []hook.Trigger{
			{Operations: hook.Install | hook.Upgrade, Type: hook.Path, Targets: []string{"usr/share/fonts/*", "!usr/share/fonts/misc/*"}},
			{Operations: hook.Remove, Type: hook.Package, Targets: []string{"fontconfig"}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestMistakesNameTheLine(t *testing.T) {
	const trigger = "[Trigger]\nOperation = Install\nType = Path\nTarget = x\n"
	for text, want := range map[string]string{
		"Exec = x":                         "line 1: the option Exec stands before any section",
		"[Other]":                          "line 1: invalid section [Other]",
		"[Trigger]\nWhat = x":              "line 2: invalid option What in [Trigger]",
		"[Trigger]\nOperation = Erase":     "line 2: invalid operation \"Erase\"",
		"[Trigger]\nType = Files":          "line 2: invalid type \"Files\"",
		"[Trigger]\nTarget":                "line 2: the option Target has no value",
		"[Action]\nWhen = Later":           "line 2: invalid value \"Later\" of When",
		"[Action]\n\nExec = 'x":            "line 3: Exec: a quote is not closed",
		"[Action]\nTarget = x":             "line 2: invalid option Target in [Action]",
		"[Action]\nNetworkAccess = yes":    "line 2: invalid value \"yes\" of NetworkAccess",
		trigger:                            "x.hook: [Action] has no Exec",
		trigger + "[Action]\nExec = x":     "x.hook: [Action] has no When",
		"[Trigger]\n[Action]":              "x.hook: a [Trigger] has no Target",
		"[Trigger]\nTarget = x":            "x.hook: a [Trigger] has no Type",
		"[Trigger]\nTarget=x\nType=Path":   "x.hook: a [Trigger] has no Operation",
		trigger + "[Action]\nExec =\nWhen": "line 7: the option When has no value",
	} {
		_, err := hook.Parse("x.hook", []byte(text))
		var pe *hook.ParseError
		if !errors.As(err, &pe) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q:\ngot  %v\nwant %s", text, err, want)
		}
	}
}

func simple(target string) *fstest.MapFile {
	return &fstest.MapFile{Data: []byte("[Trigger]\nOperation=Install\nType=Package\nTarget=" + target + "\n[Action]\nWhen=PostTransaction\nExec=/x\n")}
}

func TestLoadShadowsAndSorts(t *testing.T) {
	fsys := fstest.MapFS{
		"usr/hooks/b.hook":       simple("low"),
		"usr/hooks/a-b.hook":     simple("x"),
		"usr/hooks/a.hook":       simple("x"),
		"usr/hooks/masked.hook":  simple("x"),
		"usr/hooks/emptied.hook": simple("x"),
		"usr/hooks/README":       {Data: []byte("[no hook]")},
		"usr/hooks/d.hook/x":     {Data: []byte("a directory")},
		"etc/hooks/b.hook":       simple("high"),
		"etc/hooks/emptied.hook": {Data: []byte("# nothing\n")},
		"etc/hooks/masked.hook":  {Data: []byte("/dev/null"), Mode: os.ModeSymlink},
	}
	hooks, err := hook.Load(fsys, "usr/hooks", "etc/hooks", "not/there")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, h := range hooks {
		got = append(got, h.Name+"="+h.Triggers[0].Targets[0])
	}
	// By name without the suffix: as whole names a-b.hook would come first.
	if want := []string{"a.hook=x", "a-b.hook=x", "b.hook=high"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestLoadGoesOnAfterMistakes(t *testing.T) {
	fsys := fstest.MapFS{"h/a.hook": {Data: []byte("[x]")}, "h/b.hook": simple("x"), "h/c.hook": {Data: []byte("[y]")}}
	hooks, err := hook.Load(fsys, "h")
	if len(hooks) != 1 || err == nil || !strings.Contains(err.Error(), "a.hook") || !strings.Contains(err.Error(), "c.hook") {
		t.Errorf("%d hooks, error %v", len(hooks), err)
	}
}

func TestLoadFromADirectoryWithoutDevNull(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "h"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/null", filepath.Join(root, "h/a.hook")); err != nil {
		t.Fatal(err)
	}
	tree, err := os.OpenRoot(root)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	if hooks, err := hook.Load(tree.FS(), "h"); err != nil || len(hooks) != 0 {
		t.Errorf("%v, %v", hooks, err)
	}
}

func TestSelectPaths(t *testing.T) {
	all := hook.Install | hook.Upgrade | hook.Remove
	change := hook.Change{
		Installed: []hook.PackageChange{{Name: "new", NewFiles: []string{"usr/", "usr/a", "usr/moved", "usr/taken"}}},
		Upgraded:  []hook.PackageChange{{Name: "up", OldFiles: []string{"usr/", "usr/moved", "usr/same", "usr/lost"}, NewFiles: []string{"usr/", "usr/same", "usr/gained"}}},
		Removed:   []hook.PackageChange{{Name: "old", OldFiles: []string{"usr/", "usr/gone", "usr/taken"}}},
	}
	for _, c := range []struct {
		name    string
		op      hook.Operation
		targets []string
		want    string
	}{
		{"installed", hook.Install, []string{"usr/*"}, "usr/a usr/gained"},
		{"upgraded, also from one package to another", hook.Upgrade, []string{"usr/*"}, "usr/ usr/moved usr/same usr/taken"},
		{"removed", hook.Remove, []string{"usr/*"}, "usr/gone usr/lost"},
		{"several operations", hook.Install | hook.Remove, []string{"usr/*"}, "usr/a usr/gained usr/gone usr/lost"},
		{"star matches slashes", all, []string{"*same"}, "usr/same"},
		{"the last match decides", all, []string{"usr/g*", "!usr/go*", "usr/gone"}, "usr/gained usr/gone"},
		{"no negation alone", all, []string{"!usr/a"}, ""},
		{"with a leading slash nothing", all, []string{"/usr/a"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := &hook.Hook{When: hook.PostTransaction, NeedsTargets: true, Triggers: []hook.Trigger{{Operations: c.op, Type: hook.Path, Targets: c.targets}}}
			runs := hook.Select([]*hook.Hook{h}, hook.PostTransaction, change)
			got := ""
			if len(runs) == 1 {
				got = strings.Join(runs[0].Targets, " ")
			}
			if got != c.want || (len(runs) == 0) != (c.want == "") {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if runs := hook.Select([]*hook.Hook{h}, hook.PreTransaction, change); len(runs) != 0 {
				t.Error("it also ran before")
			}
		})
	}
}

func TestSelectPackages(t *testing.T) {
	change := hook.Change{Installed: []hook.PackageChange{{Name: "a"}, {Name: "b"}}, Upgraded: []hook.PackageChange{{Name: "c"}}, Removed: []hook.PackageChange{{Name: "d"}}}
	both := []hook.Trigger{
		{Operations: hook.Install | hook.Upgrade, Type: hook.Package, Targets: []string{"*"}},
		{Operations: hook.Upgrade | hook.Remove, Type: hook.Package, Targets: []string{"c", "d"}},
	}
	with := &hook.Hook{Name: "with", When: hook.PreTransaction, NeedsTargets: true, Triggers: both}
	without := &hook.Hook{Name: "without", When: hook.PreTransaction, Triggers: both}
	never := &hook.Hook{Name: "never", When: hook.PreTransaction, Triggers: []hook.Trigger{{Operations: hook.Remove, Type: hook.Package, Targets: []string{"a"}}}}
	got := hook.Select([]*hook.Hook{with, never, without}, hook.PreTransaction, change)
	want := []hook.Run{{Hook: with, Targets: []string{"a", "b", "c", "d"}}, {Hook: without}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsGivenTwiceIsWarnedOf(t *testing.T) {
	h, err := hook.Parse("x.hook", []byte("[Trigger]\nType = Path\nType = Package\nOperation = Install\nTarget = a\n"+
		"[Action]\nDescription = a\nDescription = b\nWhen = PreTransaction\nWhen = PostTransaction\nExec = /a\nExec = /b\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"hook x.hook line 3: overwriting previous definition of Type", "hook x.hook line 8: overwriting previous definition of Description",
		"hook x.hook line 10: overwriting previous definition of When", "hook x.hook line 12: overwriting previous definition of Exec",
	}
	if !slices.Equal(h.Warnings, want) {
		t.Errorf("warnings: %q", h.Warnings)
	}
	if h.Description != "b" || h.When != hook.PostTransaction || h.Exec[0] != "/b" || h.Triggers[0].Type != hook.Package {
		t.Errorf("the last one does not count: %+v", h)
	}
}

func FuzzParse(f *testing.F) {
	modules, err := os.ReadFile("testdata/modules.hook")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(modules)
	f.Add([]byte(full))
	f.Add([]byte("[Trigger]\nOperation=Install\n[Action]\nExec=\"\\"))
	f.Fuzz(func(t *testing.T, text []byte) {
		h, err := hook.Parse("f.hook", text)
		if err != nil {
			return
		}
		if len(h.Triggers) > 0 && (len(h.Exec) == 0 || h.When == 0) {
			t.Errorf("an incomplete hook passed: %+v", h)
		}
		hook.Select([]*hook.Hook{h}, h.When, hook.Change{Installed: []hook.PackageChange{{Name: "a", NewFiles: []string{"usr/a", "usr/\xff"}}}})
	})
}
