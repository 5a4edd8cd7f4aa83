// SPDX-License-Identifier: GPL-3.0-or-later

// Package boot is everything between the firmware and the first process of a
// node: Boot Loader Specification entries (type 1) and their boot counting,
// the content-addressed kernels and initramfs on the EFI system partition, the
// installation of systemd-boot, what systemd-boot tells the system through EFI
// variables, and the builder of the initramfs whose /init is rastos-init.
//
// The EFI system partition is reached through ESP; internal/disk has its
// backends, esptest its contract and a fake. A rename on FAT is not atomic:
// the functions here accept that neither, either or both names of one are
// there after a power cut.
//
// Formats: uapi-group.org/specifications/specs/boot_loader_specification,
// systemd.io/AUTOMATIC_BOOT_ASSESSMENT, systemd.io/BOOT_LOADER_INTERFACE, and
// the kernel's Documentation/driver-api/early-userspace/buffer-format.rst.
// Not implemented: type 2 entries (unified kernel images), devicetree, other
// architectures than x86-64, XBOOTLDR.
package boot
