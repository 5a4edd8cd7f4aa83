// SPDX-License-Identifier: GPL-3.0-or-later

package trans_test

import (
	"context"
	"math/rand"
	"testing"
	"time"

	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/internal/testkit"
)

// A transaction is killed at random moments, and so is, at times, the recovery
// that follows. The next command leaves exactly the old or the new root. A kill
// shows that no step is missing from the journal; what was written but not
// flushed survives it, so that it shows nothing of the flushes.
func TestKilledAtRandom(t *testing.T) {
	testkit.Integration(t)
	kills := testkit.Rounds(40, 600)
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewSource(seed))
	l := newCutLab(t, grown(rnd, 12, 40))
	change := order{Dir: l.dir, Root: l.ours, Request: l.req}
	l.reset()
	start := time.Now()
	change.killAfter(t, time.Minute)
	whole := time.Since(start)
	var begun, undone, finished, twice int
	for i := range kills {
		l.reset()
		after := time.Duration(rnd.Int63n(int64(whole + whole/10)))
		if !change.killAfter(t, after) {
			l.judge("not killed", nil)
			continue
		}
		cut, err := trans.Interrupted(l.environment())
		must(t, err)
		if cut {
			begun++
		}
		if cut && rnd.Intn(3) == 0 {
			again := order{Dir: l.dir, Root: l.ours, Recover: true, Slow: change.Slow}
			if again.killAfter(t, time.Duration(rnd.Int63n(int64(whole)))) {
				twice++
			}
		}
		rec, err := trans.Recover(context.Background(), l.environment(), nil)
		if err != nil {
			t.Fatalf("kill %d after %v: %v", i, after, err)
		}
		isNew := l.judge("killed after "+after.String(), rec)
		if cut && isNew {
			finished++
		} else if cut {
			undone++
		}
	}
	t.Logf("%d kills in %v: %d with a journal: %d taken back, %d finished; %d recoveries were killed, too", kills, whole, begun, undone, finished, twice)
	if undone == 0 || finished == 0 {
		t.Errorf("the moments are badly chosen: %d were taken back and %d finished", undone, finished)
	}
}
