// SPDX-License-Identifier: GPL-3.0-or-later

package declare

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/solve"
	"github.com/rastos/rastos/alpm/syncdb"
)

// pkg reads "name 1.0 depends=a,b>=2 groups=x dep": dep for what came along.
func pkg(line string) *desc.Package {
	f := strings.Fields(line)
	p := &desc.Package{Name: f[0], Version: f[1], Arch: "any"}
	for _, word := range f[2:] {
		key, value, _ := strings.Cut(word, "=")
		list := strings.Split(value, ",")
		switch key {
		case "depends":
			p.Depends = list
		case "provides":
			p.Provides = list
		case "conflicts":
			p.Conflicts = list
		case "replaces":
			p.Replaces = list
		case "groups":
			p.Groups = list
		case "dep":
			p.Reason = desc.Depend
		default:
			panic("unknown word " + word)
		}
	}
	return p
}

func pkgs(text string) (out []*desc.Package) {
	for line := range strings.SplitSeq(text, "|") {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, pkg(line))
		}
	}
	return out
}

func reposOf(lists map[string][]*desc.Package, order ...string) []solve.Repo {
	var out []solve.Repo
	for _, name := range order {
		out = append(out, solve.Repo{Name: name, DB: syncdb.New(name, lists[name])})
	}
	return out
}

// show is a change in one line.
func show(c *Change) string {
	var out []string
	for _, t := range c.Targets {
		out = append(out, "+"+t)
	}
	for _, r := range c.Remove {
		out = append(out, "-"+r)
	}
	var reasons []string
	for name, reason := range c.Reasons {
		reasons = append(reasons, name+":"+reason.String())
	}
	slices.Sort(reasons)
	for _, n := range c.Notes {
		reasons = append(reasons, fmt.Sprintf("(%s %s)", n.Kind, n.Package))
	}
	return strings.Join(append(out, reasons...), " ")
}

func TestWork(t *testing.T) {
	const repo = `a 1 depends=lib | b 1 depends=lib | lib 1 | c 1 conflicts=a provides=a | bash 5 provides=sh |
		dash 1 provides=sh | x 2 groups=g | y 1 groups=g | new 1 replaces=old | z 1 depends=sh`
	for name, c := range map[string]struct {
		installed string
		decl      Declaration
		upgrade   bool
		want      string
	}{
		"nothing to do":               {"a 1 depends=lib|lib 1 dep", Declaration{Targets: []string{"a"}}, false, ""},
		"install":                     {"lib 1 dep|a 1 depends=lib", Declaration{Targets: []string{"a", "b"}}, false, "+b"},
		"remove with what it needed":  {"a 1 depends=lib|lib 1 dep|y 1", Declaration{Targets: []string{"y"}}, false, "-a -lib"},
		"still needed":                {"a 1 depends=lib|lib 1 dep|b 1 depends=lib", Declaration{Targets: []string{"b"}}, false, "-a"},
		"asked for, now along":        {"a 1 depends=lib|lib 1", Declaration{Targets: []string{"a"}}, false, "lib:depend"},
		"along, now asked for":        {"a 1 depends=lib|lib 1 dep", Declaration{Targets: []string{"a", "lib"}}, false, "lib:explicit"},
		"another one in its place":    {"a 1 depends=lib|lib 1 dep", Declaration{Targets: []string{"c"}}, false, "+c -lib"}, // a goes for it,
		"not upgraded":                {"x 1", Declaration{Targets: []string{"x"}}, false, ""},
		"upgraded if asked":           {"x 1|lib 0", Declaration{Targets: []string{"x"}}, true, "-lib"},
		"a version that does not do":  {"x 1", Declaration{Targets: []string{"x>=2"}}, false, "+x>=2"},
		"a version that does":         {"x 3", Declaration{Targets: []string{"x>=2", "y"}}, false, "+y"},
		"with its repository":         {"x 1", Declaration{Targets: []string{"core/x", "core/y"}}, false, "+core/y"},
		"a provided name":             {"bash 5 provides=sh dep", Declaration{Targets: []string{"sh"}}, false, "bash:explicit (provided sh)"},
		"the one that is declared":    {"bash 5 provides=sh|dash 1 provides=sh", Declaration{Targets: []string{"sh", "dash"}}, false, "-bash (provided sh)"},
		"a provided name, to install": {"", Declaration{Targets: []string{"sh"}}, false, "+sh"},
		"a group":                     {"x 1 groups=g dep", Declaration{Targets: []string{"g"}}, false, "+core/y x:explicit"},
		"replaced by what is there":   {"new 1 replaces=old dep", Declaration{Targets: []string{"old"}}, false, "new:explicit (replaced old)"},
		"replaced by what is not":     {"", Declaration{Targets: []string{"old"}}, false, "+core/new (replaced old)"},
		"replaced on upgrade":         {"old 1", Declaration{Targets: []string{"old"}}, true, "(replaced old)"},
		"held":                        {"lib 1|k1 1 depends=lib dep", Declaration{Targets: []string{}, Hold: []string{"k*"}}, false, "lib:depend (held k1)"},
		"held and needed":             {"a 1 depends=lib|lib 1 dep", Declaration{Targets: []string{"a"}, Hold: []string{"lib"}}, false, ""},
		"from the AUR":                {"paru 1 dep|yay-bin 1 provides=yay|k 1", Declaration{Foreign: []string{"paru", "yay", "aura"}}, false, "-k paru:explicit (foreign aura) (provided yay)"},
		"its own":                     {"rastos 1", Declaration{Own: []string{"rastos", "absent"}}, false, ""},
		"the needless of two":         {"z 1 depends=sh|bash 5 provides=sh dep|dash 1 provides=sh", Declaration{Targets: []string{"z"}}, false, "-dash"},
	} {
		t.Run(name, func(t *testing.T) {
			u := Universe{Installed: pkgs(c.installed), Repos: func() ([]solve.Repo, error) {
				return reposOf(map[string][]*desc.Package{"core": pkgs(repo)}, "core"), nil
			}}
			got, err := Work(u, c.decl, Options{Upgrade: c.upgrade})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, show(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestWhatIsThereNeedsNoRepository: what names alone answer must not wait for
// the databases to be read.
func TestWhatIsThereNeedsNoRepository(t *testing.T) {
	none := errors.New("nobody may ask")
	u := Universe{Installed: pkgs("a 1|b 1|c 1"), Repos: func() ([]solve.Repo, error) { return nil, none }}
	got, err := Work(u, Declaration{Targets: []string{"a"}, Hold: []string{"c"}, Foreign: []string{"d"}}, Options{})
	if err != nil || show(got) != "-b (foreign d) (held c)" || !got.Engine() || got.Empty() {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := Work(u, Declaration{Targets: []string{"a", "x"}}, Options{}); !errors.Is(err, none) {
		t.Errorf("a name that is not installed: %v", err)
	}
}

// TestRefusals are what no order of things could satisfy.
func TestRefusals(t *testing.T) {
	repo := pkgs("a 1 conflicts=b|b 1|c 1 depends=absent|d 1 conflicts=k")
	for name, c := range map[string]struct {
		decl Declaration
		want string
	}{
		"a name that means nothing":    {Declaration{Targets: []string{"aa", "bb"}}, "aa"},
		"two that exclude each other":  {Declaration{Targets: []string{"a", "b"}}, "conflict"},
		"one that lacks something":     {Declaration{Targets: []string{"c"}}, "absent"},
		"one that excludes a held one": {Declaration{Targets: []string{"d"}, Hold: []string{"k"}}, "conflict"},
		"an unknown repository":        {Declaration{Targets: []string{"extra/a"}}, "extra"},
	} {
		u := Universe{Installed: pkgs("k 1"), Repos: func() ([]solve.Repo, error) {
			return reposOf(map[string][]*desc.Package{"core": repo}, "core"), nil
		}}
		_, err := Work(u, c.decl, Options{})
		var coded interface{ ExitCode() int }
		if err == nil || !strings.Contains(err.Error(), c.want) || !errors.As(err, &coded) || coded.ExitCode() != 4 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestExact(t *testing.T) {
	repo := "a 1 depends=lib | lib 1 | x 2 groups=g | y 1 groups=g | bash 5 provides=sh"
	for name, c := range map[string]struct {
		installed, pins string
		decl            Declaration
		want            string
	}{
		"nothing to do":   {"a 1 depends=lib|lib 1 dep", "a 1 lib 1", Declaration{Targets: []string{"a"}}, ""},
		"from nothing":    {"", "a 1 lib 1", Declaration{Targets: []string{"a"}}, "+core/a=1 +core/lib=1 lib:depend"},
		"back and away":   {"a 2 depends=lib|lib 1 dep|new 1", "a 1 lib 1", Declaration{Targets: []string{"a"}}, "+core/a=1 -new"},
		"held and others": {"a 1 depends=lib|lib 1 dep|k 1|paru 1|own 1", "a 1 lib 1", Declaration{Targets: []string{"a"}, Hold: []string{"k"}, Foreign: []string{"paru"}, Own: []string{"own"}}, "(held k)"},
		"a group":         {"", "x 2 y 1", Declaration{Targets: []string{"g"}}, "+core/x=2 +core/y=1"},
		"provided":        {"bash 4 provides=sh dep", "bash 5", Declaration{Targets: []string{"sh"}}, "+core/bash=5 bash:explicit (provided sh)"},
	} {
		var pins []Pin
		words := strings.Fields(c.pins)
		for i := 0; i < len(words); i += 2 {
			pins = append(pins, Pin{words[i], words[i+1], "core"})
		}
		u := Universe{Installed: pkgs(c.installed), Repos: func() ([]solve.Repo, error) {
			return reposOf(map[string][]*desc.Package{"core": pkgs(repo)}, "core"), nil
		}}
		got, err := Exact(u, c.decl, pins)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(c.want, show(got)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	u := Universe{Repos: func() ([]solve.Repo, error) {
		return reposOf(map[string][]*desc.Package{"core": pkgs(repo)}, "core"), nil
	}}
	var lack *LackError
	if _, err := Exact(u, Declaration{Targets: []string{"x"}}, []Pin{{"y", "1", "core"}}); !errors.As(err, &lack) {
		t.Errorf("a declared name that nothing pinned means: %v", err)
	}
	if _, err := Exact(u, Declaration{}, []Pin{{"y", "2", "core"}}); !errors.As(err, &lack) {
		t.Errorf("a version that the repository does not have: %v", err)
	}
}
