// SPDX-License-Identifier: GPL-3.0-or-later

package differential_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestGenerateIsStable: a seed tells the same story each time, and its text is
// the story.
func TestGenerateIsStable(t *testing.T) {
	seen := map[string]bool{}
	for seed := range uint64(50) {
		text := generate(seed).String()
		if again := generate(seed).String(); again != text {
			t.Fatalf("seed %d: %s", seed, cmp.Diff(text, again))
		}
		s, err := parseStory(text)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(text, s.String()); diff != "" {
			t.Errorf("seed %d, read and written: %s", seed, diff)
		}
		seen[text] = true
	}
	if len(seen) != 50 {
		t.Errorf("50 seeds tell %d stories", len(seen))
	}
}

// TestShrink makes a long story as short as what is looked for in it.
func TestShrink(t *testing.T) {
	s := generate(7)
	for seed := range uint64(3) {
		s = append(s, generate(seed)...)
	}
	hook := statement{words: strings.Fields("hook a Type=Package")}
	pkg := statement{words: strings.Fields("pkg z 1-1 groups=x backup=etc/z"), under: [][]string{{"f", "etc/z"}, {"s", "post_install"}}}
	s = append(append(story{pkg}, s...), hook)
	tried := 0
	short := shrink(s, 5000, func(c story) bool {
		tried++
		text := c.String()
		return strings.Contains(text, "hook a") && strings.Contains(text, "backup=etc/z\n") && strings.Contains(text, "post_install")
	})
	want := "pkg z 1-1 backup=etc/z\n s post_install\nhook a Type=Package\n"
	if diff := cmp.Diff(want, short.String()); diff != "" {
		t.Errorf("after %d tries: %s", tried, diff)
	}
	if got := shrink(s, 0, func(story) bool { return true }); len(got) != len(s) {
		t.Error("made shorter without a try")
	}
}

func TestParseStoryRefuses(t *testing.T) {
	for _, text := range []string{"tell a\n", " f usr/bin/a 0755 0:0 x\n", "run -S a\n f etc/a\n"} {
		if _, err := parseStory(text); err == nil {
			t.Errorf("%q was read", text)
		}
	}
	s, err := parseStory("# nothing\n\nrun -S a\n")
	if err != nil || s.runs() != 1 {
		t.Errorf("%v, %v", s, err)
	}
}
