// SPDX-License-Identifier: GPL-3.0-or-later

package tree_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rastos/rastos/bench/figure"
	"github.com/rastos/rastos/internal/boot"
	"github.com/rastos/rastos/internal/deploy"
	"github.com/rastos/rastos/internal/host/fsroot"
	"github.com/rastos/rastos/internal/node"
	"github.com/rastos/rastos/internal/testkit"
	"github.com/rastos/rastos/internal/testkit/cutdisk"
)

// TestPowerCutsInEveryVerb cuts the power of disks with a volatile cache while a
// machine is upgraded, deployed, rolled back, booted, pruned.
func TestPowerCutsInEveryVerb(t *testing.T) {
	needMachine(t)
	cutdisk.Need(t)
	if cuts, bad := cutEverywhere(t, 96); bad > 0 {
		t.Errorf("%d of %d cuts left a broken machine", bad, cuts)
	}
}

// TestPowerCutFigures does so a thousand times, and keeps what came of it.
func TestPowerCutFigures(t *testing.T) {
	dir := testkit.Figures(t)
	needMachine(t)
	cutdisk.Need(t)
	cuts, bad := cutEverywhere(t, 1000)
	for name, value := range map[string]int{"powercut-cuts": cuts, "powercut-bad": bad} {
		if err := figure.Write(dir, figure.Figure{
			Name: name, Value: float64(value), Unit: "count", Ours: float64(value), Runs: 1, Command: "make soak-powercut", Date: time.Now().UTC().Truncate(time.Second),
		}); err != nil {
			t.Error(err)
		}
	}
}

// cutEverywhere records a life, and cuts it and what comes after so many times.
func cutEverywhere(t *testing.T, count int) (cuts, bad int) {
	l := record(t, true)
	replay := l.Cuts()
	rng := rand.New(rand.NewPCG(1, 2))
	lost, at := 0, 0
	for i, c := range l.chapters {
		each := (count/2 + len(l.chapters) - 1) / len(l.chapters)
		for n := range each {
			// Its last moment is the one in which it was acknowledged.
			at = max(at, c.begin+(c.end-c.begin)*(n+1)/each)
			if n%2 == 1 && n+1 < each {
				at = min(l.BeforeFlush(at), c.end)
			}
			kept := []float64{0, 0.5, 1, rng.Float64()}[(i+n)%4]
			cuts += 2 // the second one in the middle of what comes after the first
			if !t.Run(fmt.Sprintf("cut %d of %d keeping %.2f, %s", at, l.Now(), kept, c.name), func(t *testing.T) {
				images := l.Folder()
				defer os.RemoveAll(images)
				if err := replay.Cut(images, at, kept, rng); err != nil {
					t.Fatal(err)
				}
				lost += replay.Unflushed()
				l.survives(t, c, at == c.end, images, rng)
			}) {
				bad++
			}
		}
	}
	t.Logf("%d cuts with %d unflushed sectors in all, %d bad", cuts, lost, bad)
	return cuts, bad
}

// survives starts a machine from what a cut left. What it does then is cut, too.
func (l *life) survives(t *testing.T, c chapter, acknowledged bool, images string, rng *rand.Rand) {
	t.Helper()
	p, err := mountDisks(t, images, true)
	if err != nil {
		t.Fatal(err)
	}
	again, settled := p.Folder(), chapter{booted: c.booted}
	m := l.on(t, p, c)
	if err := m.whole(c); err != nil {
		t.Fatalf("before anything is settled: %v", err)
	}
	if settled.before, err = m.facts(); err != nil {
		t.Fatal(err)
	}
	p.Record()
	m.recovers(c, acknowledged)
	p.Stop()
	if t.Failed() {
		return
	}
	if err := p.Cuts().Cut(again, rng.IntN(p.Now()+1), rng.Float64(), rng); err != nil {
		t.Fatal(err)
	}
	t.Run("and again", func(t *testing.T) {
		p, err := mountDisks(t, again, true)
		if err != nil {
			t.Fatal(err)
		}
		m := l.on(t, p, settled)
		if err := m.whole(settled); err != nil {
			t.Fatalf("before anything is settled: %v", err)
		}
		m.starts()
	})
}

// on is the machine with other disks.
func (l *life) on(t *testing.T, p powered, c chapter) *machine {
	t.Helper()
	m := *l.machine
	m.t, m.top, m.esp, m.booted = t, p.top, p.esp, c.booted
	t.Cleanup(m.open())
	return &m
}

// whole checks what has to hold in the very moment in which the power comes back:
// every node that there is is whole, every boot entry leads to all that it needs,
// and one of them boots.
func (m *machine) whole(c chapter) error {
	got, err := m.facts()
	if err != nil {
		return err
	}
	for key, was := range c.before {
		is, kept := c.after[key]
		if strings.HasPrefix(key, "node ") && kept && got[key] == "" {
			return fmt.Errorf("%s is lost (%s)", key, was)
		}
		if strings.HasPrefix(key, "node ") && got[key] != "" && got[key] != was && got[key] != is {
			return fmt.Errorf("%s is %s, and was %s", key, got[key], was)
		}
	}
	esp, done := m.openESP()
	defer done()
	entries, err := boot.ListEntries(esp)
	if err != nil {
		return err
	}
	boots := 0
	for _, e := range entries {
		var number int
		if _, err := fmt.Sscanf(e.Name.Base, "rastos-%d", &number); err != nil || e.Files[0].Err != nil {
			return fmt.Errorf("boot entry %s: %w", e.Name, errors.Join(err, e.Files[0].Err))
		}
		if err := m.leads(esp, e, number); err != nil {
			return fmt.Errorf("boot entry %s: %w", e.Name, err)
		}
		if !e.Name.Bad() {
			boots++
		}
	}
	if boots == 0 {
		return errors.New("nothing can be booted")
	}
	return nil
}

// leads checks all that a boot entry needs.
func (m *machine) leads(esp boot.ESP, e boot.Listed, number int) error {
	d, err := m.deploys.Get(number)
	if err != nil {
		return err
	}
	for _, blob := range append([]string{e.Entry.Linux}, e.Entry.Initrd...) {
		if err := boot.Verify(esp, blob); err != nil {
			return err
		}
	}
	if _, err := m.nodes.Get(d.Node); err != nil {
		return err
	}
	for _, file := range []string{filepath.Join(m.nodes.Root(d.Node), "usr/lib/rastos/rastos-init"), filepath.Join(m.deploys.EtcPath(d), "passwd")} {
		if info, err := os.Stat(file); err != nil || info.Size() == 0 {
			return fmt.Errorf("%s: %d bytes, %w", file, info.Size(), err)
		}
	}
	return nil
}

// recovers lets the next change settle what was cut, and holds what is there then
// against what was there before the chapter and after it. Then the machine starts.
func (m *machine) recovers(c chapter, acknowledged bool) {
	m.t.Helper()
	m.ok("snapshot", "pin", "1")
	m.sound()
	got, err := m.facts()
	m.must(err)
	old, fresh := c.before.differences(got), c.after.differences(got)
	switch {
	case acknowledged && fresh != "":
		m.t.Errorf("what was acknowledged is lost:%s", fresh)
	case c.whole && old != "" && fresh != "":
		m.t.Errorf("neither the old state:%s\nnor the new one:%s", old, fresh)
	}
	for key, is := range got {
		goes := !c.whole && c.after[key] == "" && strings.HasSuffix(is, string(deploy.Retired))
		if is != c.before[key] && is != c.after[key] && !goes {
			m.t.Errorf("%s is %q; it was %q and had to become %q", key, is, c.before[key], c.after[key])
		}
	}
	for key, was := range c.before {
		if got[key] == "" && c.after[key] != "" {
			m.t.Errorf("%s is lost (%s)", key, was)
		}
	}
	if !m.t.Failed() {
		m.starts()
	}
}

// differences says what is other than it was.
func (f facts) differences(got facts) string {
	var b strings.Builder
	for key, was := range f {
		if got[key] != was {
			fmt.Fprintf(&b, "\n  %s is %q, not %q", key, got[key], was)
		}
	}
	for key, is := range got {
		if _, known := f[key]; !known {
			fmt.Fprintf(&b, "\n  %s is there: %q", key, is)
		}
	}
	return b.String()
}

// starts boots the machine: what comes up is good, and nothing is left over.
func (m *machine) starts() {
	m.t.Helper()
	number := m.boot()
	m.ok("boot", "complete", "--no-reboot")
	got, err := m.facts()
	m.must(err)
	if is := got[fmt.Sprintf("deployment %d", number)]; !strings.HasSuffix(is, ", good") {
		m.t.Errorf("deployment %d is %q after its boot", number, is)
	}
	if is := got[fmt.Sprintf("entry rastos-%d", number)]; is != boot.Good(fmt.Sprintf("rastos-%d", number)).String() {
		m.t.Errorf("the entry of deployment %d is %q", number, is)
	}
	m.must(m.whole(chapter{}))
	m.sound()
	m.noOrphans()
}

// noOrphans looks for what nothing refers to.
func (m *machine) noOrphans() {
	m.t.Helper()
	all, err := m.deploys.List()
	m.must(err)
	used := map[string]bool{}
	for _, d := range all {
		used[d.Kernel], used[d.Initrd] = true, true
	}
	if dirs := m.entries(filepath.Join(m.top, "@rastos/deploy")); len(dirs) != len(all) {
		m.t.Errorf("%d deployments in the folders %v", len(all), dirs)
	}
	for _, sum := range m.entries(filepath.Join(m.esp, boot.BlobsDir)) {
		if !used[sum] {
			m.t.Errorf("nothing boots blob %s", sum)
		}
	}
	for _, depth := range []string{"", "*", "*/*"} {
		if left, _ := filepath.Glob(filepath.Join(m.top, "@rastos", depth, writing+"*")); len(left) > 0 {
			m.t.Errorf("left: %v", left)
		}
	}
	for _, name := range m.entries(filepath.Join(m.esp, boot.EntriesDir)) {
		if _, ok := boot.ParseName(name); !ok {
			m.t.Errorf("left on the ESP: %s", name)
		}
	}
}

// brokenBy counts the cuts that leave a broken file system, or a machine without
// something that was acknowledged.
func brokenBy(t *testing.T, p powered, cuts int, check func(t *testing.T, p powered) error) (broken int) {
	t.Helper()
	replay, rng := p.Cuts(), rand.New(rand.NewPCG(3, 4))
	for n := range cuts {
		images := p.Folder()
		if err := replay.Cut(images, p.Now()*(n+1)/cuts, 0.5, rng); err != nil {
			t.Fatal(err)
		}
		t.Run(fmt.Sprint("control ", n), func(t *testing.T) {
			again, err := mountDisks(t, images, true)
			if err == nil {
				err = check(t, again)
			}
			if err != nil {
				t.Log(err)
				broken++
			}
		})
	}
	return broken
}

// TestPowerCutsAreNoticedWithoutBarriers: the same disks, and a file system that
// flushes none of them, break. Were they found whole, the cuts would be harmless.
func TestPowerCutsAreNoticedWithoutBarriers(t *testing.T) {
	needMachine(t)
	cutdisk.Need(t)
	l := record(t, false)
	const cuts = 12
	broken := brokenBy(t, l.powered, cuts, func(t *testing.T, p powered) error {
		out, err := exec.Command("btrfs", "check", "--readonly", "--force", device(t, p.top)).CombinedOutput()
		if err == nil {
			err = l.on(t, p, l.chapters[0]).whole(l.chapters[0])
		}
		if err != nil && len(out) > 0 {
			return fmt.Errorf("%w; btrfs check: %s", err, out[max(0, len(out)-200):])
		}
		return err
	})
	if broken < cuts/2 {
		t.Errorf("only %d of %d cuts broke a file system without barriers", broken, cuts)
	}
}

// TestAMissingFlushIsNoticedInPowerCuts seals nodes through a door that leaves out
// fsync, and through the real one: what is acknowledged must be lost by the first,
// and by the second never.
func TestAMissingFlushIsNoticedInPowerCuts(t *testing.T) {
	needMachine(t)
	cutdisk.Need(t)
	for name, open := range map[string]func(*fsroot.FS) *fsroot.FS{
		"synced":     func(f *fsroot.FS) *fsroot.FS { return f },
		"not synced": (*fsroot.FS).WithoutSync,
	} {
		p := freshDisks(t, true)
		m := newMachineOn(t, p.top, p.esp, 2)
		files, err := fsroot.Open(p.top)
		m.must(err)
		defer files.Close()
		m.nodes.Files = open(files)
		m.must(exec.Command("sync", "-f", p.top).Run())
		p.Record()
		n, err := m.nodes.Copy(1, node.Node{Reason: "test"})
		m.must(err)
		p.Stop()
		lost := brokenBy(t, p, 1, func(t *testing.T, p powered) error {
			_, err := (&life{machine: m}).on(t, p, chapter{booted: 1}).nodes.Get(n.Number)
			return err
		})
		if want := name == "not synced"; (lost == 1) != want {
			t.Errorf("%s: an acknowledged node is lost: %v", name, lost == 1)
		}
	}
}

// device is what is mounted somewhere.
func device(t *testing.T, dir string) string {
	t.Helper()
	out, err := exec.Command("findmnt", "-no", "SOURCE", dir).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}
