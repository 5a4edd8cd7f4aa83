// SPDX-License-Identifier: GPL-3.0-or-later

package history

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rastos/rastos/alpm/version"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// newLog has a clock that goes on one minute with every look at it.
func newLog(t *testing.T) *Log {
	t.Helper()
	ticks := -1
	return &Log{Path: filepath.Join(t.TempDir(), "var/lib/rastos/history.jsonl"), Now: func() time.Time {
		ticks++
		return start.Add(time.Duration(ticks) * time.Minute)
	}}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func upgrade(name, old, next string) Change {
	return Change{Name: name, Old: &Version{Version: old, Reason: "depend"}, New: &Version{Version: next, SHA256: "ab"}}
}

func (l *Log) read(t *testing.T) []Entry {
	t.Helper()
	entries, damaged, err := l.Read()
	must(t, err)
	if damaged != 0 {
		t.Errorf("%d damaged lines", damaged)
	}
	return entries
}

func TestWhatWasWrittenIsRead(t *testing.T) {
	l := newLog(t)
	if got := l.read(t); len(got) != 0 {
		t.Fatalf("a history that was never written has %v", got)
	}
	first := Entry{Command: []string{"rastos", "pkg", "install", "a b"}, User: "anna", Changes: []Change{upgrade("a", "1-1", "2-1")}}
	id, err := l.Begin(first)
	must(t, err)
	must(t, l.End(id, End{Result: Done, Node: 5, Deployment: 7}))
	second, err := l.Begin(Entry{Undoes: id, Changes: []Change{upgrade("a", "2-1", "1-1")}})
	must(t, err)
	must(t, l.End(second, End{Result: Failed, Error: "no room"}))

	want := []Entry{first, {Undoes: "1", Changes: []Change{upgrade("a", "2-1", "1-1")}}}
	want[0].ID, want[0].Time, want[0].Ended, want[0].Result = "1", start, start.Add(time.Minute), Done
	want[0].Node, want[0].Deployment = 5, 7
	want[1].ID, want[1].Time, want[1].Ended, want[1].Result = "2", start.Add(2*time.Minute), start.Add(3*time.Minute), Failed
	want[1].Error = "no room"
	if diff := cmp.Diff(want, l.read(t)); diff != "" {
		t.Error(diff)
	}
	if got := want[0].CommandLine(); got != "rastos pkg install 'a b'" {
		t.Errorf("the command line is %s", got)
	}
}

// TestACrashAtAnyByteLosesNoEarlierEntry cuts the file off after each byte and
// goes on from there.
func TestACrashAtAnyByteLosesNoEarlierEntry(t *testing.T) {
	l := newLog(t)
	for i := range 2 {
		id, err := l.Begin(Entry{Changes: []Change{upgrade("a", fmt.Sprint(i), fmt.Sprint(i+1))}})
		must(t, err)
		must(t, l.End(id, End{Result: Done}))
	}
	whole, err := os.ReadFile(l.Path)
	must(t, err)
	for cut := range len(whole) + 1 {
		must(t, os.WriteFile(l.Path, whole[:cut], 0o644))
		complete := bytes.Count(whole[:cut], []byte("\n"))
		id, err := l.Begin(Entry{})
		must(t, err)
		entries := l.read(t)
		if want := (complete+1)/2 + 1; len(entries) != want || id != fmt.Sprint(want) {
			t.Fatalf("cut after %d bytes: %d entries, the new one is %s", cut, len(entries), id)
		}
	}
}

func TestACutOffTransactionIsSettledByWhatIsInstalled(t *testing.T) {
	changes := []Change{upgrade("a", "1", "2"), {Name: "b", New: &Version{Version: "1"}}, {Name: "c", Old: &Version{Version: "1"}}}
	for installed, want := range map[string]string{
		"a=2 b=1": "finished by recovery", "a=1 c=1": "taken back by recovery", "a=2 c=1": "1 of 3 changes",
	} {
		l := newLog(t)
		_, err := l.Begin(Entry{Changes: changes})
		must(t, err)
		if got := l.read(t)[0].Result; got != Unfinished {
			t.Errorf("before: %s", got)
		}
		now := map[string]string{}
		for _, word := range strings.Fields(installed) {
			name, v, _ := strings.Cut(word, "=")
			now[name] = v
		}
		lookup := func(name string) string { return now[name] }
		must(t, l.Close(lookup))
		must(t, l.Close(lookup)) // again: nothing more
		entries := l.read(t)
		if len(entries) != 1 || entries[0].Result != Recovered || !strings.Contains(entries[0].Note, want) {
			t.Errorf("%s: %+v", installed, entries)
		}
	}
}

func TestADamagedLineHidesNoOther(t *testing.T) {
	l := newLog(t)
	for range 3 {
		_, err := l.Begin(Entry{})
		must(t, err)
	}
	data, err := os.ReadFile(l.Path)
	must(t, err)
	lines := strings.SplitAfter(string(data), "\n")
	lines[1] = strings.Repeat("\x00", 20) + "\n"
	must(t, os.WriteFile(l.Path, []byte(strings.Join(lines, "")), 0o644))
	entries, damaged, err := l.Read()
	if err != nil || damaged != 1 || len(entries) != 2 {
		t.Errorf("%d entries, %d damaged, %v", len(entries), damaged, err)
	}
	if id, err := l.Begin(Entry{}); err != nil || id != "4" {
		t.Errorf("the next one is %s, %v", id, err)
	}
}

func TestWritersSideBySideGetNumbersOfTheirOwn(t *testing.T) {
	l := &Log{Path: filepath.Join(t.TempDir(), "h"), Now: func() time.Time { return start }}
	var mu sync.Mutex
	seen := map[string]bool{}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			id, err := l.Begin(Entry{})
			if err == nil {
				err = l.End(id, End{Result: Done})
			}
			mu.Lock()
			defer mu.Unlock()
			if err != nil || seen[id] {
				t.Errorf("%s: %v", id, err)
			}
			seen[id] = true
		})
	}
	wg.Wait()
	if got := l.read(t); len(got) != 20 {
		t.Errorf("%d entries", len(got))
	}
}

func TestAHistoryThatCannotBeWrittenIsAnError(t *testing.T) {
	dir := t.TempDir()
	l := &Log{Path: filepath.Join(dir, "file", "h"), Now: func() time.Time { return start }}
	must(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o644))
	if _, err := l.Begin(Entry{}); err == nil || !strings.HasPrefix(err.Error(), "write the history: ") {
		t.Errorf("got %v", err)
	}
	var path *os.PathError
	if _, _, err := l.Read(); !errors.As(err, &path) {
		t.Errorf("got %v", err)
	}
}

func TestKindsAndLookups(t *testing.T) {
	v := func(s string) *Version { return &Version{Version: s} }
	for want, c := range map[string]Change{
		"install": {New: v("1")}, "remove": {Old: v("1")}, "upgrade": {Old: v("1.9"), New: v("1.10")},
		"downgrade": {Old: v("1:1"), New: v("2")}, "reinstall": {Old: v("1"), New: v("1")},
	} {
		if got := c.Kind(version.Compare); got != want {
			t.Errorf("%s instead of %s", got, want)
		}
	}
	entries := []Entry{{ID: "1", Changes: []Change{upgrade("a", "1", "2")}}, {ID: "2", Changes: []Change{{Name: "a", New: &Version{Version: "2", SHA256: "cd"}}}}}
	if k, ok := Known(entries, "a", "2"); !ok || k.SHA256 != "cd" {
		t.Errorf("known: %+v %v", k, ok)
	}
	if _, ok := Known(entries, "a", "1"); ok {
		t.Error("a version that no transaction installed is known")
	}
	if _, ok := Find(entries, "3"); ok || !entries[0].Touches("a") || entries[0].Touches("b") {
		t.Error("found what is not there")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"event":"begin","id":"1","time":"2026-03-01T12:00:00Z","result":"unfinished"}` + "\n" + `{"event":"end","id":"1","time":"2026-03-01T12:00:00Z","result":"done"}` + "\n"))
	f.Add([]byte("{}\n\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, _ := Decode(data)
		seen := map[string]bool{}
		for _, e := range entries {
			if e.ID == "" || seen[e.ID] {
				t.Errorf("id %q", e.ID)
			}
			seen[e.ID] = true
		}
	})
}
