// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/rastos/rastos/btrfs"
	"github.com/rastos/rastos/btrfs/compare"
	"github.com/rastos/rastos/btrfs/receive"
	"github.com/rastos/rastos/btrfs/stream"
	"github.com/rastos/rastos/internal/boot"
	"github.com/rastos/rastos/internal/boot/esptest"
	"github.com/rastos/rastos/internal/node"
	"github.com/rastos/rastos/internal/testkit"
)

// diskBtrfs is the real thing.
type diskBtrfs struct{}

func (diskBtrfs) Create(path string) error                { return btrfs.Create(path) }
func (diskBtrfs) Snapshot(src, dst string, ro bool) error { return btrfs.Snapshot(src, dst, ro) }
func (diskBtrfs) Delete(path string) error                { return btrfs.Delete(path) }
func (diskBtrfs) Sync(path string) error                  { return btrfs.SyncFS(path) }
func (diskBtrfs) IsSubvolume(path string) (bool, error)   { return btrfs.IsSubvolume(path) }
func (diskBtrfs) Below(path string) ([]string, error)     { return btrfs.Below(path) }
func (diskBtrfs) Generation(path string) (uint64, error) {
	i, err := btrfs.Info(path)
	return i.Generation, err
}
func (diskBtrfs) MountedAt(path string) (string, error) { return btrfs.MountedAt(path) }
func (diskBtrfs) UUID(path string) (string, error) {
	i, err := btrfs.FSInfo(path)
	return i.UUID.String(), err
}

type diskStreams struct{}

func (diskStreams) Send(ctx context.Context, w io.Writer, root, parent string) error {
	return btrfs.Send(ctx, w, root, btrfs.SendOptions{Parent: parent, Version: 2, Compressed: true})
}

func (diskStreams) Receive(ctx context.Context, r io.Reader, root, parent string) error {
	s, err := stream.NewReader(r)
	if err != nil {
		return err
	}
	origin, err := receive.Apply(ctx, s, root, receive.Options{Parent: parent})
	if err != nil {
		return err
	}
	return btrfs.SetReceived(root, origin.UUID, origin.Generation)
}

func (diskStreams) Compare(ctx context.Context, before, now string) ([]compare.Change, error) {
	return compare.Subvolumes(ctx, before, now)
}

// diskBox is a machine whose nodes are on a real btrfs file system.
type diskBox struct {
	*Machine
	t   *testing.T
	sys *System
}

func newDiskBox(t *testing.T) *diskBox {
	t.Helper()
	b := diskBoxAt(t, testkit.BtrfsDisk(t, 384))
	b.check(b.sys.Nodes.Init())
	return b
}

// diskBoxAt opens a file system that has one, or gets one.
func diskBoxAt(t *testing.T, top string) *diskBox {
	t.Helper()
	ids := 0
	esp := &esptest.Memory{}
	if err := esp.MkdirAll(boot.EntriesDir); err != nil {
		t.Fatal(err)
	}
	m := &Machine{
		Btrfs: diskBtrfs{}, Streams: diskStreams{},
		Tree:    func(root string) (Tree, error) { return testTree{testkit.DirFiles{Dir: root}}, nil },
		Geteuid: os.Geteuid, Now: func() time.Time { return time.Unix(1700000000, 0) },
		NewUUID: func() (string, error) {
			ids++
			return fmt.Sprintf("%s-%d-%d", filepath.Base(filepath.Dir(top)), os.Getpid(), ids), nil
		},
		Lock: func(string) (func(), error) { return func() {}, nil },
		top:  top,
	}
	m.Lock = lockOnce()
	m.Hold = m.Lock
	m.WaitLock = func(context.Context, string) (func(), error) { return func() {}, nil }
	m.Cmdline = func() (string, error) { return "rastos.deploy=1", nil }
	m.MountedESP = func(string) (boot.ESP, error) { return esp, nil }
	sys, err := m.open(top)
	if err != nil {
		t.Fatal(err)
	}
	sys.ESP = esp
	return &diskBox{Machine: m, t: t, sys: sys}
}

// lockOnce is exclusive, but for the lock of the system: the tests of two machines
// do one thing at a time on each.
func lockOnce() func(path string) (func(), error) {
	var mu sync.Mutex
	held := map[string]bool{}
	return func(path string) (func(), error) {
		mu.Lock()
		defer mu.Unlock()
		if held[path] {
			return nil, lockHeld{}
		}
		held[path] = true
		return func() { mu.Lock(); delete(held, path); mu.Unlock() }, nil
	}
}

func (b *diskBox) check(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// node makes a node on top of another by a change of its files.
func (b *diskBox) node(base int, n node.Node, change func(t testTree)) node.Node {
	b.t.Helper()
	w, err := b.sys.Nodes.Begin(base, "test")
	b.check(err)
	change(testTree{testkit.DirFiles{Dir: w.Root()}})
	n.Reason = "test"
	n, err = w.Seal(n)
	b.check(err)
	return n
}

// putPackage lists a package in the database of a tree.
func putPackage(t *testing.T, tree testTree, name, version string) {
	t.Helper()
	put(t, tree, nodeDB+"/ALPM_DB_VERSION", "9\n")
	put(t, tree, fmt.Sprintf("%s/%s-%s/desc", nodeDB, name, version), fmt.Sprintf("%%NAME%%\n%s\n\n%%VERSION%%\n%s\n\n%%ARCH%%\nany\n\n", name, version))
	put(t, tree, fmt.Sprintf("%s/%s-%s/files", nodeDB, name, version), "%FILES%\n")
}
