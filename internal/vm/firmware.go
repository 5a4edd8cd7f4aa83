// SPDX-License-Identifier: GPL-3.0-or-later

package vm

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// ovmfPairs is where distributions put OVMF's code and empty variables.
var ovmfPairs = [...]UEFI{
	{Code: "/usr/share/OVMF/OVMF_CODE_4M.fd", Vars: "/usr/share/OVMF/OVMF_VARS_4M.fd"},                   // Debian
	{Code: "/usr/share/edk2/x64/OVMF_CODE.4m.fd", Vars: "/usr/share/edk2/x64/OVMF_VARS.4m.fd"},           // Arch
	{Code: "/usr/share/edk2-ovmf/x64/OVMF_CODE.4m.fd", Vars: "/usr/share/edk2-ovmf/x64/OVMF_VARS.4m.fd"}, // Arch until 2024
	{Code: "/usr/share/OVMF/OVMF_CODE.fd", Vars: "/usr/share/OVMF/OVMF_VARS.fd"},                         // Debian's 2M build
}

// FirmwareError says that OVMF is not on this host.
type FirmwareError struct{ Looked []string }

func (e *FirmwareError) Error() string {
	return "find the UEFI firmware for virtual machines (OVMF): not on this host"
}

// Hint names the package.
func (e *FirmwareError) Hint() string {
	return "Debian: apt-get install ovmf; Arch: pacman -S edk2-ovmf"
}

// ExitCode is the class "missing host program".
func (e *FirmwareError) ExitCode() int { return 9 }

// FindUEFI returns OVMF's files on this host.
func FindUEFI() (UEFI, error) {
	missing := &FirmwareError{}
	for _, p := range ovmfPairs {
		if isFile(p.Code) && isFile(p.Vars) {
			return p, nil
		}
		missing.Looked = append(missing.Looked, p.Code)
	}
	return UEFI{}, missing
}

func isFile(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.Mode().IsRegular()
}

// prepare returns the two flash files of a machine: the shared code and its
// own variables, which are made from the empty ones on the first start.
func (u *UEFI) prepare(dir string) (code, vars string, err error) {
	pair := *u
	if pair.Code == "" {
		if pair, err = FindUEFI(); err != nil {
			return "", "", err
		}
	}
	vars = u.State
	if vars == "" {
		vars = filepath.Join(dir, "vars.fd")
	}
	if isFile(vars) {
		return pair.Code, vars, nil
	}
	if err := copyFile(vars, pair.Vars); err != nil {
		return "", "", fmt.Errorf("make the machine's UEFI variables: %w", err)
	}
	return pair.Code, vars, nil
}

func copyFile(dst, src string) (err error) {
	in, err := os.Open(src)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(dst, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := out.Close(); err == nil {
			err = cerr
		}
		if err != nil && !errors.Is(err, fs.ErrExist) {
			_ = os.Remove(dst)
		}
	}()
	_, err = io.Copy(out, in)
	return err
}
