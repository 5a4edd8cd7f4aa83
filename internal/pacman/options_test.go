// SPDX-License-Identifier: GPL-3.0-or-later

package pacman

import (
	"bufio"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rastos/rastos/alpm/desc"
)

func newSession(stderr *strings.Builder) *session {
	s := &session{App: &App{Stderr: stderr, Stdout: stderr, Getenv: func(string) string { return "" }}, name: "pacman"}
	s.out = bufio.NewWriter(s.Stdout)
	s.paint(false)
	return s
}

// TestWrongOptions: what excludes each other, what an operation does not know,
// and what is no option, in pacman's words.
func TestWrongOptions(t *testing.T) {
	both := func(a, b string) string {
		return "error: invalid option: '--" + a + "' and '--" + b + "' may not be used together\n"
	}
	for line, want := range map[string]string{
		"-QS":                      "error: only one operation may be used at a time\n",
		"-QQQ":                     "error: only one operation may be used at a time\n",
		"-Q --foo":                 "pacman: unrecognized option '--foo'\n",
		"-Sz":                      "pacman: invalid option -- 'z'\n",
		"-Tq":                      "error: invalid option '-q'\n",
		"-Q --nosave":              "error: invalid option '--nosave'\n",
		"-Rf":                      "error: invalid option '-f'\n",
		"-S --force":               "error: invalid option '--force'\n",
		"-S --color x":             "error: invalid argument 'x' for --color\nerror: invalid option '--color'\n",
		"-S --debug=3":             "error: '3' is not a valid debug level\nerror: invalid option '--debug'\n",
		"-S --asdeps --asexplicit": both("asdeps", "asexplicit"),
		"-U --asd --asex":          both("asdeps", "asexplicit"),
		"-D --asdeps --asexplicit": both("asdeps", "asexplicit"),
		"-Dk --asexplicit":         both("asexplicit", "check"),
		"-Sp --dbonly":             both("print", "dbonly"),
		"-Rp --noscriptlet":        both("print", "noscriptlet"),
		"-Rnp":                     both("nosave", "print"),
		"-Rn --dbonly":             both("nosave", "dbonly"),
		"-Scu":                     both("clean", "sysupgrade"),
		"-Scy":                     both("clean", "refresh"),
		"-Sig":                     both("info", "groups"),
		"-Sis":                     both("info", "search"),
		"-Ssl":                     both("search", "list"),
		"-Slw":                     both("list", "downloadonly"),
		"-Sgu":                     both("groups", "sysupgrade"),
		"-Qpo":                     both("file", "owns"),
		"-Qsg":                     both("search", "groups"),
		"-Qsu":                     both("search", "upgrade"),
		"-Qol":                     both("owns", "list"),
		"-Qgk":                     both("groups", "check"),
		"-Qde":                     both("deps", "explicit"),
		"-Qnm":                     both("native", "foreign"),
	} {
		var stderr strings.Builder
		if _, ok := newSession(&stderr).parseOptions(append([]string{"pacman"}, strings.Fields(line)...)); ok {
			t.Errorf("%s is accepted", line)
		}
		if diff := cmp.Diff(want, stderr.String()); diff != "" {
			t.Errorf("%s: %s", line, diff)
		}
	}
}

func TestExpressions(t *testing.T) {
	for _, c := range []struct {
		expr, text string
		want       bool
	}{
		{"g++", "libg", true}, {"g++", "lib", false}, {"a**b", "b", true}, {"x+*y", "y", true}, {"x?+y", "y", true}, {"^lib.*a$", "LIBALPHA", true},
		{`\bfoo\b`, "a foo b", true}, {`\bfoo\b`, "afoo", false}, {"[[:digit:]]+", "v7", true}, {"[]+*]x", "+x", true}, {"[^]+*]x", "+x", false}, {`a\+\+`, "A++", true},
		{"(ab){2}", "abab", true}, {"a|b", "B", true}, {"^$", "", true},
	} {
		re, err := compile(c.expr)
		if err != nil || re.MatchString(c.text) != c.want {
			t.Errorf("%q on %q: %v, %v", c.expr, c.text, !c.want, err)
		}
	}
	for _, bad := range []string{"(", "[a", "a{3,1}", `a\`} {
		if _, err := compile(bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

// FuzzExpressions: no expression makes a search panic, and a name is found by
// itself as a literal text.
func FuzzExpressions(f *testing.F) {
	for _, seed := range []string{"g++", "[]+*]", `\`, "a**+?b", "[^", "(((", "[[:alpha:]", "é*"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, expr string) {
		found, err := newFinder([]string{expr})
		if err == nil && !found.matches(&desc.Package{Name: "x" + expr}) {
			t.Errorf("%q is not found by its own text", expr)
		}
	})
}
