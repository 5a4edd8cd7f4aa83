// SPDX-License-Identifier: GPL-3.0-or-later

package machine

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rastos/rastos/internal/disk"
	"github.com/rastos/rastos/internal/flow"
	"github.com/rastos/rastos/internal/host/loop"
	"github.com/rastos/rastos/internal/testkit"
	"github.com/rastos/rastos/internal/testkit/cutdisk"
	"github.com/rastos/rastos/internal/testkit/lab"
)

// TestPowerCutsOfAMachine upgrades a machine, with the loader, FAT and kernel that
// it has, and boots what a power cut would have left on its disk.
func TestPowerCutsOfAMachine(t *testing.T) {
	testkit.Soak(t)
	cutdisk.Need(t)
	l := newLife(t, lab.Config{Formats: []string{"raw"}})
	disks := cutdisk.New(t)
	upgraded := 0 // the moment in which the upgrade was acknowledged
	l.chapter("build, boot and upgrade", func(l *life) {
		l.must(l.BuildImage(l.ctx))
		image := l.Image("raw")
		path := disks.Add("disk", image, 4096)
		l.must(os.Remove(image))
		l.must(os.Symlink(path, image))
		l.must(l.Boot(l.ctx))
		l.good(1)
		l.sh("sync")
		disks.Record()
		l.upgrade(lab.Hello{Version: "2"})
		upgraded = disks.Now()
		l.sh("sed -i s/greeting=hello/greeting=mine/ /etc/hello.conf; sync")
		l.must(l.Reboot(l.ctx))
		l.good(2)
		disks.Stop()
		l.Machine.Kill()
	})
	replay, rng := disks.Cuts(), rand.New(rand.NewPCG(5, 6))
	const before, after = 6, 4
	for i := range before + after {
		at := upgraded * (i + 1) / before
		if i >= before {
			at = upgraded + (disks.Now()-upgraded)*(i+1-before)/after
		}
		l.chapter(fmt.Sprintf("cut %d of %d", at, disks.Now()), func(l *life) {
			dir := l.T.TempDir()
			l.must(replay.Cut(dir, at, []float64{0.5, 0, 1}[i%3], rng))
			l.must(os.Remove(l.Image("raw")))
			l.must(os.Symlink(filepath.Join(dir, "disk"), l.Image("raw")))
			l.comesBack(at >= upgraded)
			l.checkDisk(filepath.Join(dir, "disk"))
		})
	}
}

// comesBack boots the machine, which runs the old system or the new one then, and
// none but the new one where its upgrade was acknowledged.
func (l *life) comesBack(acknowledged bool) {
	l.T.Helper()
	l.must(l.Boot(l.ctx))
	st, err := l.Settle(l.ctx, func(flow.Status) bool { return true })
	l.must(err)
	number := st.Booted.Number
	if number != 2 && (number != 1 || acknowledged) || st.Fallback != "" {
		l.T.Errorf("deployment %d runs, fallback: %q", number, st.Fallback)
	}
	l.want(fmt.Sprint(number), "cat", "/run/hello")
	l.want(fmt.Sprintf("hello %d-1", number), "pacman", "-Q", "hello")
	l.guest("pacman", "-Dk")
	l.pacmanIsContent()
	if left := l.sh("ls /run/rastos/top/@rastos/work"); left != "" && number == 2 {
		l.T.Errorf("work is left: %s", left)
	}
	// It can be changed as ever.
	l.guest("rastos", "deploy", fmt.Sprint(number), "--yes")
	l.powerOff()
}

// checkDisk lets the checkers of both file systems look. FAT has no journal: a cut
// may leave clusters that nothing uses, but never two files with the same ones.
func (l *life) checkDisk(path string) {
	l.T.Helper()
	f, err := os.Open(path)
	l.must(err)
	defer f.Close()
	table, err := disk.ReadTable(f)
	l.must(err)
	for _, p := range table.Partitions {
		dev, err := loop.Attach(path, p.Start, p.Size)
		l.must(err)
		defer func() { l.must(dev.Detach()) }()
		if p.Type == disk.TypeESP {
			out, _ := exec.Command(testkit.NeedTool(l.T, "fsck.fat"), "-n", dev.Path).CombinedOutput()
			if strings.Contains(string(out), "share clusters") {
				l.T.Errorf("fsck.fat: %s", out)
			}
			continue
		}
		if out, err := exec.Command(testkit.NeedTool(l.T, "btrfs"), "check", "--readonly", dev.Path).CombinedOutput(); err != nil {
			l.T.Errorf("btrfs check: %v: %s", err, out)
		}
	}
}
