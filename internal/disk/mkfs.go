// SPDX-License-Identifier: GPL-3.0-or-later

package disk

import (
	"context"
	"fmt"
)

// Programs runs host programs (host/run has it) and returns what they print.
type Programs interface {
	Output(ctx context.Context, argv ...string) ([]byte, error)
}

// Btrfs says how a file system is made.
type Btrfs struct {
	Label string
	UUID  string // of the file system
	// SingleMetadata writes metadata once and not twice: faster, for an image
	// that is thrown away; a system disk keeps two copies.
	SingleMetadata bool
}

// MakeBtrfs makes a btrfs file system on a block device or a whole file with
// mkfs.btrfs, over whatever is there.
func MakeBtrfs(ctx context.Context, programs Programs, device string, b Btrfs) error {
	argv := []string{"mkfs.btrfs", "--quiet", "--force"}
	if b.Label != "" {
		argv = append(argv, "--label", b.Label)
	}
	if b.UUID != "" {
		argv = append(argv, "--uuid", b.UUID)
	}
	if b.SingleMetadata {
		argv = append(argv, "--metadata", "single")
	}
	if _, err := programs.Output(ctx, append(argv, device)...); err != nil {
		return fmt.Errorf("make a btrfs file system on %s: %w", device, err)
	}
	return nil
}
