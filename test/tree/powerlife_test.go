// SPDX-License-Identifier: GPL-3.0-or-later

package tree_test

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rastos/rastos/internal/boot"
	"github.com/rastos/rastos/internal/deploy"
	"github.com/rastos/rastos/internal/host/fsroot"
	"github.com/rastos/rastos/internal/testkit"
	"github.com/rastos/rastos/internal/testkit/cutdisk"
)

// The disks of a machine that loses power.
const (
	topDisk = "top"
	espDisk = "esp"
)

// espType is what the ESP is formatted as: FAT where the kernel can mount it. ext4
// keeps as little of what nobody asked it to flush, but wants its superblock
// written whole.
func espType(t *testing.T) (fstype string, sector int64, mkfs []string) {
	t.Helper()
	known, err := os.ReadFile("/proc/filesystems")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(known), "\tvfat\n") {
		return "vfat", 512, []string{testkit.NeedTool(t, "mkfs.fat"), "-F", "32"}
	}
	return "ext4", 4096, []string{testkit.NeedTool(t, "mkfs.ext4"), "-q", "-F"}
}

// powered is disks, and where a machine has them mounted.
type powered struct {
	*cutdisk.Disks
	top, esp string
}

// freshDisks are formatted ones; barrier says whether btrfs flushes them.
func freshDisks(t *testing.T, barrier bool) powered {
	t.Helper()
	_, _, mkfs := espType(t)
	images := t.TempDir()
	for name, disk := range map[string]struct {
		size int64
		mkfs []string
	}{
		topDisk: {320 << 20, []string{testkit.NeedTool(t, "mkfs.btrfs"), "-q", "-f", "-K", "-m", "single"}},
		espDisk: {48 << 20, mkfs},
	} {
		path := filepath.Join(images, name)
		f, err := os.Create(path)
		if err == nil {
			err = f.Truncate(disk.size)
		}
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		if out, err := exec.Command(disk.mkfs[0], append(disk.mkfs[1:], path)...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v: %s", disk.mkfs, err, out)
		}
	}
	p, err := mountDisks(t, images, barrier)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// mountDisks is a machine with the disks of two images, until the test ends. The
// error is a file system that cannot be mounted.
func mountDisks(t *testing.T, images string, barrier bool) (powered, error) {
	t.Helper()
	p := powered{Disks: cutdisk.New(t)}
	fstype, sector, _ := espType(t)
	options := "loop,noatime,nodiscard"
	if !barrier {
		options += ",nobarrier"
	}
	for _, d := range []struct {
		name, fstype, options string
		sector                int64
		at                    *string
	}{
		{topDisk, "btrfs", options, 4096, &p.top},
		{espDisk, fstype, "loop,noatime", sector, &p.esp},
	} {
		device := p.Add(d.name, filepath.Join(images, d.name), d.sector)
		*d.at = t.TempDir()
		if out, err := exec.Command("mount", "-t", d.fstype, "-o", d.options, device, *d.at).CombinedOutput(); err != nil {
			return p, fmt.Errorf("mount %s: %w: %s", d.name, err, out)
		}
		t.Cleanup(func() {
			if out, err := exec.Command("umount", *d.at).CombinedOutput(); err != nil {
				t.Errorf("umount: %v: %s", err, out)
			}
		})
	}
	return p, nil
}

// facts are what a machine's disks hold, by what it is about.
type facts map[string]string

// facts reads them.
func (m *machine) facts() (facts, error) {
	f := facts{}
	st, err := m.nodes.State()
	if err != nil {
		return nil, err
	}
	for name, to := range st.Aliases {
		f["alias "+name] = fmt.Sprint(to)
	}
	nodes, err := m.nodes.List()
	if err != nil {
		return nil, err
	}
	for _, n := range nodes {
		sum, err := digest(m.nodes.Root(n.Number))
		if err != nil {
			return nil, err
		}
		f[fmt.Sprintf("node %d", n.Number)] = fmt.Sprintf("%s %q %s", n.UUID, n.Label, sum)
		f[fmt.Sprintf("parent of node %d", n.Number)] = fmt.Sprint(n.Parent)
		if n.Alias != "" { // it is on its way to the list of all
			f["alias "+n.Alias] = fmt.Sprint(n.Number)
		}
	}
	all, err := m.deploys.List()
	if err != nil {
		return nil, err
	}
	for _, d := range all {
		key := fmt.Sprintf("deployment %d", d.Number)
		f[key] = fmt.Sprintf("of node %d, %s", d.Node, d.State)
		sum, err := digest(m.deploys.EtcPath(d))
		if err != nil {
			return nil, err
		}
		f["/etc of "+key] = sum
	}
	esp, done := m.openESP()
	defer done()
	entries, err := boot.ListEntries(esp)
	for _, e := range entries {
		f["entry "+e.Name.Base] = e.Name.String()
	}
	return f, err
}

// writing begins the names of files that are being written.
const writing = ".rastos-tmp-"

// digest sums up a tree: names, modes and contents.
func digest(root string) (string, error) {
	h := sha256.New()
	err := filepath.WalkDir(root, func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if strings.HasPrefix(e.Name(), writing) {
			return nil
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		fmt.Fprintf(h, "%s %v", strings.TrimPrefix(p, root), info.Mode())
		switch {
		case info.Mode().IsRegular():
			data, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			fmt.Fprintf(h, " %x", sha256.Sum256(data))
		case info.Mode().Type() == fs.ModeSymlink:
			target, err := os.Readlink(p)
			if err != nil {
				return err
			}
			fmt.Fprintf(h, " %s", target)
		}
		return nil
	})
	return fmt.Sprintf("%x", h.Sum(nil))[:16], err
}

// chapter is one thing that was done while the disks were recorded.
type chapter struct {
	name   string
	whole  bool // afterwards all of it was done, or nothing
	booted int  // the deployment that ran

	begin, end    int // moments; at the end it was acknowledged
	before, after facts
}

// life is all of them.
type life struct {
	*machine
	powered
	chapters []chapter
}

// do plays a chapter.
func (l *life) do(name string, whole bool, what func()) {
	l.t.Helper()
	c := chapter{name: name, whole: whole, booted: l.booted, begin: l.Now()}
	var err error
	c.before, err = l.facts()
	l.must(err)
	what()
	c.end, c.booted = l.Now(), min(c.booted, l.booted)
	c.after, err = l.facts()
	l.must(err)
	l.chapters = append(l.chapters, c)
}

// verb plays one of rastos.
func (l *life) verb(whole bool, args ...string) {
	l.t.Helper()
	l.do("rastos "+strings.Join(args, " "), whole, func() { l.ok(args...) })
}

// record lets a machine do everything that changes its disks.
func record(t *testing.T, barrier bool) *life {
	t.Helper()
	image := "oci://" + testkit.Registry(t) + "/fleet:stable"
	p := freshDisks(t, barrier)
	l := &life{powered: p, machine: newMachineOn(t, p.top, p.esp, 2)}
	l.publish("extra", "1-1", map[string]string{"etc/extra.conf": "extra\n"})
	l.publish("tool", "2-1", map[string]string{"etc/tool.conf": "tool\n", "var/lib/tool/state": "factory\n"})
	l.must(exec.Command("sync", "-f", p.top).Run())
	l.must(exec.Command("sync", "-f", p.esp).Run())
	l.Record()

	l.verb(true, "snapshot", "branch", "1", "--alias", "web", "--label", "the web server") // 2
	l.verb(true, "snapshot", "branch", "web", "--alias", "shop")                           // 3, below 2
	l.verb(true, "snapshot", "run", "web", "--", "sh", "-c", "echo typed > /etc/typed")    // 4 of 2
	l.verb(true, "snapshot", "sync", "web", "--yes")                                       // 5 of 3, below 4
	l.verb(true, "snapshot", "tree-run", "web", "--", "touch", "/etc/everywhere")          // 6 and 7
	l.want(7, "etc/typed", "typed\n")
	l.wantShape("1(0) 2(1) 3(2) 4(2) 5(4) 6(4) 7(6)")
	l.verb(true, "upgrade", "--yes") // 8, deployment 2
	l.do("an edit of /etc", true, func() { l.edit("hosts", "127.0.0.1 localhost atlas\n\n# more\n") })
	l.verb(false, "etc", "fold")
	l.start(2)
	l.verb(true, "pkg", "install", "extra", "--sync", "--yes") // 9, deployment 3
	l.verb(true, "rollback", "--to", "1", "--yes")             // deployment 4
	l.verb(true, "deploy", "8", "--yes")                       // deployment 5
	l.do("an edit of the manifest", true, func() {
		l.edit("rastos/rastos.toml", l.manifest("changed", "base", "linux", "tool", "rastos", "extra"))
	})
	l.verb(true, "apply", "--yes")                             // 10, deployment 6
	l.verb(true, "snapshot", "create", "--label", "as it ran") // 11
	stream := filepath.Join(l.dir, "node.stream")
	l.ok("snapshot", "send", "6", stream)
	l.ok("snapshot", "push", "7", image, "--unsigned", "--plain-http")
	l.verb(true, "snapshot", "clone", "web", "--recursive") // 12 and 13
	l.verb(false, "snapshot", "delete", "6", "7", "--yes")
	l.verb(true, "snapshot", "receive", stream, "--alias", "far")
	l.verb(true, "snapshot", "pull", image, "--alias", "near", "--unsigned", "--plain-http")
	l.start(6)
	l.verb(false, "snapshot", "delete", "far", "--yes")
	l.verb(false, "snapshot", "prune", "--yes")
	l.Stop()
	t.Logf("%d writes and flushes in %d chapters", l.Now(), len(l.chapters))
	return l
}

// edit is a person's, who saves durably.
func (l *life) edit(name, text string) {
	l.t.Helper()
	d, err := l.deploys.Get(l.booted)
	l.must(err)
	etc, err := fsroot.Open(l.deploys.EtcPath(d))
	l.must(err)
	l.must(etc.WriteFile(name, []byte(text), 0o644))
	l.must(etc.Close())
}

// start is a reboot into a deployment that turns out well.
func (l *life) start(number int) {
	l.t.Helper()
	l.do(fmt.Sprintf("the boot of deployment %d", number), false, func() {
		if got := l.boot(); got != number {
			l.t.Fatalf("the loader took deployment %d, want %d", got, number)
		}
	})
	l.verb(false, "boot", "complete", "--no-reboot")
}

// boot is what the loader and the initramfs do: it takes the entry that counts
// first, takes a try off it, and folds /etc.
func (m *machine) boot() (number int) {
	m.t.Helper()
	esp, done := m.openESP()
	defer done()
	entries, err := boot.ListEntries(esp)
	m.must(err)
	var first boot.Name
	for _, e := range entries {
		var n int
		if _, err := fmt.Sscanf(e.Name.Base, "rastos-%d", &n); err == nil && e.Files[0].Err == nil && !e.Name.Bad() && n > number {
			number, first = n, e.Name
		}
	}
	if number == 0 {
		m.t.Fatal("nothing can be booted")
	}
	if first.Counted {
		tried := first
		tried.Left, tried.Done = first.Left-1, first.Done+1
		m.must(esp.Rename(boot.EntriesDir+"/"+first.String(), boot.EntriesDir+"/"+tried.String()))
		m.must(esp.Sync())
	}
	d, err := m.deploys.Get(number)
	m.must(err)
	if d.State == deploy.Armed && !d.Tried {
		if out, err := exec.Command(m.binary, "etc", "fold", "--top", m.top, "--deployment", fmt.Sprint(number)).CombinedOutput(); err != nil {
			m.t.Fatalf("fold: %v: %s", err, out)
		}
	}
	m.booted = number
	return number
}
