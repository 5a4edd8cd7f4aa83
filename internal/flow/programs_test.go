// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"context"
	"os"
	"os/exec"
	"testing"

	"github.com/rastos/rastos/internal/testkit"
)

// TestMain has the folders of all tests in memory: those of power cuts make and
// remove tens of thousands of small files.
func TestMain(m *testing.M) {
	if dir := testkit.DiskFolder(1 << 30); dir != "" {
		os.Setenv("TMPDIR", dir)
	}
	os.Exit(m.Run())
}

// hostPrograms runs programs for tests.
type hostPrograms struct{}

func (hostPrograms) Output(ctx context.Context, argv ...string) ([]byte, error) {
	return exec.CommandContext(ctx, argv[0], argv[1:]...).Output()
}
