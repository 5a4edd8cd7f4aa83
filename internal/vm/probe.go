// SPDX-License-Identifier: GPL-3.0-or-later

package vm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// verdict is what a probe found.
type verdict struct {
	accel  Accel
	reason string
}

const (
	kvmDevice = "/dev/kvm"

	// The probe takes 0.1 s under KVM that works and 0.2 s under TCG.
	probeTimeout = 2 * time.Second

	// probeOK is what QEMU exits with when the guest writes 0x10 to the
	// isa-debug-exit device: value*2+1.
	probeOK = 0x10<<1 | 1
)

// Accel says what machines run on here, and why. A /dev/kvm that opens is not
// enough: there are hosts where it does and every guest instruction is emulated
// at a thousandth of TCG's speed, or the guest never gets anywhere. So a guest
// of a few instructions is run once a Host.
func (h *Host) Accel(ctx context.Context) (Accel, string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.probed {
		h.verdict = h.probe(ctx)
		h.probed = ctx.Err() == nil
	}
	return h.accel, h.reason
}

func (h *Host) probe(ctx context.Context) verdict {
	f, err := os.OpenFile(kvmDevice, os.O_RDWR, 0)
	if err != nil {
		return verdict{TCG, fmt.Sprintf("KVM cannot be used: %v", err)}
	}
	_ = f.Close()
	dir, err := os.MkdirTemp("", "rastos-kvm-")
	if err != nil {
		return verdict{TCG, fmt.Sprintf("KVM was not probed: %v", err)}
	}
	defer os.RemoveAll(dir)
	rom := filepath.Join(dir, "probe.rom")
	if err := os.WriteFile(rom, probeROM(), 0o600); err != nil {
		return verdict{TCG, fmt.Sprintf("KVM was not probed: %v", err)}
	}
	err = h.runProbe(ctx, KVM, rom)
	if err != nil {
		return verdict{TCG, fmt.Sprintf("%s opens, but no guest runs under it: %v", kvmDevice, err)}
	}
	return verdict{KVM, "a guest ran under KVM"}
}

// runProbe runs the probe's guest; nil means that it came to its end in time.
func (h *Host) runProbe(ctx context.Context, accel Accel, rom string) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	proc, err := h.start(ctx, []string{
		"qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none",
		"-machine", "pc", "-accel", string(accel), "-m", "16", "-bios", rom,
		"-device", "isa-debug-exit,iobase=0xf4,iosize=1",
	}, &tailWriter{})
	if err != nil {
		return err
	}
	code, err := proc.Wait()
	switch {
	case code == probeOK:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("it did not end within %v", probeTimeout)
	case err == nil:
		return errors.New("QEMU ended by itself")
	}
	return err
}

const (
	probeSize  = 64 << 10
	probeEntry = 0xff00 // of the code in the ROM
	probeReset = 0xfff0 // where the processor begins
)

// probeROM is a ROM that ends at 4 GiB, as the processor expects.
func probeROM() []byte {
	rom := make([]byte, probeSize)
	copy(rom[probeEntry:], probeCode[:])
	copy(rom[probeReset:], []byte{0xe9, 0x0d, 0xff}) // jmp probeEntry
	return rom
}

// probeCode goes to protected mode (which shows hosts without full
// virtualisation), runs 20 million rounds of a loop with memory accesses, and
// ends QEMU. Its addresses are those of probeEntry just below 4 GiB.
var probeCode = [...]byte{
	0xfa,                                     // cli
	0x2e, 0x66, 0x0f, 0x01, 0x16, 0x58, 0xff, // lgdtl %cs:gdtr
	0x0f, 0x20, 0xc0, // mov %cr0,%eax
	0x0c, 0x01, // or $1,%al
	0x0f, 0x22, 0xc0, // mov %eax,%cr0
	0x66, 0xea, 0x18, 0xff, 0xff, 0xff, 0x08, 0x00, // ljmpl $8,$next
	0xb8, 0x10, 0x00, 0x00, 0x00, // next: mov $16,%eax
	0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xd0, // mov %eax,%ds; %es; %ss
	0xbc, 0x00, 0x70, 0x00, 0x00, // mov $0x7000,%esp
	0xb9, 0x00, 0x2d, 0x31, 0x01, // mov $20000000,%ecx
	0x51, 0x5a, 0x49, // round: push %ecx; pop %edx; dec %ecx
	0x75, 0xfb, // jnz round
	0xb0, 0x10, 0xe6, 0xf4, // mov $0x10,%al; out %al,$0xf4
	0xf4, 0xeb, 0xfd, // hlt; jmp .-1
	0, 0, 0, 0, 0, 0, 0, // align
	0, 0, 0, 0, 0, 0, 0, 0, // gdt
	0xff, 0xff, 0, 0, 0, 0x9a, 0xcf, 0, // 8: code, flat
	0xff, 0xff, 0, 0, 0, 0x92, 0xcf, 0, // 16: data, flat
	0x17, 0x00, 0x40, 0xff, 0xff, 0xff, // gdtr: limit 23, base gdt
}
