// SPDX-License-Identifier: GPL-3.0-or-later

// Package network writes the network configuration of a system: files of
// systemd-networkd for links, bridges, VLANs and bonds, and how names are
// resolved.
//
// Implemented: .network and .netdev files below /etc/systemd/network, all of
// whose names contain "-rastos-" (those that are no longer asked for are
// removed, others left alone); a drop-in for systemd-resolved; resolv.conf as
// the link to its stub or as a plain file. Validation of names, addresses and
// of who is below whom.
//
// Not implemented: wireless networks, tunnels, firewalls, other network
// managers.
//
// The formats are in systemd.network(5), systemd.netdev(5), resolved.conf(5)
// and resolv.conf(5).
package network

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// FS is what this package needs of the files below a system root. Names are
// slash-separated and relative to it.
type FS interface {
	ReadFile(name string) ([]byte, error)
	WriteFile(name string, data []byte, perm fs.FileMode) error
	MkdirAll(name string, perm fs.FileMode) error
	Symlink(target, name string) error
	Readlink(name string) (string, error)
	Lstat(name string) (fs.FileInfo, error)
	ReadDir(name string) ([]fs.DirEntry, error)
	Remove(name string) error
}

// A Mode says who resolves names.
type Mode int

// The modes.
const (
	Auto   Mode = iota // Stub if the system has systemd-resolved, else Static
	Stub               // systemd-resolved, through its stub
	Static             // a resolv.conf with the name servers of the settings
)

// Settings are those of a manifest.
type Settings struct {
	Nameservers []string // for all links
	Search      []string // domains
	Resolver    Mode
	Links       []Link
	Bridges     []Device
	VLANs       []Device
	Bonds       []Device
}

// A Link is an interface and its addresses. Those of a bridge, VLAN or bond are
// given by a Link of its name too.
type Link struct {
	Name      string   // "eth0", or a pattern such as "en*"
	DHCP      bool     //
	Addresses []string // "192.0.2.7/24"
	Gateways  []string // "192.0.2.1"; one for each family
	DNS       []string
	MTU       int // 0: the driver's
}

// A Device is an interface that is made.
type Device struct {
	Name  string
	ID    int      // of a VLAN
	Links []string // below it
}

// A Result says what the written configuration needs to take effect.
type Result struct {
	Services []string // units to enable
	Notes    []string // what a person should know
}

// An Error is a setting that makes no sense.
type Error struct {
	Where  string // "network link eth0"
	Reason string
	Advice string
}

func (e *Error) Error() string { return e.Where + ": " + e.Reason }

// Hint says what to write instead, where that is known.
func (e *Error) Hint() string { return e.Advice }

// ExitCode is that of a mistake in the manifest.
func (e *Error) ExitCode() int { return 3 }

const (
	networkDir  = "etc/systemd/network"
	resolvedDir = "etc/systemd/resolved.conf.d"
	resolvedOur = resolvedDir + "/50-rastos.conf"
	resolvConf  = "etc/resolv.conf"
	stubTarget  = "../run/systemd/resolve/stub-resolv.conf"
	resolvedBin = "usr/lib/systemd/systemd-resolved"
	ourMark     = "-rastos-"
)

// Apply writes the settings. It reports all mistakes at once, each as an
// *Error, and writes nothing if there are any.
func Apply(root FS, s Settings) (Result, error) {
	if err := check(s); err != nil {
		return Result{}, err
	}
	files := render(s)
	if err := install(root, files); err != nil {
		return Result{}, fmt.Errorf("write network settings: %w", err)
	}
	result, err := resolver(root, s)
	if err != nil {
		return Result{}, fmt.Errorf("write network settings: %w", err)
	}
	if len(files) > 0 {
		result.Services = append([]string{"systemd-networkd.service"}, result.Services...)
	}
	return result, nil
}

// install writes the files and removes what an earlier manifest left.
func install(root FS, files map[string]string) error {
	old, err := root.ReadDir(networkDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range old {
		if _, keep := files[e.Name()]; !keep && strings.Contains(e.Name(), ourMark) {
			if err := root.Remove(networkDir + "/" + e.Name()); err != nil {
				return err
			}
		}
	}
	if len(files) == 0 {
		return nil
	}
	if err := root.MkdirAll(networkDir, 0o755); err != nil {
		return err
	}
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if err := replace(root, networkDir+"/"+name, files[name]); err != nil {
			return err
		}
	}
	return nil
}

// resolver sets up how names are resolved.
func resolver(root FS, s Settings) (Result, error) {
	mode := s.Resolver
	if mode == Auto {
		mode = Static
		if _, err := root.Lstat(resolvedBin); err == nil {
			mode = Stub
		}
	}
	if mode == Stub {
		return Result{Services: []string{"systemd-resolved.service"}}, resolved(root, s)
	}
	if err := remove(root, resolvedOur); err != nil {
		return Result{}, err
	}
	if len(s.Nameservers) == 0 {
		if len(s.Links) == 0 {
			return Result{}, nil
		}
		return Result{Notes: []string{"nothing sets name servers: the system has no systemd-resolved, and the manifest names none"}}, nil
	}
	if err := root.MkdirAll("etc", 0o755); err != nil {
		return Result{}, err
	}
	return Result{}, replace(root, resolvConf, resolvFile(s))
}

func resolvFile(s Settings) string {
	var out strings.Builder
	for _, server := range s.Nameservers {
		fmt.Fprintf(&out, "nameserver %s\n", server)
	}
	if len(s.Search) > 0 {
		fmt.Fprintf(&out, "search %s\n", strings.Join(s.Search, " "))
	}
	return out.String()
}

func resolved(root FS, s Settings) error {
	if len(s.Nameservers)+len(s.Search) == 0 {
		if err := remove(root, resolvedOur); err != nil {
			return err
		}
	} else {
		var f file
		f.section("Resolve")
		f.set("DNS", s.Nameservers...)
		f.set("Domains", s.Search...)
		if err := root.MkdirAll(resolvedDir, 0o755); err != nil {
			return err
		}
		if err := replace(root, resolvedOur, f.String()); err != nil {
			return err
		}
	}
	if old, err := root.Readlink(resolvConf); err == nil && old == stubTarget {
		return nil
	}
	if err := remove(root, resolvConf); err != nil {
		return err
	}
	return root.Symlink(stubTarget, resolvConf)
}

func remove(root FS, name string) error {
	if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// replace writes a file if it differs.
func replace(root FS, name, text string) error {
	if info, err := root.Lstat(name); err == nil && info.Mode().IsRegular() {
		if old, err := root.ReadFile(name); err == nil && string(old) == text {
			return nil
		}
	}
	return root.WriteFile(name, []byte(text), 0o644)
}
