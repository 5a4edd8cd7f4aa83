// SPDX-License-Identifier: GPL-3.0-or-later

package plan

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rastos/rastos/internal/report"
)

// track makes steps that write down what they do.
type track struct{ log []string }

func (tr *track) step(name string, do, undo error) Step {
	return Step{
		Name: name,
		Do:   func(context.Context) error { tr.log = append(tr.log, "do "+name); return do },
		Undo: func(ctx context.Context) error {
			tr.log = append(tr.log, "undo "+name)
			return errors.Join(ctx.Err(), undo)
		},
	}
}

func TestStepsRunInOrder(t *testing.T) {
	tr := &track{}
	var events []string
	sink := report.SinkFunc(func(e report.Event) { events = append(events, string(e.Kind)+" "+e.Task) })
	if err := Run(t.Context(), sink, []Step{tr.step("a", nil, nil), tr.step("b", nil, nil)}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"do a", "do b"}, tr.log); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"start a", "done a", "start b", "done b"}, events); diff != "" {
		t.Error(diff)
	}
}

func TestFailureUndoesInReverse(t *testing.T) {
	tr := &track{}
	boom := errors.New("boom")
	noUndo := tr.step("c", nil, nil)
	noUndo.Undo = nil
	err := Run(t.Context(), report.Discard{}, []Step{
		tr.step("a", nil, nil), tr.step("b", nil, nil), noUndo, tr.step("d", boom, nil), tr.step("e", nil, nil),
	})
	if !errors.Is(err, boom) || err.Error() != "d: boom" {
		t.Errorf("error = %v", err)
	}
	want := []string{"do a", "do b", "do c", "do d", "undo b", "undo a"}
	if diff := cmp.Diff(want, tr.log); diff != "" {
		t.Error(diff)
	}
}

func TestAllAreUndoneEvenIfOneCannotBe(t *testing.T) {
	tr := &track{}
	boom, stuck := errors.New("boom"), errors.New("stuck")
	err := Run(t.Context(), report.Discard{}, []Step{tr.step("a", nil, nil), tr.step("b", nil, stuck), tr.step("c", boom, nil)})
	if !errors.Is(err, boom) || !errors.Is(err, stuck) {
		t.Errorf("error = %v, want both causes", err)
	}
	if got := tr.log[len(tr.log)-1]; got != "undo a" {
		t.Errorf("the last act was %q", got)
	}
}

func TestInterruptBetweenStepsUndoesWithALiveContext(t *testing.T) {
	tr := &track{}
	ctx, cancel := context.WithCancel(t.Context())
	first := tr.step("a", nil, nil)
	do := first.Do
	first.Do = func(ctx context.Context) error { defer cancel(); return do(ctx) }
	err := Run(ctx, report.Discard{}, []Step{first, tr.step("b", nil, nil)})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v", err)
	}
	var se *StepError
	if !errors.As(err, &se) || se.Undo != nil {
		t.Errorf("undo saw the cancelled context: %v", err)
	}
	if diff := cmp.Diff([]string{"do a", "undo a"}, tr.log); diff != "" {
		t.Error(diff)
	}
}

func TestNamesMustDiffer(t *testing.T) {
	tr := &track{}
	if Run(t.Context(), report.Discard{}, []Step{tr.step("a", nil, nil), tr.step("a", nil, nil)}) == nil {
		t.Error("two steps of one name were accepted: a journal could not tell them apart")
	}
	if len(tr.log) != 0 {
		t.Errorf("something ran: %v", tr.log)
	}
}

func TestPlanIsAValue(t *testing.T) {
	tr := &track{}
	s := tr.step("a", nil, nil)
	s.Detail = "write a"
	got, err := json.Marshal([]Step{s})
	if err != nil || string(got) != `[{"name":"a","detail":"write a"}]` {
		t.Errorf("%s, %v", got, err)
	}
}

func TestScopeReleasesAllInReverse(t *testing.T) {
	var log []string
	var s Scope
	ctx, cancel := context.WithCancel(t.Context())
	for _, name := range []string{"a", "b", "c"} {
		s.Defer("release "+name, func(ctx context.Context) error {
			log = append(log, name)
			if name == "b" {
				return errors.New("busy")
			}
			return ctx.Err()
		})
	}
	cancel()
	err := s.Release(ctx)
	if err == nil || err.Error() != "release b: busy" {
		t.Errorf("error = %v", err)
	}
	if diff := cmp.Diff([]string{"c", "b", "a"}, log); diff != "" {
		t.Error(diff)
	}
	if err := s.Release(ctx); err != nil || len(log) != 3 {
		t.Error("a second release did something")
	}
}

func TestScopeCloseJoinsAndKeepForgets(t *testing.T) {
	work := func(keep bool) (err error) {
		var s Scope
		defer s.Close(&err)
		s.Defer("release", func(context.Context) error { return errors.New("busy") })
		if keep {
			s.Keep()
		}
		return errors.New("failed")
	}
	if err := work(false); err == nil || !strings.Contains(err.Error(), "failed") || !strings.Contains(err.Error(), "release: busy") {
		t.Errorf("error = %v", err)
	}
	if err := work(true); err == nil || err.Error() != "failed" {
		t.Errorf("error = %v", err)
	}
}

// TestJournalSurvivesACutAnywhere cuts a journal after every byte: what was
// written before the cut must be read back, and resuming must work.
func TestJournalSurvivesACutAnywhere(t *testing.T) {
	dir := t.TempDir()
	now := func() time.Time { return time.Unix(1700000000, 0) }
	j, err := Create(filepath.Join(dir, "journal"), map[string]string{"verb": "upgrade"}, now)
	if err != nil {
		t.Fatal(err)
	}
	tr := &track{}
	boom := errors.New("boom")
	runErr := Runner{Sink: report.Discard{}, Journal: j}.Run(t.Context(), []Step{
		tr.step("a", nil, nil), tr.step("b", nil, nil), tr.step("c", boom, nil),
	})
	if err := j.End(runErr); err != nil {
		t.Fatal(err)
	}
	whole := readFile(t, filepath.Join(dir, "journal"))
	lines := strings.SplitAfter(string(whole), "\n")
	for n := 1; n <= len(whole); n++ {
		complete := strings.Count(string(whole[:n]), "\n")
		path := filepath.Join(dir, fmt.Sprint("cut", n))
		writeFile(t, path, whole[:n])
		j, state, err := Resume(path, now)
		if complete == 0 {
			if err == nil {
				t.Fatalf("cut at %d: a journal without its first line was accepted", n)
			}
			continue
		}
		if err != nil {
			t.Fatalf("cut at %d: %v", n, err)
		}
		wantFinished(t, n, state, lines[:complete])
		if err := j.Done("later"); err != nil {
			t.Fatal(err)
		}
		got := string(readFile(t, path))
		if !strings.HasPrefix(got, strings.Join(lines[:complete], "")) || strings.Count(got, "\n") != complete+1 {
			t.Fatalf("cut at %d: resumed journal is\n%s", n, got)
		}
	}
}

// wantFinished compares the state with what the complete lines say.
func wantFinished(t *testing.T, n int, state *State, lines []string) {
	t.Helper()
	finished := map[string]bool{}
	for _, l := range lines {
		var r Record
		if err := json.Unmarshal([]byte(l), &r); err != nil {
			t.Fatal(err)
		}
		switch r.What {
		case WhatDone:
			finished[r.Step] = true
		case WhatUndone:
			delete(finished, r.Step)
		}
	}
	for _, step := range []string{"a", "b", "c"} {
		if state.Finished(step) != finished[step] {
			t.Fatalf("cut at %d: Finished(%s) = %v", n, step, !finished[step])
		}
	}
	if string(state.Plan) != `{"verb":"upgrade"}` {
		t.Fatalf("cut at %d: plan = %s", n, state.Plan)
	}
}

func TestResumeSkipsWhatIsFinished(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	now := func() time.Time { return time.Unix(1700000000, 0) }
	j, err := Create(path, nil, now)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{j.Start("a"), j.Done("a"), j.Start("b"), j.Data("b", 7)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	j, state, err := Resume(path, now)
	if err != nil {
		t.Fatal(err)
	}
	if state.Running != "b" || string(state.Data("b")) != "7" || state.Ended {
		t.Errorf("running %q, data %s, ended %v", state.Running, state.Data("b"), state.Ended)
	}
	tr := &track{}
	r := Runner{Sink: report.Discard{}, Journal: j, Finished: state.Finished}
	if err := r.Run(t.Context(), []Step{tr.step("a", nil, nil), tr.step("b", nil, nil)}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"do b"}, tr.log); diff != "" {
		t.Error(diff)
	}
}

func TestJournalDamagedInsideIsRefused(t *testing.T) {
	for name, text := range map[string]string{
		"not JSON":     "{\"what\":\"begin\"}\nxx\n{\"what\":\"end\"}\n",
		"two begins":   "{\"what\":\"begin\"}\n{\"what\":\"begin\"}\n",
		"no beginning": "{\"what\":\"start\",\"step\":\"a\"}\n",
		"empty":        "",
	} {
		if _, err := Read(strings.NewReader(text)); err == nil {
			t.Errorf("%s: it was accepted", name)
		}
	}
}

// TestUnrecordedWorkIsUndone: when the journal cannot say that a step is
// done, the step must not stay done.
func TestUnrecordedWorkIsUndone(t *testing.T) {
	j, err := Create(filepath.Join(t.TempDir(), "journal"), nil, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	tr := &track{}
	s := tr.step("a", nil, nil)
	s.Do = func(context.Context) error { tr.log = append(tr.log, "do a"); return j.f.Close() }
	err = Runner{Sink: report.Discard{}, Journal: j}.Run(t.Context(), []Step{s})
	if err == nil || !strings.Contains(err.Error(), "write journal") {
		t.Errorf("error = %v", err)
	}
	if diff := cmp.Diff([]string{"do a", "undo a"}, tr.log); diff != "" {
		t.Error(diff)
	}
}

func FuzzRead(f *testing.F) {
	f.Add("{\"what\":\"begin\"}\n{\"what\":\"start\",\"step\":\"a\"}\n")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Read(strings.NewReader(text))
		if err == nil && (s.length == 0 || s.length > int64(len(text))) {
			t.Errorf("length %d of %d", s.length, len(text))
		}
	})
}
