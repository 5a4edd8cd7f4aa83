// SPDX-License-Identifier: GPL-3.0-or-later

package run_test

import (
	"os"
	"testing"

	"github.com/rastos/rastos/internal/host/run"
)

func TestMain(m *testing.M) {
	run.MaybeChild()
	os.Exit(m.Run())
}
