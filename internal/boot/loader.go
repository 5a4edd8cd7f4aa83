// SPDX-License-Identifier: GPL-3.0-or-later

package boot

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
)

// LoaderPath is where a node keeps systemd-boot.
const LoaderPath = "usr/lib/systemd/boot/efi/systemd-bootx64.efi"

// LoaderFile is where the boot loader lies on the partition.
const LoaderFile = "EFI/systemd/systemd-bootx64.efi"

// LoaderOptions is the loader's own configuration.
type LoaderOptions struct {
	Timeout int  // seconds the menu is shown; 0: hidden, a held key shows it
	Editor  bool // the command line may be edited in the menu
	// Keep leaves a loader.conf that is there as it is.
	Keep bool
}

// MissingLoaderError says that a node has no systemd-boot.
type MissingLoaderError struct{ Err error }

func (e *MissingLoaderError) Error() string { return fmt.Sprintf("install the boot loader: %v", e.Err) }
func (e *MissingLoaderError) Unwrap() error { return e.Err }

// Hint names the package.
func (e *MissingLoaderError) Hint() string {
	return "the node needs the package systemd (Arch) or systemd-boot-efi (made from Debian packages)"
}

// ExitCode is the class "package not found".
func (e *MissingLoaderError) ExitCode() int { return 4 }

// loaderTargets: its own place, and the one that firmware looks at when it has
// no boot entry for this disk (a new machine, a moved disk).
var loaderTargets = [...]string{LoaderFile, "EFI/BOOT/BOOTX64.EFI"}

// InstallLoader copies systemd-boot from the root of a node and writes
// loader.conf. It names no default: the loader's own order (newest first, bad
// ones last) is what falls back. Files that are the same are left alone.
func InstallLoader(esp ESP, node fs.FS, opt LoaderOptions) error {
	efi, err := fs.ReadFile(node, LoaderPath)
	if err != nil {
		return &MissingLoaderError{Err: err}
	}
	for _, name := range loaderTargets {
		if err := updateFile(esp, name, efi); err != nil {
			return fmt.Errorf("install the boot loader: %w", err)
		}
	}
	if err := esp.MkdirAll(EntriesDir); err != nil {
		return fmt.Errorf("install the boot loader: %w", err)
	}
	if opt.Keep {
		if _, err := esp.ReadFile(LoaderConf); err == nil {
			return esp.Sync()
		}
	}
	if err := updateFile(esp, LoaderConf, loaderConf(opt)); err != nil {
		return fmt.Errorf("install the boot loader: %w", err)
	}
	return esp.Sync()
}

func loaderConf(opt LoaderOptions) []byte {
	editor := "no"
	if opt.Editor {
		editor = "yes"
	}
	return fmt.Appendf(nil, "timeout %d\nconsole-mode keep\neditor %s\n", opt.Timeout, editor)
}

func updateFile(esp ESP, name string, data []byte) error {
	old, err := esp.ReadFile(name)
	if err == nil && bytes.Equal(old, data) {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := checkRoom(esp, int64(len(data))); err != nil {
		return err
	}
	if err := esp.MkdirAll(path.Dir(name)); err != nil {
		return err
	}
	return esp.WriteFile(name, data)
}
