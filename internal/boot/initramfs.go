// SPDX-License-Identifier: GPL-3.0-or-later

package boot

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/rastos/rastos/internal/boot/cpio"
	"github.com/rastos/rastos/internal/boot/modlist"
)

// modulesDir is where modules lie in the initramfs. Their release is not part
// of it: it holds those of one kernel only.
const modulesDir = "lib/modules"

// InitramfsSpec is what an initramfs is made of. The same specification gives
// the same bytes.
type InitramfsSpec struct {
	Init    []byte // the program rastos-init
	Release string // of the kernel, for messages and the list of modules
	Modules fs.FS  // lib/modules/<release> of the node; nil: a kernel without modules

	// Wanted are the modules that every machine loads, Hardware those that a
	// device asks for. nil means DefaultModules and DefaultHardware. What the
	// kernel does not have is left out, unless Required (nil: btrfs) names it.
	Wanted, Hardware, Required []string

	Files []InitramfsFile
	Epoch time.Time // of all files; the zero time is 1970
}

// InitramfsFile is one more file.
type InitramfsFile struct {
	Path string // without leading slash
	Mode fs.FileMode
	Data []byte
}

// InitramfsManifest says what became of a specification.
type InitramfsManifest struct {
	Modules []string // in the order in which they can be loaded
	Missing []string // asked for, and neither there nor built in
	Size    int64    // compressed
	SHA256  string
}

// DefaultModules are loaded always: the file system of nodes, what it checks
// sums with, and that of the ESP, which the initramfs mounts too. All other file
// systems wait for the node, which has its modules and modprobe: each module
// costs time at every boot, though far less than a modprobe in the node.
func DefaultModules() []string {
	return []string{
		"crc32c_intel", "crc32c_generic", "xxhash_generic", "sha256_generic", "blake2b_generic", "btrfs",
		"vfat", "nls_cp437", "nls_ascii", "nls_iso8859_1", "nls_utf8",
	}
}

// DefaultHardware are drivers of disks, of what disks hang on, of keyboards
// (for whoever must type at an early prompt), and of the guest's channel to its
// host.
func DefaultHardware() []string {
	return []string{
		"virtio_pci", "virtio_mmio", "virtio_blk", "virtio_scsi", "virtio_console",
		"nvme", "ahci", "ata_piix", "ata_generic", "sd_mod", "sr_mod",
		"megaraid_sas", "mpt3sas", "mptspi", "vmw_pvscsi", "hv_vmbus", "hv_storvsc", "xen_blkfront",
		"xhci_pci", "ehci_pci", "uhci_hcd", "ohci_pci", "usb_storage", "uas",
		"mmc_block", "sdhci_pci", "sdhci_acpi", "vmd",
		"hid_generic", "usbhid", "atkbd", "i8042", "hyperv_keyboard",
		"i6300esb", "iTCO_wdt", "sp5100_tco",
		// No device asks for it: the initramfs does, where there is no other watchdog.
		"softdog",
	}
}

// MissingModuleError says that a kernel cannot do what booting takes.
type MissingModuleError struct {
	Module, Release string
	Err             error
}

func (e *MissingModuleError) Error() string {
	return fmt.Sprintf("initramfs for kernel %s: %v", e.Release, e.Err)
}
func (e *MissingModuleError) Unwrap() error { return e.Err }

// Hint says what to do.
func (e *MissingModuleError) Hint() string {
	return fmt.Sprintf("the kernel needs %s, built in or as a module: choose another kernel, or complete its modules", e.Module)
}

// ExitCode is the class "package not found or unsatisfiable".
func (e *MissingModuleError) ExitCode() int { return 4 }

// WriteInitramfs builds an initramfs: a cpio archive in one zstd frame.
func WriteInitramfs(w io.Writer, spec InitramfsSpec) (InitramfsManifest, error) {
	if len(spec.Init) == 0 {
		return InitramfsManifest{}, errors.New("initramfs: there is no program for /init")
	}
	var m InitramfsManifest
	r, err := collectModules(spec, &m)
	if err != nil {
		return m, err
	}
	entries, err := initramfsEntries(spec, r)
	if err != nil {
		return m, err
	}
	out := &digestWriter{w: w, hash: sha256.New()}
	// The kernel decodes one frame with a window of up to 128 MiB; one thread,
	// so that the frame's blocks do not depend on this machine.
	z, err := zstd.NewWriter(out, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedBetterCompression))
	if err != nil {
		return m, fmt.Errorf("initramfs: %w", err)
	}
	archive := cpio.NewWriter(z, spec.Epoch)
	for _, e := range entries {
		if err := archive.Add(e); err != nil {
			return m, fmt.Errorf("initramfs: %w", err)
		}
	}
	if err := errors.Join(archive.Close(), z.Close()); err != nil {
		return m, fmt.Errorf("initramfs: %w", err)
	}
	m.Size, m.SHA256 = out.size, hex.EncodeToString(out.hash.Sum(nil))
	return m, nil
}

type digestWriter struct {
	w    io.Writer
	hash hash.Hash
	size int64
}

func (d *digestWriter) Write(p []byte) (int, error) {
	n, err := d.w.Write(p)
	d.hash.Write(p[:n])
	d.size += int64(n)
	return n, err
}

// collectModules resolves what the specification asks for.
func collectModules(spec InitramfsSpec, m *InitramfsManifest) (*resolver, error) {
	tree, err := openModules(spec.Modules)
	if err != nil {
		return nil, fmt.Errorf("initramfs for kernel %s: %w", spec.Release, err)
	}
	wanted, hardware, required := spec.Wanted, spec.Hardware, spec.Required
	if wanted == nil {
		wanted = DefaultModules()
	}
	if hardware == nil {
		hardware = DefaultHardware()
	}
	if required == nil {
		required = []string{"btrfs"}
	}
	r := newResolver(tree)
	for _, name := range slices.Concat(wanted, required, hardware) {
		name = normal(name)
		_, err := r.add(name)
		switch {
		case err == nil:
		case slices.ContainsFunc(required, func(s string) bool { return normal(s) == name }):
			return nil, &MissingModuleError{Module: name, Release: spec.Release, Err: err}
		case errors.Is(err, errNoModule):
			m.Missing = append(m.Missing, name)
		default: // damaged: that is not for leaving out in silence
			return nil, fmt.Errorf("initramfs for kernel %s: %w", spec.Release, err)
		}
	}
	for _, name := range slices.Concat(wanted, required) {
		if i, ok := r.index[normal(name)]; ok {
			r.list[i].Always = true
		}
	}
	for _, mod := range r.list {
		m.Modules = append(m.Modules, mod.Name)
	}
	return r, nil
}

// initramfsEntries lays the archive out, folders before what is in them.
func initramfsEntries(spec InitramfsSpec, r *resolver) ([]cpio.Entry, error) {
	files := map[string]cpio.Entry{
		"init":        {Mode: cpio.Regular | 0o755, Data: spec.Init},
		"dev/console": {Mode: cpio.CharDev | 0o600, Major: 5, Minor: 1},
		"proc":        {Mode: cpio.Folder | 0o755},
		"run":         {Mode: cpio.Folder | 0o755},
		"sys":         {Mode: cpio.Folder | 0o755},
		"sysroot":     {Mode: cpio.Folder | 0o755},
	}
	list, err := modlist.Encode(modlist.List{Release: spec.Release, Modules: r.list})
	if err != nil {
		return nil, fmt.Errorf("initramfs: %w", err)
	}
	files[modlist.Path] = cpio.Entry{Mode: cpio.Regular | 0o644, Data: list}
	for _, m := range r.list {
		files[m.Path] = cpio.Entry{Mode: cpio.Regular | 0o644, Data: r.data[m.Name]}
	}
	for _, f := range spec.Files {
		if _, taken := files[f.Path]; taken {
			return nil, fmt.Errorf("initramfs: two files are called %s", f.Path)
		}
		files[f.Path] = cpio.Entry{Mode: cpio.Regular | uint32(f.Mode.Perm()), Data: f.Data}
	}
	return withFolders(files), nil
}

func withFolders(files map[string]cpio.Entry) []cpio.Entry {
	for name := range files {
		for dir := path.Dir(name); dir != "." && dir != "/"; dir = path.Dir(dir) {
			if _, there := files[dir]; !there {
				files[dir] = cpio.Entry{Mode: cpio.Folder | 0o755}
			}
		}
	}
	entries := make([]cpio.Entry, 0, len(files))
	for name, e := range files {
		e.Name = name
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b cpio.Entry) int { return strings.Compare(a.Name, b.Name) })
	return entries
}
