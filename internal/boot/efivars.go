// SPDX-License-Identifier: GPL-3.0-or-later

package boot

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"unicode/utf16"
)

// EFIVarsDir is where Linux shows the firmware's variables.
const EFIVarsDir = "/sys/firmware/efi/efivars"

// loaderGUID is the vendor of the Boot Loader Interface's variables.
const loaderGUID = "4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"

// ErrNoLoaderVariable means that the loader did not set a variable: the entry
// is not counted, the machine was not booted by systemd-boot, or not by UEFI.
var ErrNoLoaderVariable = errors.New("the boot loader has not said")

// LoaderBootCountPath is the path on the partition of the entry that is running,
// if its boots are counted: "loader/entries/rastos-3+2-1.conf". efivars is
// os.DirFS(EFIVarsDir).
func LoaderBootCountPath(efivars fs.FS) (string, error) {
	s, err := loaderVariable(efivars, "LoaderBootCountPath")
	return strings.TrimPrefix(strings.ReplaceAll(s, `\`, "/"), "/"), err
}

// LoaderEntrySelected is the name of the entry that is running. Versions of
// systemd-boot differ in whether the counter is part of it; ParseName knows both.
func LoaderEntrySelected(efivars fs.FS) (Name, error) {
	s, err := loaderVariable(efivars, "LoaderEntrySelected")
	if err != nil {
		return Name{}, err
	}
	name, ok := ParseName(path.Base(strings.ReplaceAll(s, `\`, "/")))
	if !ok { // "auto-…" entries, unified images
		return Name{}, fmt.Errorf("LoaderEntrySelected: %q is no entry of a file", s)
	}
	return name, nil
}

func loaderVariable(efivars fs.FS, name string) (string, error) {
	f, err := efivars.Open(name + "-" + loaderGUID)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%s: %w", name, ErrNoLoaderVariable)
	}
	if err != nil {
		return "", fmt.Errorf("read the EFI variable %s: %w", name, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, 64<<10))
	if err != nil {
		return "", fmt.Errorf("read the EFI variable %s: %w", name, err)
	}
	s, err := decodeVariable(data)
	if err != nil {
		return "", fmt.Errorf("EFI variable %s: %w", name, err)
	}
	return s, nil
}

// decodeVariable skips the four bytes of attributes and reads a string.
func decodeVariable(data []byte) (string, error) {
	if len(data) < 4 || len(data)%2 != 0 {
		return "", fmt.Errorf("%d bytes are no string", len(data))
	}
	data = data[4:]
	var units []uint16
	for ; len(data) >= 2; data = data[2:] {
		u := binary.LittleEndian.Uint16(data)
		if u == 0 {
			break
		}
		units = append(units, u)
	}
	return string(utf16.Decode(units)), nil
}

// LoaderPartition is the UUID, in the GPT, of the partition that the running
// loader was started from.
func LoaderPartition(efivars fs.FS) (string, error) {
	return loaderVariable(efivars, "LoaderDevicePartUUID")
}
