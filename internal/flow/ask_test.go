// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"strings"
	"testing"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/solve"
)

func TestHoldBackIsAskedOnce(t *testing.T) {
	q := solve.Question{Kind: solve.QuestionHoldBack, Held: []solve.Held{{Name: "lib", Version: "1-1", New: "2-1", Why: []string{"tool needs lib<2", "tool stays"}}}}
	other := solve.Question{Kind: solve.QuestionReplace, Default: solve.Yes}
	var heard []string
	ask := Ask(func(c Choice) int {
		heard = append(heard, c.Text)
		return solve.Yes
	})
	for _, c := range []struct {
		name       string
		answer     func(solve.Question) int
		hold, asks int
	}{
		{"somebody", ask.orHoldBack(false), solve.Yes, 1},
		{"the flag", ask.orHoldBack(true), solve.Yes, 0},
		{"nobody", Ask(nil).orHoldBack(false), solve.No, 0},
		{"nobody, and the flag", Ask(nil).orHoldBack(true), solve.Yes, 0},
	} {
		heard = nil
		if first, again := c.answer(q), c.answer(q); first != c.hold || again != c.hold || len(heard) != c.asks {
			t.Errorf("%s: answers %d and %d, asked %d times", c.name, first, again, len(heard))
		}
		if len(heard) > 0 && !strings.Contains(heard[0], "  lib 1-1, to 2-1: tool needs lib<2; tool stays\n") {
			t.Errorf("%s: asked %q", c.name, heard[0])
		}
		q := other
		q.Package, q.Other = &desc.Package{Name: "new"}, &desc.Package{Name: "old"}
		if c.answer(q) != solve.Yes {
			t.Errorf("%s: the other question was answered no", c.name)
		}
	}
}
