// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rastos/rastos/internal/account"
	"github.com/rastos/rastos/internal/disk"
	"github.com/rastos/rastos/internal/report"
	"github.com/rastos/rastos/qcow2"
)

// disk makes the image file with its table and file systems, and mounts the
// top level of the system's.
func (b *build) disk(ctx context.Context) error {
	if err := b.createImage(); err != nil {
		return err
	}
	system, err := b.layout.Find(disk.TypeRootX86)
	if err != nil {
		return err
	}
	dev, detach, err := b.Loops.Attach(b.image.Name(), system.Start, system.Size)
	if err != nil {
		return err
	}
	b.scope.Defer("detach "+dev, func(context.Context) error { return detach() })
	b.disks.systemUUID, err = b.NewUUID()
	if err != nil {
		return err
	}
	err = disk.MakeBtrfs(ctx, b.Programs, dev, disk.Btrfs{Label: b.mf.Disk.Label, UUID: b.disks.systemUUID})
	if err != nil {
		return err
	}
	return b.mount(dev)
}

// createImage makes the sparse file, its table and the empty ESP.
func (b *build) createImage() error {
	var ids disk.IDs
	for _, id := range []*string{&ids.Disk, &ids.ESP, &ids.Root} {
		var err error
		if *id, err = b.NewUUID(); err != nil {
			return err
		}
	}
	var err error
	b.layout, err = disk.System(b.mf.Disk.Size.Bytes(), b.mf.Disk.ESP.Bytes(), "x86_64", ids)
	if err != nil {
		return err
	}
	// Beside its target, so that publishing it is a rename; a raw image that
	// nobody asked for is only the source of the others.
	path := b.r.Output + ".raw"
	if !slices.Contains(b.mf.Disk.Formats, "raw") {
		path = filepath.Join(b.dir, "system.raw")
	}
	if b.image, err = disk.Create(path, b.layout.Size); err != nil {
		return fmt.Errorf("create the image: %w", err)
	}
	b.scope.Defer("remove the unfinished image", func(context.Context) error { return b.image.Discard() })
	if err := disk.WriteTable(b.image.File, b.layout); err != nil {
		return err
	}
	esp, err := b.layout.Find(disk.TypeESP)
	if err != nil {
		return err
	}
	b.disks.espUUID = esp.GUID
	b.esp, err = disk.FormatESP(b.image.File, esp, "RASTOS", serialOf(esp.GUID), b.Now)
	return err
}

// serialOf makes the 32-bit serial of a FAT file system from a partition's GUID.
func serialOf(guid string) uint32 {
	raw, err := hex.DecodeString(strings.ReplaceAll(guid, "-", ""))
	if err != nil || len(raw) < 4 {
		return 0
	}
	return binary.BigEndian.Uint32(raw)
}

// mount mounts the top level and makes the subvolumes and the empty tree of
// nodes.
func (b *build) mount(dev string) error {
	top := filepath.Join(b.dir, folderTop)
	if err := os.Mkdir(top, 0o700); err != nil {
		return err
	}
	// Nothing of a build that is cut short is ever used: barriers would only
	// cost time. The file system is synced before it is unmounted.
	if err := b.Mounts.Mount(dev, top, "btrfs", b.mountOptions()); err != nil {
		return err
	}
	b.mounted = true
	b.scope.Defer("unmount "+top, func(context.Context) error { return b.release() })
	for _, v := range volumes() {
		if err := b.Btrfs.Create(filepath.Join(top, v.name)); err != nil {
			return err
		}
	}
	if err := os.Chmod(filepath.Join(top, "@root"), 0o700); err != nil {
		return err
	}
	if err := b.Btrfs.Create(filepath.Join(top, "@swap")); err != nil {
		return err
	}
	var err error
	if b.sys, err = b.open(top); err != nil {
		return err
	}
	b.scope.Defer("close "+top, func(context.Context) error { return b.closeTop() })
	b.sys.ESP = b.esp
	// Nobody else can work in an image that is being built, and a lock of a
	// build that failed would keep it mounted.
	b.sys.Nodes.Hold = nil
	return b.sys.Nodes.Init()
}

func (b *build) mountOptions() string {
	options := "noatime,nobarrier,subvolid=5"
	if c := b.mf.Disk.Compress; c != "" && c != "none" {
		options += ",compress=" + c
	}
	return options
}

func (b *build) closeTree() error {
	err := b.tree.Close()
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

// closeTop lets go of the top level; a second call does nothing.
func (b *build) closeTop() error {
	err := b.sys.Close()
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

// release unmounts the top level, once.
func (b *build) release() error {
	if !b.mounted {
		return nil
	}
	b.mounted = false
	return b.Mounts.Release(filepath.Join(b.dir, folderTop))
}

// volumes fills the shared subvolumes: what the packages ship, the users'
// homes, the swap file.
func (b *build) volumes(ctx context.Context) error {
	if err := b.seedVolumes(ctx, b.sys, b.node.Number); err != nil {
		return err
	}
	homes, err := b.Tree(filepath.Join(b.sys.Nodes.Top, "@home"))
	if err != nil {
		return err
	}
	defer homes.Close()
	for _, h := range b.homes {
		at, ok := strings.CutPrefix(h.Path, "/home/")
		if !ok {
			if err := b.rootHome(h); err != nil {
				return err
			}
			continue
		}
		skel, err := b.Tree(b.sys.Nodes.Root(b.node.Number))
		if err != nil {
			return err
		}
		err = errors.Join(account.MakeHome(homes, at, h, skel), skel.Close())
		if err != nil {
			return err
		}
	}
	return b.swap(ctx)
}

// rootHome gives root its keys; its home is a volume of its own.
func (b *build) rootHome(h account.Home) error {
	if h.Path != "/root" {
		return fmt.Errorf("user %s: the home %s is on no shared volume; homes are below /home", h.User, h.Path)
	}
	t, err := b.Tree(filepath.Join(b.sys.Nodes.Top, "@root"))
	if err != nil {
		return err
	}
	defer t.Close()
	return account.MakeHome(t, "", h, nil)
}

// swap makes the swap file in its own subvolume: an active one keeps the
// subvolume that holds it from being snapshotted.
func (b *build) swap(ctx context.Context) error {
	if b.mf.Disk.Swap == 0 {
		return nil
	}
	file := filepath.Join(b.sys.Nodes.Top, "@swap", "swapfile")
	_, err := b.Programs.Output(ctx, "btrfs", "filesystem", "mkswapfile", "--size", fmt.Sprint(b.mf.Disk.Swap.Bytes()), file)
	return err
}

// unmount gives the file systems back, synced.
func (b *build) unmount(context.Context) error {
	if err := b.closeTree(); err != nil {
		return err
	}
	if err := b.Btrfs.Sync(b.sys.Nodes.Top); err != nil {
		return err
	}
	if err := b.closeTop(); err != nil {
		return err
	}
	return b.release()
}

// publish writes the other formats and gives every image its name.
func (b *build) publish(ctx context.Context) ([]BuiltFile, error) {
	var files []BuiltFile
	for _, format := range b.mf.Disk.Formats {
		if format != "qcow2" {
			continue
		}
		path := b.r.Output + ".qcow2"
		if err := b.qcow2(ctx, path); err != nil {
			return nil, err
		}
		files = append(files, BuiltFile{Path: path, Format: format})
	}
	if slices.Contains(b.mf.Disk.Formats, "raw") {
		if err := b.image.Publish(false); err != nil {
			return nil, err
		}
		files = append(files, BuiltFile{Path: b.r.Output + ".raw", Format: "raw"})
	}
	for i := range files {
		size, err := diskUsage(files[i].Path)
		if err != nil {
			return nil, err
		}
		files[i].Size = size
	}
	return files, nil
}

func (b *build) qcow2(ctx context.Context, path string) error {
	task := report.Begin(b.sink, "write "+filepath.Base(path), 0, report.Bytes)
	out, err := disk.Create(path, 0)
	if err != nil {
		task.End(err, "")
		return fmt.Errorf("create %s: %w", path, err)
	}
	err = qcow2.Convert(ctx, b.image.File, b.layout.Size, out.File, qcow2.Options{})
	if err == nil {
		err = out.Publish(false)
	}
	task.End(err, "")
	return errors.Join(err, out.Discard())
}
