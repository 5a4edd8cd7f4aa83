// SPDX-License-Identifier: GPL-3.0-or-later

package trans_test

import (
	"context"
	"fmt"
	"io/fs"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/internal/testkit"
)

// The power fails at random moments of a transaction on a real file system:
// its device is a file on another one, which clones it as it is at that moment
// (FICLONE holds writes off). Each clone is mounted, which replays the file
// system's log, and recovered.
//
// What was not flushed is lost in a clone unless the kernel wrote it by itself,
// so that a missing or misplaced flush is found, which the positive control
// below shows. To vary what is written by itself, files and directories of the
// root are flushed at random meanwhile. What a clone cannot show is a disk that
// loses or reorders writes which it has taken but not been told to flush: every
// write that was completed is in it.
func TestPowerLoss(t *testing.T) {
	testkit.Integration(t)
	for _, kind := range []string{"ext4", "btrfs"} {
		t.Run(kind, func(t *testing.T) {
			d := newDisks(t, kind)
			cuts := testkit.Rounds(30, 600)
			for n := 0; d.begun < cuts; n++ {
				d.round(n%2 == 1, false)
				if n > 20*cuts {
					t.Fatalf("only %d cuts in %d transactions", d.begun, n)
				}
			}
			t.Logf("%d cuts: %d before the journal or after its end, %d taken back, %d finished", d.cuts, d.cuts-d.begun, d.undone, d.finished)
			if len(d.broken) > 0 {
				t.Errorf("%d roots were neither old nor new, the first of them:\n%s", len(d.broken), d.broken[0])
			}
			if d.undone == 0 || d.finished == 0 {
				t.Errorf("the moments are badly chosen: %d were taken back and %d finished", d.undone, d.finished)
			}
		})
	}
}

// Without the flush before the commit the same test has to find roots that are
// neither old nor new.
func TestPowerLossIsSeenWithoutFlush(t *testing.T) {
	testkit.Integration(t)
	for _, kind := range []string{"ext4", "btrfs"} {
		t.Run(kind, func(t *testing.T) {
			d := newDisks(t, kind)
			for n := 0; len(d.broken) == 0; n++ {
				if n == 10 {
					t.Fatalf("no root of %d was broken: the test cannot find what it is there for", d.cuts)
				}
				d.round(false, true)
			}
			t.Logf("%d of %d roots were broken, the first of them:\n%.600s", len(d.broken), d.cuts, d.broken[0])
		})
	}
}

// disks are the files that stand for disks.
type disks struct {
	*cutLab
	t      *testing.T
	kind   string
	dir    string // on a file system with clones
	old    string // the disk before the change
	at     string // where it is mounted while the change runs
	image  string // what is mounted there
	rnd    *rand.Rand
	broken []string // what was wrong with each that was

	cuts, begun, undone, finished int
}

func newDisks(t *testing.T, kind string) *disks {
	t.Helper()
	testkit.NeedKernelFS(t, kind)
	testkit.NeedTool(t, "mkfs."+kind)
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewSource(seed))
	dir := testkit.BtrfsDisk(t, 4096)
	l := newCutLab(t, grown(rnd, 6, 30))
	d := &disks{cutLab: l, t: t, kind: kind, dir: dir, rnd: rnd, old: filepath.Join(dir, "old.img"), at: filepath.Join(l.dir, "disk")}
	must(t, os.Mkdir(d.at, 0o755))
	must(t, os.WriteFile(d.old, nil, 0o600))
	must(t, os.Truncate(d.old, 160<<20))
	args := map[string][]string{
		"ext4":  {"-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0"},
		"btrfs": {"-q", "-f"},
	}[kind]
	t.Cleanup(func() {
		if d.image != "" { // the test has failed
			_ = exec.Command("umount", d.at).Run()
		}
	})
	d.command("mkfs."+kind, append(args, d.old)...)
	d.mount(d.old)
	l.copyRoot(l.image, filepath.Join(d.at, "root"))
	d.unmount()
	return d
}

func (d *disks) command(name string, args ...string) {
	d.t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		d.t.Fatalf("%s %v: %v: %s", name, args, err, out)
	}
}

func (d *disks) mount(image string) {
	d.t.Helper()
	d.command("mount", "-o", "loop", image, d.at)
	d.image, d.ours = image, filepath.Join(d.at, "root")
}

// unmount waits until the image is nobody's: a mount namespace that some other
// program made meanwhile keeps the file system, and what is not written of it,
// until it ends.
func (d *disks) unmount() {
	d.t.Helper()
	d.command("umount", d.at)
	deadline := time.Now().Add(5 * time.Minute)
	for {
		out, err := exec.Command("losetup", "-j", d.image).CombinedOutput()
		if err == nil && len(out) == 0 {
			d.image = ""
			return
		}
		if time.Now().After(deadline) {
			d.t.Fatalf("%s is still in use after five minutes: %v %s", d.image, err, out)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (d *disks) clone(from, to string) {
	d.t.Helper()
	d.command("cp", "--reflink=always", from, to)
}

// round runs the change once, clones the disk all the time, and looks at what
// the clones hold.
func (d *disks) round(shaken, unsynced bool) {
	d.t.Helper()
	work := filepath.Join(d.dir, "work.img")
	d.clone(d.old, work)
	d.mount(work)
	o := order{Dir: d.cutLab.dir, Root: d.ours, Request: d.req, Unsynced: unsynced, Slow: time.Duration(d.rnd.Intn(300)) * time.Microsecond}
	cmd := o.start(d.t)
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	var clones []string
	running := true
	for running {
		select {
		case err := <-ended:
			must(d.t, err)
			running = false
		case <-time.After(time.Duration(d.rnd.Intn(40)) * time.Millisecond):
			if shaken {
				d.shake()
			}
		}
		clones = append(clones, filepath.Join(d.dir, fmt.Sprintf("cut%d.img", len(clones))))
		d.clone(work, clones[len(clones)-1])
	}
	d.unmount()
	must(d.t, os.Remove(work))
	for i, c := range clones {
		last := i == len(clones)-1
		if text := d.look(c, last && !unsynced); text != "" {
			d.broken = append(d.broken, text)
		}
		must(d.t, os.Remove(c))
	}
}

// shake flushes something of the root, as any program may.
func (d *disks) shake() {
	var all []string
	_ = filepath.WalkDir(d.ours, func(path string, e fs.DirEntry, err error) error {
		if err == nil && (e.IsDir() || e.Type().IsRegular()) {
			all = append(all, path)
		}
		return nil
	})
	for range 1 + d.rnd.Intn(3) {
		if f, err := os.Open(all[d.rnd.Intn(len(all))]); err == nil {
			_ = f.Sync()
			f.Close()
		}
	}
}

// look recovers a disk whose power failed and tells what is wrong with its
// root; done: the transaction had returned.
func (d *disks) look(image string, done bool) (wrong string) {
	d.t.Helper()
	d.mount(image)
	defer d.unmount()
	d.cuts++
	cut, err := trans.Interrupted(d.environment())
	must(d.t, err)
	if cut {
		d.begun++
	}
	rec, err := trans.Recover(context.Background(), d.environment(), nil)
	if err != nil {
		return "recovery: " + err.Error()
	}
	isNew := done
	if rec != nil {
		isNew = rec.Finished
	} else if !done {
		if local, err := trans.Installed(d.environment()); err == nil {
			isNew = local.Package("new") != nil
		}
	}
	if cut && isNew {
		d.finished++
	} else if cut {
		d.undone++
	}
	if done && cut {
		return "the transaction had returned, and its journal is still there"
	}
	return d.differs(isNew)
}
