// SPDX-License-Identifier: GPL-3.0-or-later

package tree_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rastos/rastos/bench/duel"
	"github.com/rastos/rastos/bench/figure"
	"github.com/rastos/rastos/internal/flow"
	"github.com/rastos/rastos/internal/testkit"
)

// stopwatch runs verbs one after the other on a machine that is there.
type stopwatch struct {
	t   *testing.T
	in  io.Writer
	out *bufio.Scanner
}

func (m *machine) stopwatch() stopwatch {
	m.t.Helper()
	cmd := m.inside(m.t.Context(), measured)
	in, err := cmd.StdinPipe()
	m.must(err)
	out, err := cmd.StdoutPipe()
	m.must(err)
	m.must(cmd.Start())
	m.t.Cleanup(func() { in.Close(); _ = cmd.Wait() })
	return stopwatch{m.t, in, bufio.NewScanner(out)}
}

// run is how long a verb took, from the start of its process to the end, in ms.
func (w stopwatch) run(verb string) float64 {
	w.t.Helper()
	var nanoseconds int64
	code := -1
	if _, err := fmt.Fprintln(w.in, verb); err != nil {
		w.t.Fatal(err)
	}
	if w.out.Scan() {
		_, _ = fmt.Sscan(w.out.Text(), &nanoseconds, &code)
	}
	if code != 0 {
		w.t.Fatalf("rastos %s: exit code %d (%s)", verb, code, w.out.Text())
	}
	return float64(nanoseconds) / float64(time.Millisecond)
}

// differ makes sure that a diff is worth measuring: it finds what was added.
func (m *machine) differ(a, b, added int) {
	m.t.Helper()
	var d flow.SnapshotDiff
	m.must(json.Unmarshal([]byte(m.ok("snapshot", "diff", fmt.Sprint(a), fmt.Sprint(b), "--json")), &d))
	if got := d.Stat.Files["added"]; got < added {
		m.t.Fatalf("the diff of %d and %d has %d new files, and should have %d", a, b, got, added)
	}
}

// TestFigures measures a system of 100,000 files, and for comparison one of a few.
func TestFigures(t *testing.T) {
	dir := testkit.Figures(t)
	m := newMachine(t)
	m.ok("snapshot", "run", "1", "--", "sh", "-c", `d=0; while [ $d -lt 200 ]; do
		mkdir -p /usr/share/big/$d; f=0
		while [ $f -lt 500 ]; do echo $d$f > /usr/share/big/$d/$f; f=$((f+1)); done
		d=$((d+1))
	done`)
	m.ok("deploy", "2", "--yes") // its initramfs and blobs are there from now on
	many := map[string]string{}
	for i := range 2000 {
		many[fmt.Sprintf("usr/share/tool/%d", i)] = fmt.Sprintf("new %d\n", i)
	}
	m.publish("tool", "2-1", many)
	m.ok("upgrade", "--yes") // node 3, of 2
	const runs = 9
	w := m.stopwatch()
	for _, f := range []struct{ name, small, large string }{
		{"node-branch", "snapshot branch 1", "snapshot branch 2"},
		{"node-deploy", "deploy 1 --yes", "deploy 2 --yes"},
		{"node-rollback", "rollback --to 1 --yes", "rollback --to 2 --yes"},
	} {
		var small, large []float64
		for range runs {
			small, large = append(small, w.run(f.small)), append(large, w.run(f.large))
		}
		ours := duel.Round(figure.Median(large))
		t.Logf("%s: %.0f ms (%.0f to %.0f), with a few files %.0f ms", f.name, ours, slices.Min(large), slices.Max(large), figure.Median(small))
		m.must(figure.Write(dir, figure.Figure{
			Name: f.name, Value: ours, Unit: "ms", Ours: ours, Runs: runs, Command: "rastos " + f.large, Date: time.Now().UTC().Truncate(time.Second),
		}))
	}
	m.differ(2, 3, len(many))
	var diffs []float64
	for range runs {
		diffs = append(diffs, w.run("snapshot diff 2 3")/1000)
	}
	t.Logf("node-diff: %.2f s (%.2f to %.2f)", figure.Median(diffs), slices.Min(diffs), slices.Max(diffs))
	m.must(figure.Write(dir, figure.Figure{
		Name: "node-diff", Value: duel.Round(figure.Median(diffs)), Unit: "s", Ours: duel.Round(figure.Median(diffs)), Runs: runs,
		Command: "rastos snapshot diff 2 3", Date: time.Now().UTC().Truncate(time.Second),
	}))
	if !strings.HasPrefix(m.shape(), "1(0) 2(1) 3(2)") {
		t.Errorf("the tree is %s", m.shape())
	}
}
