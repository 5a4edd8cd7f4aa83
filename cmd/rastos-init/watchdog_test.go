// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rastos/rastos/internal/testkit"
	"github.com/rastos/rastos/internal/vm"
)

// TestAHangIsReset boots a deployment on trial whose init does nothing for ever:
// the watchdog, the kernel's or the machine's, resets the machine.
func TestAHangIsReset(t *testing.T) {
	testkit.Integration(t)
	k := testkit.NeedKernel(t)
	init := buildInit(t)
	disk := testDisk{
		nodes:   []testNode{{id: "1"}},
		deploys: map[string]string{"7": `{"number": 7, "node": 1, "etc": "etc.0", "state": "armed"}`},
		init:    init,
	}.partition(t)
	initrd := filepath.Join(t.TempDir(), "initrd")
	check(t, os.WriteFile(initrd, makeInitrd(t, k, init), 0o600))
	m := testkit.StartVM(t, vm.Config{
		Kernel: k.Image, Initrd: initrd, Append: nodeOptions("1", "7") + " init=/bin/cat rastos.watchdog=10",
		Disks: []vm.Disk{{Path: disk, Volatile: true}}, Memory: 512, NoReboot: true,
	})
	if err := m.Wait(deadline(t, 2*time.Minute)); err != nil || m.ShutdownReason() != "guest-reset" {
		t.Errorf("the machine ended by %q, %v:\n%s", m.ShutdownReason(), err, m.SerialText())
	}
}
