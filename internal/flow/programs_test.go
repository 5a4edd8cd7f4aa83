// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"context"
	"os/exec"
)

// hostPrograms runs programs for tests.
type hostPrograms struct{}

func (hostPrograms) Output(ctx context.Context, argv ...string) ([]byte, error) {
	return exec.CommandContext(ctx, argv[0], argv[1:]...).Output()
}
