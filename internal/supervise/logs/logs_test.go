// SPDX-License-Identifier: GPL-3.0-or-later

package logs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// clock goes on by a second with each look at it.
func clock() func() time.Time {
	at := time.Unix(1e9, 0)
	return func() time.Time { at = at.Add(time.Second); return at }
}

func open(t *testing.T, dir string) *Log {
	t.Helper()
	l, err := Open(dir, "web", clock())
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func all(t *testing.T, dir string, q Query) (entries []Entry) {
	t.Helper()
	if err := Read(dir, "web", q, func(e Entry) error { entries = append(entries, e); return nil }); err != nil {
		t.Fatal(err)
	}
	return entries
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	dir := t.TempDir()
	for range 2 { // a second process goes on
		l := open(t, dir)
		w, err := l.Pipe("stdout")
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(w, "one\r\n\n%s\nno end", strings.Repeat("x", maxLine+10))
		w.Close()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	got := all(t, dir, Query{Last: -1})
	if len(got) != 10 {
		t.Fatalf("%d lines: %.200v", len(got), got)
	}
	for i, want := range []string{"one", "", strings.Repeat("x", maxLine), strings.Repeat("x", 10), "no end"} {
		if e := got[i]; e.Text != want || e.Stream != "stdout" || e.Time != time.Unix(1e9, 0).UTC().Add(time.Duration(i+1)*time.Second) {
			t.Errorf("%d: %.100v", i, e)
		}
	}
	if got := all(t, dir, Query{Last: 2}); len(got) != 2 || got[1].Text != "no end" {
		t.Errorf("the last two: %.100v", got)
	}
	if got := all(t, dir, Query{Last: -1, Since: time.Unix(1e9+5, 0)}); len(got) != 2 {
		t.Errorf("from a time on: %d", len(got))
	}
	raw, err := os.ReadFile(filepath.Join(dir, "web", "web_rCURRENT.log"))
	if err != nil || !strings.HasPrefix(string(raw), "2001-09-09T01:46:41.000000Z [stdout] one\n") {
		t.Errorf("%v: %.60s", err, raw)
	}
}

func TestOldLogsArePackedAndGo(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	text := strings.Repeat("y", 1000)
	sent := 8 * MaxSize / 1000
	for i := range sent {
		l.Say("stdout", fmt.Sprint(i, " ", text))
		for len(l.lines) > backlog/2 {
			time.Sleep(time.Millisecond)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Join(dir, "web"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if got := strings.Join(names, " "); got != "web_r00003.log.gz web_r00004.log.gz web_r00005.log.gz web_r00006.log.gz web_r00007.log.gz web_rCURRENT.log" {
		t.Errorf("%s", got)
	}
	got := all(t, dir, Query{Last: -1})
	for i, e := range got {
		if want := fmt.Sprint(sent-len(got)+i, " ", text); e.Text != want {
			t.Fatalf("line %d is %.20q, want %.20q", i, e.Text, want)
		}
	}
	if len(got) < Keep*MaxSize/1100 {
		t.Errorf("only %d lines are kept", len(got))
	}
}

// TestAFloodIsDropped: who writes is never held up, and the log tells what is
// missing.
func TestAFloodIsDropped(t *testing.T) {
	dir := t.TempDir()
	l := &Log{dir: filepath.Join(dir, "web"), name: "web", now: clock(), lines: make(chan string, backlog), done: make(chan struct{})}
	if err := os.MkdirAll(l.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := l.open(); err != nil {
		t.Fatal(err)
	}
	for i := range 3 * backlog { // nobody writes yet
		l.Say("stdout", fmt.Sprint(i))
	}
	go l.write(l.lines)
	for len(l.lines) > 0 {
		time.Sleep(time.Millisecond)
	}
	l.Say("stdout", "after")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	got := all(t, dir, Query{Last: 3})
	if got[0].Text != fmt.Sprint(backlog-1) || got[1].Text != fmt.Sprintf("%d lines came too fast and were dropped", 2*backlog) || got[1].Stream != "log" || got[2].Text != "after" {
		t.Errorf("%v", got)
	}
}

// TestFollow reads over the beginning of another log.
func TestFollow(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	l.Say("stdout", "before")
	for len(all(t, dir, Query{Last: -1})) == 0 {
		time.Sleep(time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	enough := errors.New("enough")
	next := 0
	go func() {
		for i := range 1000 {
			l.Say("stdout", fmt.Sprint(i, " ", strings.Repeat("z", 1000)))
			time.Sleep(100 * time.Microsecond)
		}
	}()
	err := Follow(ctx, dir, "web", Query{Last: 0}, func(e Entry) error {
		var n int
		if _, err := fmt.Sscan(e.Text, &n); err != nil {
			return fmt.Errorf("%q: %w", e.Text, err)
		}
		if next > 0 && n != next {
			return fmt.Errorf("line %d comes after %d", n, next-1)
		}
		if next = n + 1; next == 1000 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestClosedAtOnce: the writer may not even have begun.
func TestClosedAtOnce(t *testing.T) {
	for range 100 {
		if err := open(t, t.TempDir()).Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNoLogIsEmpty(t *testing.T) {
	if got := all(t, t.TempDir(), Query{Last: -1}); len(got) != 0 {
		t.Error(got)
	}
}
