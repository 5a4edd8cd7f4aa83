// SPDX-License-Identifier: GPL-3.0-or-later

// Package vm runs whole machines under QEMU: an image under OVMF as on real
// hardware, or a kernel and initramfs directly, which is faster. It gives the
// serial console, the control channel of the guest's agent (internal/agent,
// over virtio-serial: no network needed), resets, the power button and the
// plug, and the CPU time that the machine has cost.
//
// KVM is used where a guest really runs under it: probed by running one, since
// a device node that opens says little. Everything that a machine needs while
// it runs lies in one temporary folder that goes with it.
//
// Programs are started through Starter, which the caller supplies. Not here:
// migration, snapshots of running guests, other architectures than x86-64.
package vm
