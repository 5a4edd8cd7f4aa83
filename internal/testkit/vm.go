// SPDX-License-Identifier: GPL-3.0-or-later

package testkit

import (
	"context"
	"crypto/rand"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"testing"
	"time"

	"github.com/rastos/rastos/internal/boot"
	"github.com/rastos/rastos/internal/host/run"
	"github.com/rastos/rastos/internal/vm"
)

// VMHost is where test machines run. RASTOS_TEST_ACCEL (kvm, tcg) spares each
// test process the probe.
func VMHost(t testing.TB) *vm.Host {
	t.Helper()
	NeedTool(t, "qemu-system-x86_64")
	return vm.NewHost(StartProgram, rand.Reader)
}

// StartProgram lets vm start programs through the runner.
func StartProgram(ctx context.Context, argv []string, output io.Writer) (vm.Process, error) {
	p, err := run.Runner{}.Start(ctx, run.Command{Argv: argv, Stdout: output, Stderr: output})
	if err != nil {
		return nil, err
	}
	return process{p}, nil
}

type process struct{ *run.Process }

func (p process) Wait() (int, error) {
	res, err := p.Process.Wait()
	return res.Code, err
}

// StartVM starts a machine that goes with the test; if the test fails, the
// last that its console printed is logged.
func StartVM(t testing.TB, cfg vm.Config) *vm.Machine {
	t.Helper()
	host := VMHost(t)
	if cfg.Accel == "" {
		cfg.Accel = probedAccel(host)
	}
	if cfg.Name == "" {
		cfg.Name = t.Name()
	}
	began := time.Now()
	m, err := host.Start(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		m.Kill()
		t.Logf("machine %s: %.1f s of CPU, %.1f s of time", cfg.Name, m.CPUTime().Seconds(), time.Since(began).Seconds())
		if t.Failed() {
			t.Logf("its console:\n%s", m.SerialText())
		}
	})
	return m
}

// probedAccel is what machines run on here. The probe takes seconds where KVM
// is there and does not work; the environment keeps its verdict for the other
// tests of this process.
func probedAccel(host *vm.Host) vm.Accel {
	const key = "RASTOS_TEST_ACCEL"
	if os.Getenv(key) == "" {
		accel, _ := host.Accel(context.Background())
		_ = os.Setenv(key, string(accel))
	}
	return vm.Accel(os.Getenv(key))
}

// NeedOVMF asks for the UEFI firmware of virtual machines.
func NeedOVMF(t testing.TB) {
	t.Helper()
	if _, err := vm.FindUEFI(); err != nil {
		missing(t, "OVMF")
	}
}

// KernelTree is a Linux kernel with its modules.
type KernelTree struct {
	Version string
	Image   string // the file to boot
	Modules string // lib/modules/<version>
	Root    string // of the tree that holds them
}

// NeedKernel returns a kernel to boot, with virtio and btrfs as modules or
// built in: the newest of RASTOS_TEST_KERNEL_ROOT (a folder with a kernel
// package unpacked), else of this machine.
func NeedKernel(t testing.TB) KernelTree {
	t.Helper()
	root := os.Getenv("RASTOS_TEST_KERNEL_ROOT")
	if root == "" {
		root = "/"
	}
	var found []KernelTree
	for _, modules := range []string{"usr/lib/modules", "lib/modules"} {
		dirs, _ := filepath.Glob(filepath.Join(root, modules, "*"))
		for _, dir := range dirs {
			version := filepath.Base(dir)
			for _, image := range []string{filepath.Join(dir, "vmlinuz"), filepath.Join(root, "boot/vmlinuz-"+version)} {
				if st, err := os.Stat(image); err == nil && st.Mode().IsRegular() {
					found = append(found, KernelTree{Version: version, Image: image, Modules: dir, Root: root})
				}
			}
		}
	}
	if len(found) == 0 {
		missing(t, "a kernel with its modules (RASTOS_TEST_KERNEL_ROOT)")
	}
	sort.Slice(found, func(i, j int) bool { return found[i].Version < found[j].Version })
	return found[len(found)-1]
}

// NeedLoader returns the root of a tree that holds systemd-boot where a node
// does: that of the kernel, else this machine's.
func NeedLoader(t testing.TB, k KernelTree) fs.FS {
	t.Helper()
	for _, root := range []string{k.Root, "/"} {
		if _, err := fs.Stat(os.DirFS(root), boot.LoaderPath); err == nil {
			return os.DirFS(root)
		}
	}
	missing(t, "systemd-boot ("+boot.LoaderPath+" in RASTOS_TEST_KERNEL_ROOT)")
	return nil
}
