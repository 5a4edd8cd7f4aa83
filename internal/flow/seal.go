// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/rastos/rastos/alpm/localdb"
	"github.com/rastos/rastos/internal/node"
)

// seal checks a finished tree and makes it a node.
func (m *Machine) seal(sys *System, w *node.Work, t Tree, n node.Node, kernelPackage string) (node.Node, error) {
	n, err := m.finish(w, t, n, kernelPackage)
	if err != nil {
		return n, err
	}
	return w.Seal(n)
}

// finish makes a tree ready to be sealed, and fills in what is known of it.
func (m *Machine) finish(w *node.Work, t Tree, n node.Node, kernelPackage string) (node.Node, error) {
	if err := m.flatten(w.Root()); err != nil {
		return n, err
	}
	if err := complete(t); err != nil {
		return n, err
	}
	release, err := kernelRelease(t, kernelPackage)
	if err != nil {
		return n, err
	}
	n.Kernel = release
	if err := bootable(t, release); err != nil {
		return n, err
	}
	if n.Packages, n.Count, err = packageDigest(w.Root()); err != nil {
		return n, err
	}
	// systemd runs sysusers, tmpfiles and ldconfig again for a /usr that it has
	// not seen yet.
	return n, t.RemoveAll("etc/.updated")
}

// flatten makes directories of the subvolumes that scriptlets made in a tree
// (systemd-tmpfiles does, for /var/lib/machines and its like): a snapshot would
// hold them as empty stubs, and nothing could be sent or deleted whole. One with
// something in it is refused.
func (m *Machine) flatten(root string) error {
	inner, err := m.Btrfs.Below(root)
	if err != nil {
		return err
	}
	for _, p := range inner {
		entries, err := os.ReadDir(p)
		if err != nil {
			return err
		}
		if len(entries) > 0 {
			return fmt.Errorf("seal: a package made the subvolume %s and filled it; a node holds none", strings.TrimPrefix(p, root))
		}
		info, err := os.Lstat(p)
		if err != nil {
			return err
		}
		st := info.Sys().(*syscall.Stat_t)
		if err := m.Btrfs.Delete(p); err != nil {
			return err
		}
		if err := errors.Join(os.Mkdir(p, 0o700), os.Chown(p, int(st.Uid), int(st.Gid)), os.Chmod(p, info.Mode())); err != nil {
			return err
		}
	}
	return nil
}

// bootable finds, before the seal, what would only show as a panic at boot.
func bootable(t Tree, release string) error {
	for _, f := range []struct{ path, hint string }{
		{modulesDir + "/" + release + "/vmlinuz", "the kernel's package is incomplete"},
		{modulesDir + "/" + release + "/modules.dep", "depmod did not run: is kmod installed, with its hook?"},
		{initPath, "the package rastos is incomplete"},
	} {
		info, err := t.Lstat(f.path)
		if err == nil && info.Mode()&fs.ModeType == 0 && info.Size() > 0 {
			continue
		}
		return &kernelError{fmt.Sprintf("the new system cannot boot: it has no /%s", f.path), f.hint}
	}
	return nil
}

// packageDigest sums up what is installed: sha256 over sorted "name version" lines.
func packageDigest(root string) (string, int, error) {
	db, err := localdb.Open(filepath.Join(root, filepath.FromSlash(nodeDB)))
	if err != nil {
		return "", 0, err
	}
	var lines []string
	for _, p := range db.Packages() {
		lines = append(lines, p.Name+" "+p.Version+"\n")
	}
	slices.Sort(lines)
	h := sha256.New()
	for _, l := range lines {
		h.Write([]byte(l))
	}
	return hex.EncodeToString(h.Sum(nil)), len(lines), nil
}
