// SPDX-License-Identifier: GPL-3.0-or-later

package pacman

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/rastos/rastos/alpm/solve"
)

// The bits of --ask.
const (
	askIgnored = 1 << iota
	askReplace
	askConflict
	askCorrupt
	askSkip
	askProvider
	askKey
)

// asker puts questions to a person. They go to standard error, so that they
// are seen when the output is not, and to the output where nobody is asked.
type asker struct {
	*session
	ctx context.Context
	in  *bufio.Reader
}

func (s *session) asker(ctx context.Context) *asker {
	return &asker{session: s, ctx: ctx, in: bufio.NewReader(s.Stdin)}
}

// say writes to where questions go.
func (a *asker) say(texts ...string) {
	if a.opt.NoConfirm {
		a.print(texts...)
		return
	}
	_ = a.out.Flush()
	_, _ = io.WriteString(a.Stderr, strings.Join(texts, ""))
}

// line reads an answer; ok is false at the end of the input, and when the
// person interrupts.
func (a *asker) line() (text string, ok bool) {
	_ = a.out.Flush()
	type answer struct {
		text string
		err  error
	}
	got := make(chan answer, 1)
	go func() {
		text, err := a.in.ReadString('\n')
		got <- answer{text, err}
	}()
	select {
	case <-a.ctx.Done():
		return "", false
	case r := <-got:
		return strings.TrimSpace(r.text), r.err == nil || r.text != ""
	}
}

func (a *asker) yesno(format string, args ...any) bool { return a.question(true, format, args...) }
func (a *asker) noyes(format string, args ...any) bool { return a.question(false, format, args...) }

// question asks for yes or no; preset is what an empty answer means.
func (a *asker) question(preset bool, format string, args ...any) bool {
	choice := "[y/N]"
	if preset {
		choice = "[Y/n]"
	}
	a.say(a.tint.Colon, fmt.Sprintf(format, args...), " ", choice, " ", a.tint.Off)
	if a.opt.NoConfirm {
		a.say("\n")
		return preset
	}
	text, ok := a.line()
	if !ok {
		return false
	}
	if text == "" {
		return preset
	}
	if !a.StdinIsTerminal { // which would have shown it
		a.say(text, "\n")
	}
	switch strings.ToUpper(text) {
	case "Y", "YES":
		return true
	}
	return false
}

// turned applies --ask to an answer.
func (a *asker) turned(bit int, answer bool) bool {
	return answer != (a.opt.HasAsk && a.opt.Ask&bit != 0)
}

// number asks for one of count things and returns its place, counted from 0.
func (a *asker) number(count int) int {
	for {
		a.say("\nEnter a number (default=1): ")
		if a.opt.NoConfirm {
			a.say("\n")
			return 0
		}
		text, ok := a.line()
		if !ok || text == "" {
			return 0
		}
		if n, ok := a.index(text, 1, count); ok {
			return n - 1
		}
	}
}

// index reads a number between two others. As with pacman, nothing is 0.
func (a *asker) index(text string, from, to int) (int, bool) {
	n, err := strconv.Atoi(cmp.Or(text, "0"))
	switch {
	case err != nil:
		a.errorf("invalid number: %s", text)
		return 0, false
	case n < from || n > to:
		a.errorf("invalid value: %d is not between %d and %d", n, from, to)
		return 0, false
	}
	return n, true
}

// selection asks which of count things are meant; ok is false at the end of
// the input.
func (a *asker) selection(count int) (chosen []bool, ok bool) {
	for {
		chosen = make([]bool, count)
		for i := range chosen {
			chosen[i] = true
		}
		a.say("\nEnter a selection (default=all): ")
		if a.opt.NoConfirm {
			a.say("\n")
			return chosen, true
		}
		text, ok := a.line()
		if !ok {
			return nil, false
		}
		if a.parseSelection(chosen, text) {
			return chosen, true
		}
	}
}

// parseSelection reads "1 3-5, ^4": the first entry without ^ begins with
// nothing chosen.
func (a *asker) parseSelection(chosen []bool, text string) bool {
	words := strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ',' })
	for i, word := range words {
		word, without := strings.CutPrefix(word, "^")
		if i == 0 && !without {
			clear(chosen)
		}
		first, last, isRange := word, word, false
		if at := strings.IndexByte(word[min(1, len(word)):], '-'); at >= 0 {
			first, last, isRange = word[:at+1], word[at+2:], true
		}
		from, ok := a.index(first, 1, len(chosen))
		if !ok {
			return false
		}
		to := from
		if isRange {
			if to, ok = a.index(last, from, len(chosen)); !ok {
				return false
			}
		}
		for n := from; n <= to; n++ {
			chosen[n-1] = !without
		}
	}
	return true
}

// choices shows packages to choose from, by repository.
func (a *asker) choices(list []solve.Candidate) {
	for i := 0; i < len(list); {
		repo := list[i].Repo
		var names []string
		for ; i < len(list) && list[i].Repo == repo; i++ {
			names = append(names, fmt.Sprintf("%d) %s", i+1, list[i].Package.Name))
		}
		a.colon("Repository %s%s\n", a.tint.Repo, repo)
		a.page().List("  ", names)
	}
}

// colon prints a line of news.
func (s *session) colon(format string, args ...any) {
	s.print(s.tint.Colon, fmt.Sprintf(format, args...), s.tint.Off)
}

// answer answers the engine.
func (a *asker) answer(q solve.Question) int {
	if a.opt.Print {
		return yes(q.Kind == solve.QuestionIgnored || q.Kind == solve.QuestionReplace)
	}
	switch q.Kind {
	case solve.QuestionIgnored:
		install := a.opt.DownloadOnly || a.yesno("%s is in IgnorePkg/IgnoreGroup. Install anyway?", q.Package.Name)
		return yes(a.turned(askIgnored, install))
	case solve.QuestionReplace:
		return yes(a.turned(askReplace, a.yesno("Replace %s with %s/%s?", q.Other.Name, q.Repo, q.Package.Name)))
	case solve.QuestionConflict:
		return yes(a.turned(askConflict, a.conflict(q)))
	case solve.QuestionSkip:
		return yes(a.turned(askSkip, a.skip(q)))
	case solve.QuestionProvider:
		return a.provider(q)
	}
	return q.Default
}

func yes(is bool) int {
	if is {
		return solve.Yes
	}
	return solve.No
}

// conflict names the reason only where it is news.
func (a *asker) conflict(q solve.Question) bool {
	reason := ""
	if q.Dep.Name != q.Package.Name && q.Dep.Name != q.Other.Name {
		reason = " (" + q.Dep.Name + ")"
	}
	return a.noyes("%s and %s are in conflict%s. Remove %s?", q.Package.Name, q.Other.Name, reason, q.Other.Name)
}

func (a *asker) skip(q solve.Question) bool {
	things := "package"
	if len(q.Packages) != 1 {
		things = "packages"
	}
	a.colon("The following %s cannot be upgraded due to unresolvable dependencies:\n", things)
	var names []string
	for _, p := range q.Packages {
		names = append(names, p.Name)
	}
	a.page().List("     ", names)
	a.print("\n")
	return a.noyes("Do you want to skip the above %s for this upgrade?", things)
}

func (a *asker) provider(q solve.Question) int {
	a.colon("There are %d providers available for %s:\n", len(q.Choices), q.Dep)
	a.choices(q.Choices)
	n := a.number(len(q.Choices))
	if a.turned(askProvider, false) { // pacman inverts the number as it does a yes
		return map[bool]int{true: 1, false: 0}[n == 0]
	}
	return n
}

// members asks which members of a group are meant.
func (a *asker) members(group string, list []solve.Candidate) ([]solve.Candidate, error) {
	if a.opt.Print {
		return list, nil
	}
	are, s := "are", "s"
	if len(list) == 1 {
		are, s = "is", ""
	}
	a.colon("There %s %d member%s in group %s%s%s:\n", are, len(list), s, a.tint.Groups, group, a.tint.Title)
	a.choices(list)
	chosen, ok := a.selection(len(list))
	if !ok {
		return nil, errNoAnswer
	}
	var out []solve.Candidate
	for i, c := range list {
		if chosen[i] {
			out = append(out, c)
		}
	}
	return out, nil
}
