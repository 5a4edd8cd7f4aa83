// SPDX-License-Identifier: GPL-3.0-or-later

package differential_test

import (
	"context"
	"fmt"
	"regexp"
	"testing"
	"time"

	"github.com/rastos/rastos/alpm/libalpm/libalpmtest"
)

// TestLibrary is the second judge: the same stories told to pacman and to the
// library below it, which our engine for libalpm drives. What it leaves is
// what our requests mean.
func TestLibrary(t *testing.T) {
	engine := libalpmtest.Engine(t)
	j := newJudge(t)
	j.programs = []program{theirs, func(ctx context.Context, argv []string) (outcome, error) { return by(ctx, engine, argv) }}
	j.compare = compareLibrary
	j.tellAll(t, 0, number(t, "RASTOS_TEST_SEEDS", 60), time.Time{})
}

// unasked is what pacman's command line refuses before it asks the library.
var unasked = regexp.MustCompile(`(?m)^error: (no usable package repositories configured|no targets specified)|requires an argument$`)

// compareLibrary compares what is left, and whether it went well. The library
// says nothing by itself, and what it logs is worded by who drives it.
func compareLibrary(r *reached) verdict {
	const log = "var/log/pacman.log"
	delete(r.trees[0], log)
	delete(r.trees[1], log)
	left := difference(r.trees[0], r.trees[1])
	a, b := r.outcomes[0], r.outcomes[1]
	if unasked.MatchString(a.err) {
		a.code = b.code // the library has nothing to do, and must leave all as it is
	}
	switch {
	case (a.code == 0) != (b.code == 0):
		return verdict{kind: "exit code", text: fmt.Sprintf("(pacman and the library: %d, %d)\n%s%s\n%s\n%s", a.code, b.code, a.out, a.err, b.err, left)}
	case left != "":
		return verdict{kind: "tree", text: fmt.Sprintf("(-pacman +library):\n%s\n%s", left, b.err)}
	}
	return verdict{}
}
