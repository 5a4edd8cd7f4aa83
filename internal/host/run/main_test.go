// SPDX-License-Identifier: GPL-3.0-or-later

package run_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/rastos/rastos/internal/host/run"
)

// helperRoot is the variable that makes this test program the victim of
// TestNothingSurvivesAKilledParent.
const helperRoot = "RASTOS_TEST_RUN_IN"

func TestMain(m *testing.M) {
	run.MaybeChild()
	if root := os.Getenv(helperRoot); root != "" {
		script := "(trap '' TERM HUP INT; setsid sleep 94.134) & sleep 0.2; echo ready; sleep 94.134"
		if _, err := (run.InRoot{}).Run(context.Background(), root, []string{"/bin/sh", "-c", script}, nil, os.Stdout); err != nil {
			fmt.Printf("%T", err)
		}
		os.Exit(0)
	}
	if dir := os.Getenv(helperApart); dir != "" {
		os.Exit(apartHelper(dir))
	}
	os.Exit(m.Run())
}
