// SPDX-License-Identifier: GPL-3.0-or-later

package pacman

import (
	"bufio"
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/solve"
	"github.com/rastos/rastos/internal/pacman/cmdline"
)

// asking is an asker whose person types input.
func asking(input string, opt cmdline.Options) (a *asker, out, err *bytes.Buffer) {
	out, err = &bytes.Buffer{}, &bytes.Buffer{}
	s := &session{App: &App{Stdin: strings.NewReader(input), Stdout: out, Stderr: err, Getenv: func(string) string { return "" }},
		opt: &opt, out: bufio.NewWriter(out)}
	s.paint(false)
	return s.asker(context.Background()), out, err
}

func TestYesAndNo(t *testing.T) {
	for _, c := range []struct {
		input          string
		preset, answer bool
	}{
		{"\n", true, true}, {"\n", false, false}, {"y\n", false, true}, {"YES\n", false, true}, {" Yes \n", false, true},
		{"n\n", true, false}, {"maybe\n", true, false}, {"", true, false}, {"y", false, true},
	} {
		a, out, err := asking(c.input, cmdline.Options{})
		if got := a.question(c.preset, "Go %s?", "on"); got != c.answer {
			t.Errorf("%q with preset %v: %v", c.input, c.preset, got)
		}
		if !strings.HasPrefix(err.String(), ":: Go on? [") || out.Len() > 0 {
			t.Errorf("asked %q on stderr, %q on stdout", err, out)
		}
	}
}

func TestNobodyIsAsked(t *testing.T) {
	a, out, err := asking("n\n", cmdline.Options{NoConfirm: true})
	if !a.yesno("Sure?") || a.noyes("Really?") {
		t.Error("an answer was read")
	}
	if out.Len() > 0 || err.Len() > 0 {
		t.Error("the output was written before it was flushed")
	}
	a.out.Flush()
	if want := ":: Sure? [Y/n] \n:: Really? [y/N] \n"; out.String() != want {
		t.Errorf("got %q", out)
	}
}

func TestSelection(t *testing.T) {
	for input, want := range map[string]string{
		"\n": "1111", "2\n": "0100", "1 3\n": "1010", "1-3\n": "1110", "^2\n": "1011", "2-4 ^3\n": "0101", "1,4\n": "1001",
		"9\n2\n": "0100", "x\n^1-2\n": "0011", "3-2\n4\n": "0001",
	} {
		a, _, _ := asking(input, cmdline.Options{})
		chosen, ok := a.selection(4)
		got := ""
		for _, c := range chosen {
			got += map[bool]string{true: "1", false: "0"}[c]
		}
		if !ok || got != want {
			t.Errorf("%q: %s, want %s", input, got, want)
		}
	}
	a, _, _ := asking("", cmdline.Options{})
	if _, ok := a.selection(4); ok {
		t.Error("the end of the input was an answer")
	}
}

func TestAskTurnsAnswersRound(t *testing.T) {
	p := func(name string) *desc.Package { return &desc.Package{Name: name, Version: "1"} }
	questions := map[int]solve.Question{
		askIgnored:  {Kind: solve.QuestionIgnored, Package: p("a")},
		askReplace:  {Kind: solve.QuestionReplace, Package: p("a"), Other: p("b"), Repo: "core"},
		askConflict: {Kind: solve.QuestionConflict, Package: p("a"), Other: p("b"), Dep: desc.ParseDep("c")},
		askSkip:     {Kind: solve.QuestionSkip, Packages: []*desc.Package{p("a")}},
		askProvider: {Kind: solve.QuestionProvider, Dep: desc.ParseDep("d"), Choices: []solve.Candidate{{Package: p("a")}, {Package: p("b")}}},
	}
	for bit, q := range questions {
		plain, _, _ := asking("", cmdline.Options{NoConfirm: true})
		turned, _, _ := asking("", cmdline.Options{NoConfirm: true, HasAsk: true, Ask: bit})
		others, _, _ := asking("", cmdline.Options{NoConfirm: true, HasAsk: true, Ask: 127 &^ bit})
		if plain.answer(q) != others.answer(q) || plain.answer(q) == turned.answer(q) {
			t.Errorf("%s: %d, with its bit %d, with the others %d", q.Kind, plain.answer(q), turned.answer(q), others.answer(q))
		}
	}
}

func TestConflictNamesItsReasonOnlyIfItIsNews(t *testing.T) {
	q := solve.Question{Kind: solve.QuestionConflict, Package: &desc.Package{Name: "a"}, Other: &desc.Package{Name: "b"}}
	for dep, want := range map[string]string{
		"b":    ":: a and b are in conflict. Remove b? [y/N] \n",
		"virt": ":: a and b are in conflict (virt). Remove b? [y/N] \n",
	} {
		a, out, _ := asking("", cmdline.Options{NoConfirm: true})
		q.Dep = desc.ParseDep(dep)
		a.answer(q)
		a.out.Flush()
		if out.String() != want {
			t.Errorf("got %q", out)
		}
	}
}
