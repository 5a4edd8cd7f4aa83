// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/rastos/rastos/alpm/localdb"
	"github.com/rastos/rastos/internal/node"
)

// seal checks a finished tree and makes it a node.
func (m *Machine) seal(sys *System, w *node.Work, t Tree, n node.Node, kernelPackage string) (node.Node, error) {
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
	if err := t.RemoveAll("etc/.updated"); err != nil {
		return n, err
	}
	return w.Seal(n)
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
