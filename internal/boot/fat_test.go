// SPDX-License-Identifier: GPL-3.0-or-later

package boot_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rastos/rastos/internal/boot"
	"github.com/rastos/rastos/internal/boot/esptest"
	"github.com/rastos/rastos/internal/disk/fat32"
)

// TestFATKeepsTheContract holds the backend in user space to what this room
// expects of a partition.
func TestFATKeepsTheContract(t *testing.T) {
	esptest.Run(t, func(t *testing.T) boot.ESP {
		const size = 40 << 20
		f, err := os.Create(filepath.Join(t.TempDir(), "esp.img"))
		must(t, err)
		t.Cleanup(func() { f.Close() })
		must(t, f.Truncate(size))
		must(t, fat32.Format(f, size, fat32.Options{Label: "ESP", Serial: 1, Time: time.Now()}))
		esp, err := fat32.Open(f, size, time.Now)
		must(t, err)
		return esp
	})
}
