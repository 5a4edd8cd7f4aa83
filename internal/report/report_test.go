// SPDX-License-Identifier: GPL-3.0-or-later

package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vbauerster/mpb/v8"
)

// clock is a clock that tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.at }

func (c *clock) move(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.at = c.at.Add(d) }

func newClock() *clock { return &clock{at: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }

// play emits what a short piece of work would, on any renderer.
func play(s Sink, c *clock) {
	Notef(s, "building %s", "atlas")
	task := Begin(s, "download", 4<<20, Bytes)
	task.Progress(1 << 20) // too soon to be told
	c.move(11 * time.Second)
	task.Progress(2 << 20)
	c.move(time.Second)
	task.End(nil, "7 files")
	s.Emit(Event{Kind: Output, Task: "ldconfig", Message: "a line"})
	Warnf(s, "the key of %s expires soon", "core")
	task = Begin(s, "install", 0, Items)
	task.End(errors.New("disk full"), "")
	s.Emit(Event{Kind: Result, Data: map[string]int{"node": 3}})
}

func TestPlain(t *testing.T) {
	var out strings.Builder
	c := newClock()
	p := NewPlain(&out, c.now)
	play(p, c)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	Notef(p, "after the end")
	want := `building atlas
download
download: 2.0 MiB of 4.0 MiB (50%)
download: done in 12.0 s: 7 files
  ldconfig| a line
warning: the key of core expires soon
install
install: failed in 0.0 s: disk full
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

func TestJSONIsOneObjectALine(t *testing.T) {
	var out strings.Builder
	c := newClock()
	j := NewJSON(&out, c.now)
	play(j, c)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for line := range strings.Lines(out.String()) {
		var e struct {
			Time time.Time
			Kind string
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.Time.IsZero() {
			t.Fatalf("%q: %v", line, err)
		}
		kinds = append(kinds, e.Kind)
	}
	want := []string{"note", "start", "progress", "progress", "done", "output", "warning", "start", "failed", "result"}
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(out.String(), `"data":{"node":3}`) {
		t.Error("the result's data is missing")
	}
}

func TestTerminalDrawsBarsAndLines(t *testing.T) {
	var out syncBuilder
	c := newClock()
	term := NewTerminal(&out, Style{}, c.now, mpb.ForceTTY(), mpb.WithWidth(80))
	Notef(term, "before any bar")
	task := Begin(term, "download", 4<<20, Bytes)
	task.Progress(4 << 20) // full, but not done
	time.Sleep(250 * time.Millisecond)
	c.move(2 * time.Second)
	task.End(nil, "7 files")
	Begin(term, "never closed", 0, Items)
	fmt.Fprintln(term, "a log line")
	if err := term.Close(); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(term, "a late log line")
	for _, want := range []string{"before any bar\n", "4.0 MiB / 4.0 MiB", "100 %", "✓ download: 7 files (2.0 s)", "a log line\n", "a late log line\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing from %q", want, out.String())
		}
	}
	if !strings.Contains(out.String(), "\x1b[") {
		t.Error("nothing was redrawn: is this the terminal renderer?")
	}
}

// TestPausedBarsComeBack: what is written between is not torn, no event is
// lost, and an open task is drawn again.
func TestPausedBarsComeBack(t *testing.T) {
	var out syncBuilder
	term := NewTerminal(&out, Style{}, newClock().now, mpb.ForceTTY(), mpb.WithWidth(80))
	task := Begin(term, "unpack", 10, Items)
	Notef(term, "before")
	term.Pause()
	between := len(out.String())
	if !strings.Contains(out.String(), "before\n") {
		t.Error("Pause did not wait for the line")
	}
	time.Sleep(250 * time.Millisecond)
	if len(out.String()) != between {
		t.Error("something was drawn during the pause")
	}
	Notef(term, "during")
	task.Progress(5)
	time.Sleep(250 * time.Millisecond)
	task.End(nil, "")
	if err := term.Close(); err != nil {
		t.Fatal(err)
	}
	after := out.String()[between:]
	for _, want := range []string{"during\n", "5 / 10", "✓ unpack"} {
		if !strings.Contains(after, want) {
			t.Errorf("%q is missing from %q", want, after)
		}
	}
}

type syncBuilder struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *syncBuilder) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuilder) String() string { s.mu.Lock(); defer s.mu.Unlock(); return s.b.String() }

// TestSinksTakeManyGoroutines is one contract for all renderers; the race
// detector is the judge.
func TestSinksTakeManyGoroutines(t *testing.T) {
	for _, format := range []Format{FormatPlain, FormatJSON, FormatTerminal} {
		r := New(format, io.Discard, Style{}, time.Now)
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				task := Begin(r, fmt.Sprint("task", i), 100, Items)
				for n := range int64(100) {
					task.Progress(n)
				}
				task.End(nil, "")
				Notef(r, "over")
			})
		}
		wg.Wait()
		if err := r.Close(); err != nil {
			t.Errorf("%s: %v", format, err)
		}
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestRenderersTellThatNobodyListens(t *testing.T) {
	for _, format := range []Format{FormatPlain, FormatJSON} {
		r := New(format, brokenPipe{}, Style{}, time.Now)
		Notef(r, "hello")
		if err := r.Close(); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("%s: Close = %v", format, err)
		}
	}
}

type hintless struct{ err error }

func (h hintless) Error() string { return h.err.Error() }
func (h hintless) Hint() string  { return "" }
func (h hintless) Unwrap() error { return h.err }

func TestHintIsFoundBelowAnEmptyOne(t *testing.T) {
	err := fmt.Errorf("build: %w", hintless{WithHint(errors.New("no room"), "free %d MB", 5)})
	if got := Hint(err); got != "free 5 MB" {
		t.Errorf("Hint = %q", got)
	}
	if got := Hint(errors.New("plain")); got != "" {
		t.Errorf("Hint = %q", got)
	}
	var out strings.Builder
	PrintError(&out, Style{}, err)
	if out.String() != "error: build: no room\nhint: free 5 MB\n" {
		t.Errorf("%q", out.String())
	}
	out.Reset()
	PrintError(&out, Style{Color: true}, errors.New("x"))
	if out.String() != "\x1b[1;31merror:\x1b[0m x\n" {
		t.Errorf("%q", out.String())
	}
}

func TestTable(t *testing.T) {
	table := NewTable("name", "#size")
	table.Row("zürich", "7")
	table.Row("b", "1000", "surplus")
	table.Row("c")
	var out strings.Builder
	if err := table.Print(&out, Style{}); err != nil {
		t.Fatal(err)
	}
	want := "name    size\nzürich     7\nb       1000\nc\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

func TestSizesAndSpans(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 1<<20 - 1: "1.0 MiB", 5 << 30: "5.0 GiB",
		-2048: "-2.0 KiB", math.MaxInt64: "8.0 EiB", math.MinInt64: "-8.0 EiB",
	} {
		if got := Size(n); got != want {
			t.Errorf("Size(%d) = %q, want %q", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		90 * time.Millisecond: "0.1 s", 59 * time.Second: "59.0 s", 185 * time.Second: "3 min 05 s", 2*time.Hour + 5*time.Minute: "2 h 05 min",
	} {
		if got := Duration(d); got != want {
			t.Errorf("Duration(%v) = %q, want %q", d, got, want)
		}
	}
}
