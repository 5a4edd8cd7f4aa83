// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/rastos/rastos/internal/boot"
	"github.com/rastos/rastos/internal/deploy"
	"github.com/rastos/rastos/internal/node"
	"github.com/rastos/rastos/internal/report"
)

const (
	initPath   = "usr/lib/rastos/rastos-init"
	modulesDir = "usr/lib/modules"
)

// bootOptions is what the manifest says of booting.
type bootOptions struct {
	kernelPackage string
	cmdline       []string
	compress      string
	title         string
	tries         int
}

// kernelError says why a tree cannot be booted.
type kernelError struct{ text, hint string }

func (e *kernelError) Error() string { return e.text }
func (e *kernelError) Hint() string  { return e.hint }
func (e *kernelError) ExitCode() int { return 4 }

// kernelRelease finds the kernel of a package in a tree: the folder of
// usr/lib/modules whose file pkgbase names the package.
func kernelRelease(t Tree, pkg string) (string, error) {
	entries, err := t.ReadDir(modulesDir)
	if err != nil {
		return "", &kernelError{"there is no kernel in the system: " + err.Error(), "add a kernel to [packages] official, for example " + pkg}
	}
	var found, others []string
	for _, e := range entries {
		base, err := t.ReadFile(path.Join(modulesDir, e.Name(), "pkgbase"))
		if err != nil {
			continue
		}
		if strings.TrimSpace(string(base)) == pkg {
			found = append(found, e.Name())
		} else {
			others = append(others, strings.TrimSpace(string(base)))
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return "", &kernelError{fmt.Sprintf("the package %s left several kernels: %s", pkg, strings.Join(found, ", ")), "remove the old folders below /usr/lib/modules"}
	}
	hint := "add " + pkg + " to [packages] official"
	if len(others) > 0 {
		slices.Sort(others)
		hint = fmt.Sprintf("the system has %s: set [kernel] package", strings.Join(slices.Compact(others), ", "))
	}
	return "", &kernelError{fmt.Sprintf("no kernel in the system comes from the package %s", pkg), hint}
}

// makeInitramfs builds the initramfs of a tree for one of its kernels.
func makeInitramfs(t Tree, root, release string) ([]byte, error) {
	init, err := t.ReadFile(initPath)
	if err != nil {
		return nil, fmt.Errorf("build the initramfs: %w", err)
	}
	var out bytes.Buffer
	_, err = boot.WriteInitramfs(&out, boot.InitramfsSpec{
		Init: init, Release: release, Modules: os.DirFS(filepath.Join(root, modulesDir, release)),
	})
	if err != nil {
		return nil, fmt.Errorf("build the initramfs of kernel %s: %w", release, err)
	}
	return out.Bytes(), nil
}

// fillESP puts the kernel and the initramfs of a staged deployment on the ESP.
func (m *Machine) fillESP(sink report.Sink, sys *System, d *deploy.Deployment, n node.Node, kernelPackage string) error {
	if reused := m.reuseBlobs(sys, d); reused {
		return nil
	}
	return m.putBlobs(sink, sys, d, n, kernelPackage)
}

// arm makes a deployment that has its blobs the next to boot: the record first, the
// entry last.
func (m *Machine) arm(sink report.Sink, sys *System, d deploy.Deployment, opt bootOptions) (deploy.Deployment, error) {
	var err error
	task := report.Begin(sink, fmt.Sprintf("boot entry of deployment %d", d.Number), 0, "")
	d.Options = commandLine(sys.UUID, d, opt)
	d.Title = fmt.Sprintf("%s: node %d, deployment %d", opt.title, d.Node, d.Number)
	d.State = deploy.Armed
	if err = sys.Deploys.Put(d); err == nil {
		if err = boot.WriteEntry(sys.ESP, entryOf(d), d.EntryName(), opt.tries); err != nil {
			err = errors.Join(err, disarm(sys, d))
		}
	}
	task.End(err, fmt.Sprintf("%d tries", opt.tries))
	return d, err
}

// disarm takes back a deployment whose boot entry could not be written, or
// recovery would write it after the person was told that it failed. Entry first:
// one of a deployment that is not armed would outlive it.
func disarm(sys *System, d deploy.Deployment) error {
	if err := boot.RemoveEntry(sys.ESP, d.EntryName()); err != nil {
		return err
	}
	d.State = deploy.Staged
	return sys.Deploys.Put(d)
}

// reuseBlobs takes the kernel and the initramfs that another deployment of the
// same node has on the ESP: going back costs no room there and no building.
func (m *Machine) reuseBlobs(sys *System, d *deploy.Deployment) bool {
	all, err := sys.Deploys.List()
	if err != nil {
		return false
	}
	for _, o := range all {
		if o.Node != d.Node || o.Kernel == "" || o.Number == d.Number {
			continue
		}
		if boot.Verify(sys.ESP, boot.BlobPath(o.Kernel, boot.Linux)) == nil && boot.Verify(sys.ESP, boot.BlobPath(o.Initrd, boot.Initrd)) == nil {
			d.Kernel, d.Initrd = o.Kernel, o.Initrd
			return true
		}
	}
	return false
}

func (m *Machine) putBlobs(sink report.Sink, sys *System, d *deploy.Deployment, n node.Node, kernelPackage string) error {
	root := sys.Nodes.Root(n.Number)
	t, err := m.Tree(root)
	if err != nil {
		return err
	}
	defer t.Close()
	release, err := nodeKernel(n, t, kernelPackage)
	if err != nil {
		return err
	}
	kernel, err := t.ReadFile(path.Join(modulesDir, release, "vmlinuz"))
	if err != nil {
		return fmt.Errorf("read kernel %s: %w", release, err)
	}
	task := report.Begin(sink, "initramfs for kernel "+release, 0, "")
	initrd, err := makeInitramfs(t, root, release)
	task.End(err, report.Size(int64(len(initrd))))
	if err != nil {
		return err
	}
	if err := m.makeRoom(sys, sink, kernel, initrd); err != nil {
		return err
	}
	if d.Kernel, err = boot.PutBlob(sys.ESP, boot.Linux, kernel); err != nil {
		return err
	}
	d.Initrd, err = boot.PutBlob(sys.ESP, boot.Initrd, initrd)
	return err
}

// nodeKernel is the kernel that a node was sealed with: the manifest, which may
// ask for another one by now, has no say in an old node.
func nodeKernel(n node.Node, t Tree, pkg string) (string, error) {
	if n.Kernel != "" {
		return n.Kernel, nil
	}
	return kernelRelease(t, pkg)
}

// commandLine is the kernel command line of a deployment. The node is named by
// its explicit path; the default subvolume decides nothing.
func commandLine(uuid string, d deploy.Deployment, opt bootOptions) string {
	flags := "subvol=/" + node.RootName(d.Node)
	if opt.compress != "" && opt.compress != "none" {
		flags += ",compress=" + opt.compress
	}
	words := []string{
		"root=UUID=" + uuid, "rootfstype=btrfs", "rootflags=" + flags, "ro",
		fmt.Sprintf("rastos.deploy=%d", d.Number),
		// A panic must reboot, or nothing ever falls back.
		"panic=10",
		// fstab says what is mounted; systemd's own guessing from the
		// partition table would look for a default subvolume.
		"systemd.gpt_auto=0",
	}
	return strings.Join(append(words, opt.cmdline...), " ")
}

// entryOf is the boot entry that a deployment's record describes.
func entryOf(d deploy.Deployment) boot.Entry {
	return boot.Entry{
		Title: d.Title, SortKey: "rastos", Version: strconv.Itoa(d.Number),
		Linux: boot.BlobPath(d.Kernel, boot.Linux), Initrd: []string{boot.BlobPath(d.Initrd, boot.Initrd)},
		Options: d.Options,
	}
}
