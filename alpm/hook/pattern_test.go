// SPDX-License-Identifier: GPL-3.0-or-later

package hook_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/rastos/rastos/alpm/hook"
	"github.com/rastos/rastos/internal/testkit"
)

var globs = []string{
	"*", "a*", "*a", "a*b*c", "?", "??", "a?c", "usr/*", "usr/*/x", "*.so*", "[a-c]", "[!a-c]", "[^a]*", "[]a]", "[a", "a[", "[a-]", "[-a]", "[[:digit:]]*",
	"[[:alpha:][:digit:]]", `a\*b`, `\a`, "[a\\]]", "**", "*?*", "a**c", "", "usr/lib/*.so.[0-9]*", "[z-a]", ".*", "*/.*", "ä?", "[ä-ü]", "a*a*a*a*b", "[!]]", "[[]", "x[a-c]y",
}

var names = []string{
	"", "a", "b", "c", "abc", "a/c", "aXbYc", "usr/", "usr/x", "usr/lib/x", "usr/lib/libc.so.6", "usr/lib/libc.so", "]", "[a", "a[", "-", "1", "12a", "a*b", "axb",
	`\a`, ".hidden", "usr/.hidden", "äb", "ö", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "aaab", "[", "xby", "z", "a]",
}

// TestPatternsAsTheShellMatchesThem compares with `case`, which is fnmatch(3)
// without flags too.
func TestPatternsAsTheShellMatchesThem(t *testing.T) {
	bash := testkit.NeedTool(t, "bash")
	var in strings.Builder
	for _, g := range globs {
		for _, n := range names {
			fmt.Fprintf(&in, "%s\n%s\n", g, n)
		}
	}
	cmd := exec.Command(bash, "-c", `while IFS= read -r g && IFS= read -r n; do case $n in $g) echo 1;; *) echo 0;; esac; done`)
	cmd.Stdin, cmd.Env = strings.NewReader(in.String()), append(os.Environ(), "LC_ALL=C.UTF-8")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	answers := strings.Fields(string(out))
	if len(answers) != len(globs)*len(names) {
		t.Fatalf("%d answers", len(answers))
	}
	for i, g := range globs {
		if g != "" && (g[0] == '!' || g[0] == '\\') {
			continue // these have a meaning of their own in front
		}
		for j, n := range names {
			if got, want := hook.Compile([]string{g}).Match(n), answers[i*len(names)+j] == "1"; got != want {
				t.Errorf("pattern %q, name %q: %v, the shell says %v", g, n, got, want)
			}
		}
	}
}

func TestPatternLists(t *testing.T) {
	for _, c := range []struct {
		list string
		name string
		want bool
	}{
		{"a", "a", true}, {"!a", "a", false}, {"!a", "b", false}, {"* !a", "a", false}, {"* !a", "b", true},
		{"!a *", "a", true}, {`\!a`, "!a", true}, {`\a`, "a", true}, {"* !a* ab", "ab", true},
	} {
		if got := hook.Compile(strings.Fields(c.list)).Match(c.name); got != c.want {
			t.Errorf("%s on %s: %v", c.list, c.name, got)
		}
	}
}

func BenchmarkSelect(b *testing.B) {
	var files []string
	for i := range 44000 {
		files = append(files, fmt.Sprintf("usr/share/doc/package-%d/file-%d", i/20, i))
	}
	var hooks []*hook.Hook
	for i := range 30 {
		hooks = append(hooks, &hook.Hook{When: hook.PostTransaction, Triggers: []hook.Trigger{{
			Operations: hook.Install, Type: hook.Path, Targets: []string{fmt.Sprintf("usr/share/%d/*", i), "usr/lib/*.so.*"},
		}}})
	}
	change := hook.Change{Installed: []hook.PackageChange{{Name: "x", NewFiles: files}}}
	for b.Loop() {
		hook.Select(hooks, hook.PostTransaction, change)
	}
}
