// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"fmt"
	"strings"

	"github.com/rastos/rastos/alpm/solve"
)

// Choice is a question that comes up while a plan is worked out.
type Choice struct {
	Text    string
	Options []string // none: no (0) or yes (1)
	Default int
}

// Ask puts a question and returns the answer, or the default where nobody can
// be asked. A nil Ask takes every default.
type Ask func(Choice) int

// answer puts the engine's questions into words.
func (ask Ask) answer() func(solve.Question) int {
	if ask == nil {
		return nil
	}
	return func(q solve.Question) int {
		c := Choice{Text: questionText(q), Default: q.Default}
		if q.Kind == solve.QuestionProvider {
			for _, o := range q.Choices {
				c.Options = append(c.Options, fmt.Sprintf("%s/%s %s", o.Repo, o.Package.Name, o.Package.Version))
			}
		}
		return ask(c)
	}
}

// holdingBack decides what becomes of packages that cannot be upgraded with the
// rest: they stay, or somebody is asked, once.
func holdingBack(always bool, ask Ask) func([]solve.Held) bool {
	agreed := map[string]bool{}
	return func(held []solve.Held) bool {
		if always || ask == nil {
			return always
		}
		text := holdText(held)
		if _, known := agreed[text]; !known {
			agreed[text] = ask(Choice{Text: text, Default: solve.No}) == solve.Yes
		}
		return agreed[text]
	}
}

// orHoldBack answers that question beside the others.
func (ask Ask) orHoldBack(always bool) func(solve.Question) int {
	others, holds := ask.answer(), holdingBack(always, ask)
	return func(q solve.Question) int {
		switch {
		case q.Kind != solve.QuestionHoldBack && others != nil:
			return others(q)
		case q.Kind == solve.QuestionHoldBack && holds(q.Held):
			return solve.Yes
		}
		return q.Default
	}
}

func holdText(held []solve.Held) string {
	var b strings.Builder
	b.WriteString("These packages cannot be upgraded with the rest:\n")
	for _, h := range held {
		fmt.Fprintf(&b, "  %s %s, to %s: %s\n", h.Name, h.Version, h.New, h.Reason())
	}
	b.WriteString("Leave them as they are and upgrade all else?")
	return b.String()
}

func questionText(q solve.Question) string {
	switch q.Kind {
	case solve.QuestionIgnored:
		return fmt.Sprintf("%s is on the list of packages to leave alone. Install it all the same?", q.Package.Name)
	case solve.QuestionReplace:
		return fmt.Sprintf("Replace %s by %s/%s?", q.Other.Name, q.Repo, q.Package.Name)
	case solve.QuestionConflict:
		return fmt.Sprintf("%s and %s exclude each other. Remove %s?", q.Package.Name, q.Other.Name, q.Other.Name)
	case solve.QuestionProvider:
		return fmt.Sprintf("Which package is to provide %s?", q.Dep)
	case solve.QuestionHold:
		return fmt.Sprintf("%s is to be held. Remove it all the same?", q.Package.Name)
	}
	var names []string
	for _, p := range q.Packages {
		names = append(names, p.Name)
	}
	return fmt.Sprintf("The dependencies of %s are nowhere. Leave it out?", joinNames(names))
}
