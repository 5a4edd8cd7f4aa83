// SPDX-License-Identifier: GPL-3.0-or-later

package node

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func dated(t *testing.T, moments ...string) (out []Dated) {
	t.Helper()
	for i, m := range moments {
		at, err := time.ParseInLocation("2006-01-02 15:04", m, time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, Dated{Number: i + 1, At: at})
	}
	return out
}

func TestRulesKeepTheLastOfEachPeriod(t *testing.T) {
	series := dated(t, "2025-12-30 10:00", "2025-12-31 10:00", "2026-01-01 09:00", "2026-01-01 23:30", "2026-01-02 00:30")
	berlin := time.FixedZone("", 3600)
	for _, tt := range []struct {
		name string
		keep Keep
		loc  *time.Location
		want map[int]string
	}{
		{"no rule", Keep{}, time.UTC, map[int]string{1: "[snapshots] keep has no rule", 2: "[snapshots] keep has no rule", 3: "[snapshots] keep has no rule", 4: "[snapshots] keep has no rule", 5: "[snapshots] keep has no rule"}},
		{"the newest", Keep{Last: 2}, time.UTC, map[int]string{4: "one of the 2 newest", 5: "one of the 2 newest"}},
		{"days", Keep{Daily: 2}, time.UTC, map[int]string{5: "the last of 2026-01-02", 4: "the last of 2026-01-01"}},
		{"days of another clock", Keep{Daily: 2}, berlin, map[int]string{5: "the last of 2026-01-02", 3: "the last of 2026-01-01"}},
		{"a week over the turn of the year", Keep{Weekly: 5}, time.UTC, map[int]string{5: "the last of week 1 of 2026"}},
		{"months", Keep{Monthly: 2}, time.UTC, map[int]string{5: "the last of January 2026", 2: "the last of December 2025"}},
		{"several", Keep{Last: 1, Daily: 1, Monthly: 2}, time.UTC, map[int]string{5: "one of the 1 newest", 2: "the last of December 2025"}},
	} {
		if diff := cmp.Diff(tt.want, tt.keep.Pick(series, tt.loc)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
	series[4].Passing = true
	if got := (Keep{Daily: 1}).Pick(series, time.UTC); got[4] == "" || len(got) != 1 {
		t.Errorf("a passing one stood for its day: %v", got)
	}
}

// TestMoreRulesKeepMore: whatever the series, a rule more never removes anything,
// and each rule keeps at most what it says.
func TestMoreRulesKeepMore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var series []Dated
		for i := range rapid.IntRange(0, 30).Draw(t, "count") {
			series = append(series, Dated{Number: i + 1, At: time.Unix(int64(rapid.IntRange(0, 200*86400).Draw(t, "at")), 0)})
		}
		k := Keep{
			Last: rapid.IntRange(0, 4).Draw(t, "last"), Daily: rapid.IntRange(1, 4).Draw(t, "daily"), Weekly: rapid.IntRange(0, 4).Draw(t, "weekly"),
		}
		more := k
		more.Monthly = rapid.IntRange(0, 4).Draw(t, "monthly")
		few, many := k.Pick(series, time.UTC), more.Pick(series, time.UTC)
		for number := range few {
			if many[number] == "" {
				t.Fatalf("%d went by a rule more", number)
			}
		}
		if len(many) > more.Last+more.Daily+more.Weekly+more.Monthly {
			t.Fatalf("%+v kept %v", more, slices.Collect(maps.Keys(many)))
		}
		if len(series) > 0 && len(few) == 0 {
			t.Fatal("nothing was kept")
		}
	})
}
