// SPDX-License-Identifier: GPL-3.0-or-later

package differential_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rastos/rastos/bench/figure"
	"github.com/rastos/rastos/internal/host/run"
	"github.com/rastos/rastos/internal/testkit"
)

func TestMain(m *testing.M) {
	run.MaybeChild()
	os.Exit(m.Run())
}

// newJudge makes roots in memory where it can.
func newJudge(t testing.TB) *judge {
	t.Helper()
	testkit.Integration(t)
	testkit.NeedRoot(t)
	testkit.NeedTool(t, "pacman")
	shell := testkit.NeedTool(t, "busybox")
	memory := ""
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		memory = "/dev/shm"
	}
	dir, err := os.MkdirTemp(memory, "rastos-differential-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	j := &judge{dir: dir, shell: filepath.Join(dir, "sh"), programs: []program{theirs, ours, direct}, compare: compareOurs}
	data, err := os.ReadFile(shell)
	if err == nil {
		err = os.WriteFile(j.shell, data, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// TestStories tells the stories in testdata: each is a difference that there
// was, or something that is not to be lost.
func TestStories(t *testing.T) {
	eachStory(t, "testdata", func(t *testing.T, v verdict) {
		if v.kind != "" || v.excepted != "" {
			t.Errorf("another %s %s: %s", v.kind, v.excepted, v.text)
		}
	})
}

// TestExceptions tells one story for each exception, which has its name.
func TestExceptions(t *testing.T) {
	told := map[string]bool{}
	eachStory(t, "testdata/exceptions", func(t *testing.T, v verdict) {
		if told[v.excepted] = true; v.excepted != filepath.Base(t.Name()) {
			t.Errorf("the exception %q showed, %s: %s", v.excepted, v.kind, v.text)
		}
	})
	for _, e := range exceptions() {
		if !told[e.name] {
			t.Errorf("no story shows the exception %s (%s)", e.name, e.why)
		}
	}
}

// TestExceptionsAreTold: people read of each exception.
func TestExceptionsAreTold(t *testing.T) {
	text, err := os.ReadFile("../../docs/pacman.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range exceptions() {
		if !strings.Contains(string(text), "`"+e.name+"`") {
			t.Errorf("docs/pacman.md does not tell of %s (%s)", e.name, e.why)
		}
	}
}

func eachStory(t *testing.T, dir string, check func(*testing.T, verdict)) {
	t.Helper()
	j := newJudge(t)
	files, err := filepath.Glob(filepath.Join(dir, "*.story"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories in %s: %v", dir, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".story"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s, err := parseStory(string(text))
			if err != nil {
				t.Fatal(err)
			}
			v, err := j.hear(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			check(t, v)
		})
	}
}

// generated is how many stories every run makes up; RASTOS_TEST_SEEDS asks for
// more, RASTOS_TEST_FIRST_SEED for others.
const generated = 400

func number(t testing.TB, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		t.Fatalf("%s=%s is no number", name, text)
	}
	return n
}

// TestGenerated makes up stories.
func TestGenerated(t *testing.T) {
	j := newJudge(t)
	first := number(t, "RASTOS_TEST_FIRST_SEED", 0)
	tally := j.tellAll(t, first, first+number(t, "RASTOS_TEST_SEEDS", generated), time.Time{})
	if tally.stories > 50 && tally.differences == 0 && tally.done < tally.stories*3/2 {
		t.Errorf("%d stories with %d transactions that were carried out: they say too little", tally.stories, tally.done)
	}
}

// tally counts what was told.
type tally struct{ stories, transactions, done, excepted, differences int }

// mostShown limits the differences that are made short and printed.
const mostShown = 8

// tellAll tells the stories of seeds first up to end, on all cores, until the
// time is up.
func (j *judge) tellAll(t *testing.T, first, end int, until time.Time) (sum tally) {
	t.Helper()
	seeds := make(chan int)
	var mu sync.Mutex
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for seed := range seeds {
				s := generate(uint64(seed))
				v, err := j.hear(t.Context(), s)
				mu.Lock()
				if err != nil {
					t.Errorf("seed %d: %v\n%s", seed, err, s)
				}
				sum.stories++
				sum.transactions += s.runs()
				sum.done += v.done
				if v.excepted != "" {
					sum.excepted++
				}
				if v.kind != "" {
					sum.differences++
				}
				show := v.kind != "" && sum.differences <= mostShown
				mu.Unlock()
				if show {
					t.Error(j.report(t.Context(), seed, s, v))
				}
			}
		})
	}
	for seed := first; seed < end && (until.IsZero() || time.Now().Before(until)) && t.Context().Err() == nil; seed++ {
		seeds <- seed
	}
	close(seeds)
	workers.Wait()
	if sum.differences > 0 {
		t.Errorf("%d of %d stories end differently", sum.differences, sum.stories)
	}
	t.Logf("%d stories, %d transactions, %d of them carried out; %d stories end by an exception", sum.stories, sum.transactions, sum.done, sum.excepted)
	return sum
}

// tries is how often a story is told again to make it shorter.
const tries = 400

// report makes a story in which the programs differ short, and prints it.
func (j *judge) report(ctx context.Context, seed int, s story, v verdict) string {
	short := shrink(s, tries, func(c story) bool {
		got, err := j.hear(ctx, c)
		if err == nil && got.kind == v.kind {
			return true
		}
		return false
	})
	if last, err := j.hear(ctx, short); err == nil {
		v = last
	}
	return fmt.Sprintf("seed %d: another %s; put the story into testdata/NAME.story:\n%s\n%s", seed, v.kind, short, v.text)
}

// TestSoak tells stories for RASTOS_TEST_SOAK_MINUTES (20), at least ten
// thousand in that time on an idle machine, and writes the figures of it.
func TestSoak(t *testing.T) {
	testkit.Soak(t)
	j := newJudge(t)
	first := number(t, "RASTOS_TEST_FIRST_SEED", 1_000_000)
	minutes := number(t, "RASTOS_TEST_SOAK_MINUTES", 20)
	sum := j.tellAll(t, first, first+number(t, "RASTOS_TEST_SEEDS", 100_000_000), time.Now().Add(time.Duration(minutes)*time.Minute))
	for name, value := range map[string]int{"differential-cases": sum.stories, "differential-differences": sum.differences} {
		f := figure.Figure{Name: name, Value: float64(value), Unit: "count", Ours: float64(value), Peer: "pacman", Runs: 1, Command: "make soak", Date: time.Now().UTC()}
		if err := figure.Write("../../build/figures", f); err != nil {
			t.Error(err)
		}
	}
}
