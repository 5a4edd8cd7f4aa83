// SPDX-License-Identifier: GPL-3.0-or-later

package node

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Keep says how much of a series stays: so many of the newest, and the last one
// of so many days, weeks and months that have one.
type Keep struct {
	Last    int `json:"last"`
	Daily   int `json:"daily"`
	Weekly  int `json:"weekly"`
	Monthly int `json:"monthly"`
}

// Everything tells that no rule is set, so that all of a series stays.
func (k Keep) Everything() bool { return k == Keep{} }

// Dated is one of a series.
type Dated struct {
	Number int
	At     time.Time
	// Passing counts for Last alone: it is no good example of its day.
	Passing bool
}

// Pick tells of each of a series that stays by which rule it does. Days begin
// where the clock of loc says so.
func (k Keep) Pick(series []Dated, loc *time.Location) map[int]string {
	series = slices.SortedFunc(slices.Values(series), func(a, b Dated) int {
		return cmp.Or(b.At.Compare(a.At), cmp.Compare(b.Number, a.Number))
	})
	kept := map[int]string{}
	keep := func(d Dated, why string) {
		if kept[d.Number] == "" {
			kept[d.Number] = why
		}
	}
	for i, d := range series {
		if k.Everything() {
			keep(d, "[snapshots] keep has no rule")
		} else if i < k.Last {
			keep(d, fmt.Sprintf("one of the %d newest", k.Last))
		}
	}
	for _, rule := range []struct {
		count  int
		period func(time.Time) string
	}{
		{k.Daily, func(t time.Time) string { return t.Format("2006-01-02") }},
		{k.Weekly, func(t time.Time) string { year, week := t.ISOWeek(); return fmt.Sprintf("week %d of %d", week, year) }},
		{k.Monthly, func(t time.Time) string { return t.Format("January 2006") }},
	} {
		seen := map[string]bool{}
		for _, d := range series {
			period := rule.period(d.At.In(loc))
			if d.Passing || seen[period] || len(seen) == rule.count {
				continue
			}
			seen[period] = true
			keep(d, "the last of "+period)
		}
	}
	return kept
}
