// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/rastos/rastos/internal/host/linux"
	"github.com/rastos/rastos/internal/host/loop"
	"github.com/rastos/rastos/internal/host/mount"
)

// medium is what a root is made on.
type medium string

const (
	tmpfs medium = "tmpfs"
	ext4  medium = "ext4"
	btrfs medium = "btrfs"
)

// mkfs makes a file system that has nothing left to do in the background.
var mkfs = map[medium][]string{
	ext4:  {"mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0"},
	btrfs: {"mkfs.btrfs", "-q", "-f"},
}

// diskSize is that of an image; it is sparse.
const diskSize = 8 << 30

// place is a fresh file system for one installation.
type place struct {
	root    string // mounted
	disk    bool
	release []func() error
}

// newPlace mounts a fresh file system at dir/root.
func newPlace(ctx context.Context, m medium, dir, disks string) (p *place, err error) {
	p = &place{root: filepath.Join(dir, "root"), disk: m != tmpfs}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	if err := os.Mkdir(p.root, 0o755); err != nil {
		return nil, err
	}
	p.release = append(p.release, func() error { return os.Remove(p.root) })
	source, options := "tmpfs", "mode=755"
	if p.disk {
		options = ""
		if source, err = p.device(ctx, m, disks); err != nil {
			return nil, err
		}
	}
	if err := mount.Mount(source, p.root, string(m), options); err != nil {
		return nil, err
	}
	p.release = append(p.release, func() error { return mount.Release(p.root, 10*time.Second) })
	return p, nil
}

func (p *place) device(ctx context.Context, m medium, disks string) (string, error) {
	f, err := os.CreateTemp(disks, "rastos-bench-*.img")
	if err != nil {
		return "", err
	}
	defer f.Close()
	p.release = append(p.release, func() error { return os.Remove(f.Name()) })
	if err := f.Truncate(diskSize); err != nil {
		return "", err
	}
	argv := append(mkfs[m], f.Name())
	if out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", argv[0], err, out)
	}
	dev, err := loop.Attach(f.Name(), 0, 0)
	if err != nil {
		return "", err
	}
	p.release = append(p.release, dev.Detach)
	return dev.Path, nil
}

// sync flushes the file system, if there is a disk, and says how long it took.
func (p *place) sync() (time.Duration, error) {
	if !p.disk {
		return 0, nil
	}
	start := time.Now()
	err := linux.SyncFS(p.root)
	return time.Since(start), err
}

// close gives everything back; it is called once.
func (p *place) close() error {
	var first error
	for i := len(p.release) - 1; i >= 0; i-- {
		if err := p.release[i](); err != nil && first == nil {
			first = err
		}
	}
	p.release = nil
	return first
}
