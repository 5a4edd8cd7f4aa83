// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/rastos/rastos/internal/agent"
	"github.com/rastos/rastos/internal/report"
	"github.com/rastos/rastos/internal/vm"
)

// BootRequest says how an image is run.
type BootRequest struct {
	Image    string
	Format   string   // raw or qcow2; "" goes by the file's first bytes
	Memory   int      // MiB
	CPUs     int      //
	Direct   bool     // start kernel and initramfs without firmware and boot loader
	Keep     bool     // let the guest change the image; otherwise changes are dropped
	Network  bool     // QEMU's user network
	Accel    string   // auto, kvm, tcg
	Exec     []string // run this in the guest, then power off; empty: the console
	Stdin    io.Reader
	Stdout   io.Writer
	Stderr   io.Writer
	Console  io.Writer // gets the serial console beside Exec; nil: nowhere
	WorkDir  string
	Terminal bool // Stdin is a terminal: the console takes it over
}

// BootImage runs an image in QEMU. With Exec it returns the command's exit
// code; without, the person has the serial console until the machine ends.
func (m *Machine) BootImage(ctx context.Context, sink report.Sink, r BootRequest) (code int, err error) {
	if r.Format == "" {
		if r.Format, err = imageFormat(r.Image); err != nil {
			return 0, err
		}
	}
	cfg := vm.Config{
		Name: filepath.Base(r.Image), Memory: r.Memory, CPUs: r.CPUs, Accel: vm.Accel(r.Accel),
		Disks: []vm.Disk{{Path: r.Image, Format: r.Format, Snapshot: !r.Keep}},
		Net:   vm.Net{User: r.Network}, Serial: r.Console, TempDir: r.WorkDir,
	}
	if r.Direct {
		dir, err := os.MkdirTemp(r.WorkDir, "rastos-boot-")
		if err != nil {
			return 0, err
		}
		defer os.RemoveAll(dir)
		if err := directBoot(ctx, r, dir, &cfg); err != nil {
			return 0, err
		}
	} else {
		uefi, err := vm.FindUEFI()
		if err != nil {
			return 0, err
		}
		cfg.UEFI = &uefi
	}
	machine, err := m.VMs.Start(ctx, cfg)
	if err != nil {
		return 0, err
	}
	defer machine.Kill()
	report.Notef(sink, "%s runs under %s", cfg.Name, machine.Accel())
	if len(r.Exec) == 0 {
		return 0, m.console(ctx, machine, r)
	}
	return guestExec(ctx, machine, r)
}

func (m *Machine) console(ctx context.Context, machine *vm.Machine, r BootRequest) error {
	err := machine.Console(ctx, r.Stdin, r.Stdout)
	if errors.Is(err, vm.ErrEnded) {
		return nil
	}
	return err
}

func guestExec(ctx context.Context, machine *vm.Machine, r BootRequest) (int, error) {
	if _, err := machine.WaitAgent(ctx); err != nil {
		return 0, err
	}
	exit, err := machine.Exec(ctx, agent.Command{Argv: r.Exec, Stdin: r.Stdin, Stdout: r.Stdout, Stderr: r.Stderr})
	if err != nil {
		return 0, err
	}
	// A clean end matters where the image keeps its changes.
	if err := machine.Shutdown(ctx); err != nil {
		return exit.Code, err
	}
	return exit.Code, nil
}

// imageFormat goes by the content: qcow2 has a magic number, all else is raw.
func imageFormat(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("open image: %w", err)
	}
	defer f.Close()
	var magic [4]byte
	if _, err := io.ReadFull(f, magic[:]); err != nil {
		return "", fmt.Errorf("read image %s: %w", path, err)
	}
	if string(magic[:]) == "QFI\xfb" {
		return "qcow2", nil
	}
	return "raw", nil
}

// directBoot takes kernel, initramfs and command line of the newest boot entry
// that is not bad from the image's ESP.
func directBoot(ctx context.Context, r BootRequest, dir string, cfg *vm.Config) error {
	esp, closeESP, err := openImageESP(ctx, r.Image, r.Format, dir)
	if err != nil {
		return err
	}
	defer closeESP()
	entry, err := newestEntry(esp)
	if err != nil {
		return fmt.Errorf("boot %s directly: %w", r.Image, err)
	}
	cfg.Kernel, cfg.Initrd, cfg.Append = filepath.Join(dir, "linux"), filepath.Join(dir, "initrd"), entry.Options
	for _, f := range []struct{ from, to string }{{entry.Linux, cfg.Kernel}, {entry.Initrd[0], cfg.Initrd}} {
		data, err := esp.ReadFile(strings.TrimPrefix(f.from, "/"))
		if err != nil {
			return err
		}
		if err := os.WriteFile(f.to, data, 0o600); err != nil {
			return err
		}
	}
	return nil
}
