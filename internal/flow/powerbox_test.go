// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rastos/rastos/internal/boot"
	"github.com/rastos/rastos/internal/boot/esptest"
	"github.com/rastos/rastos/internal/deploy"
	"github.com/rastos/rastos/internal/node"
	"github.com/rastos/rastos/internal/report"
	"github.com/rastos/rastos/internal/testkit"
)

// power is counted by every effect; the one after the last is not made, nor is
// any after it.
type power struct {
	left   int // effects to go; less than 0: no cut
	off    bool
	rename bool // of the ESP, which the cut left half made
}

func (p *power) effect() error {
	if p.left == 0 {
		p.off = true
	}
	if p.off {
		return esptest.ErrCut
	}
	p.left--
	return nil
}

func (p *power) restore() { *p = power{left: -1} }

// cutTree is a Tree, and an /etc, whose writes a power cut ends.
type cutTree struct {
	testTree
	power *power
}

func (c cutTree) WriteFile(name string, data []byte, perm fs.FileMode) error {
	if err := c.power.effect(); err != nil {
		return err
	}
	return c.testTree.WriteFile(name, data, perm)
}

func (c cutTree) MkdirAll(name string, perm fs.FileMode) error {
	if err := c.power.effect(); err != nil {
		return err
	}
	return c.testTree.MkdirAll(name, perm)
}

func (c cutTree) RemoveAll(name string) error {
	if err := c.power.effect(); err != nil {
		return err
	}
	return c.testTree.RemoveAll(name)
}

func (c cutTree) Mkdir(name string, perm fs.FileMode) error {
	if err := c.power.effect(); err != nil {
		return err
	}
	return os.Mkdir(c.at(name), perm)
}

func (c cutTree) Xattrs(string) (map[string]string, error)   { return nil, nil }
func (c cutTree) SetXattrs(string, map[string]string) error  { return nil }
func (c cutTree) Chtimes(string, time.Time, time.Time) error { return nil }
func (c cutTree) Walk(visit func(string, fs.FileInfo) error) error {
	return fs.WalkDir(os.DirFS(c.Dir), ".", func(p string, e fs.DirEntry, err error) error {
		if err != nil || p == "." {
			return err
		}
		info, err := os.Lstat(c.at(p))
		if err != nil {
			return err
		}
		return visit(p, info)
	})
}

// cutBtrfs is btrfs whose effects a power cut ends.
type cutBtrfs struct {
	*testkit.FakeSubvolumes
	power *power
}

func (c cutBtrfs) UUID(string) (string, error) { return "uuid-of-the-disk", nil }

func (c cutBtrfs) Create(path string) error {
	if err := c.power.effect(); err != nil {
		return err
	}
	return c.FakeSubvolumes.Create(path)
}

func (c cutBtrfs) Snapshot(src, dst string, readOnly bool) error {
	if err := c.power.effect(); err != nil {
		return err
	}
	return c.FakeSubvolumes.Snapshot(src, dst, readOnly)
}

func (c cutBtrfs) Delete(path string) error {
	if err := c.power.effect(); err != nil {
		return err
	}
	return c.FakeSubvolumes.Delete(path)
}

// cutESP is a partition whose last effect before the cut is half made.
type cutESP struct {
	*esptest.Memory
	power *power
}

func (c cutESP) effect() error {
	if c.power.off {
		return esptest.ErrCut
	}
	if c.power.left == 0 {
		c.power.off = true
		c.Cut = c.Writes + 1
		return nil // the partition itself makes half of it
	}
	c.power.left--
	return nil
}

func (c cutESP) WriteFile(name string, data []byte) error {
	if err := c.effect(); err != nil {
		return err
	}
	return c.Memory.WriteFile(name, data)
}

func (c cutESP) Rename(old, new string) error {
	on := !c.power.off
	if err := c.effect(); err != nil {
		return err
	}
	c.power.rename = on && c.power.off
	return c.Memory.Rename(old, new)
}

func (c cutESP) Remove(name string) error {
	if err := c.effect(); err != nil {
		return err
	}
	return c.Memory.Remove(name)
}

// cutPrograms is cp, which a cut ends half-way.
type cutPrograms struct{ power *power }

func (c cutPrograms) Output(ctx context.Context, argv ...string) ([]byte, error) {
	off := c.power.off
	if err := c.power.effect(); err != nil {
		if !off {
			_ = os.Mkdir(argv[len(argv)-1], 0o755)
		}
		return nil, err
	}
	return hostPrograms{}.Output(ctx, argv...)
}

// box is a machine of fakes with one good deployment of one node, running.
type box struct {
	*Machine
	t     *testing.T
	top   string
	subs  *testkit.FakeSubvolumes
	esp   *esptest.Memory
	power *power

	booted     int             // the deployment that runs
	held       map[string]bool // work folders that a process holds; a power cut ends it
	kernelSize int
}

// lock is exclusive for work folders; the tests run one change at a time.
func (b *box) lock(path string) (func(), error) {
	if !strings.Contains(path, "/work/") {
		return func() {}, nil
	}
	if b.held[path] {
		return nil, lockHeld{}
	}
	b.held[path] = true
	return func() { delete(b.held, path) }, nil
}

// lockHeld is a lock that another process holds.
type lockHeld struct{}

func (lockHeld) Error() string { return "held by process 7" }
func (lockHeld) ExitCode() int { return exitLocked }

func newBox(t *testing.T, atCut esptest.RenameCut) *box {
	t.Helper()
	p := &power{left: -1}
	b := &box{t: t, top: t.TempDir(), subs: testkit.NewFakeSubvolumes(t), esp: &esptest.Memory{AtCut: atCut}, power: p, booted: 1, held: map[string]bool{}}
	rest := t.TempDir() // the machine's root, but for what is mounted there
	tree := func(root string) cutTree {
		if root == "/" {
			root = rest
		}
		return cutTree{testTree{testkit.DirFiles{Dir: root}}, p}
	}
	ids := 0
	b.Machine = &Machine{
		Programs: cutPrograms{p},
		Btrfs:    cutBtrfs{b.subs, p},
		Tree:     func(root string) (Tree, error) { return tree(root), nil },
		EtcDir:   func(dir string) (deploy.Dir, error) { return tree(dir), nil },
		WaitLock: func(context.Context, string) (func(), error) { return func() {}, nil },
		Now:      func() time.Time { return time.Unix(1700000000, 0) },
		Started:  func() (time.Time, error) { return time.Unix(1700000000, 0), nil },
		NewUUID:  func() (string, error) { ids++; return fmt.Sprint(ids), nil },
	}
	b.Lock = b.lock
	b.Machine.top = b.top
	b.Cmdline = func() (string, error) { return fmt.Sprintf("quiet rastos.deploy=%d", b.booted), nil }
	b.MountedESP = func(string) (boot.ESP, error) { return cutESP{b.esp, b.power}, nil }
	b.FastTree = b.Tree
	b.Geteuid = func() int { return 0 }
	b.manifestPath = filepath.Join(t.TempDir(), "rastos.toml")
	b.check(os.WriteFile(b.manifestPath, []byte("[system]\nhostname = \"box\"\n[packages]\nofficial = [\"linux\"]\n[[repository]]\nname = \"core\"\nservers = [\"https://example.org\"]\n"), 0o600))
	for _, v := range volumes() {
		b.check(os.Mkdir(filepath.Join(b.top, v.name), 0o755))
	}
	sys := b.system(0)
	b.check(sys.Nodes.Init())
	b.check(b.esp.MkdirAll(boot.EntriesDir))
	d, err := b.stage(t.Context(), report.Discard{}, sys, deploy.Request{Node: b.node(sys, 0, "1"), Reason: "first"})
	b.check(err)
	sys = b.system(d.Number)
	b.check(b.bless(sys, report.Discard{}, &Outcome{}))
	return b
}

func (b *box) check(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// system is the machine with a deployment running.
func (b *box) system(booted int) *System {
	b.t.Helper()
	sys, err := b.open(b.top)
	b.check(err)
	sys.Booted, sys.Live, sys.ESP = booted, booted, cutESP{b.esp, b.power}
	return sys
}

// node seals a node with a kernel of its own.
func (b *box) node(sys *System, base int, version string) node.Node {
	b.t.Helper()
	n, err := b.tryNode(sys, base, version)
	b.check(err)
	return n
}

func (b *box) tryNode(sys *System, base int, version string) (n node.Node, err error) {
	w, err := sys.Nodes.Begin(base, "test")
	if err != nil {
		return n, err
	}
	for name, text := range map[string]string{
		modulesDir + "/" + version + "/vmlinuz":         "kernel " + version + strings.Repeat(".", b.kernelSize),
		modulesDir + "/" + version + "/pkgbase":         "linux\n",
		modulesDir + "/" + version + "/modules.builtin": "kernel/fs/btrfs/btrfs.ko\n",
		initPath:                           "init " + version,
		"etc/release":                      version,
		"etc/hosts":                        "a\nb\nc\n",
		"var/lib/app" + version + "/state": "factory",
	} {
		put(b.t, testTree{testkit.DirFiles{Dir: w.Root()}}, name, text)
	}
	if base != 0 {
		old, err := sys.Nodes.Get(base)
		b.check(err)
		b.check(os.RemoveAll(filepath.Join(w.Root(), modulesDir, old.Kernel)))
	}
	return w.Seal(node.Node{Reason: "test", Kernel: version, Replaces: base, Owned: true})
}

// upgrade is what RunChange does, without packages.
func (b *box) upgrade(sys *System, version string) (d deploy.Deployment, err error) {
	err = b.locked(sys, report.Discard{}, func() error {
		all, err := sys.Deploys.List()
		if err != nil {
			return err
		}
		head, _ := deploy.Head(all)
		n, err := b.tryNode(sys, head.Node, version)
		if err != nil {
			return err
		}
		d, err = b.stage(b.t.Context(), report.Discard{}, sys, deploy.Request{Node: n, From: sys.Booted, Reason: "upgrade"})
		return err
	})
	return d, err
}
