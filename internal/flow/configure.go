// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"

	"github.com/rastos/rastos/internal/account"
	"github.com/rastos/rastos/internal/locale"
	"github.com/rastos/rastos/internal/manifest"
	"github.com/rastos/rastos/internal/network"
	"github.com/rastos/rastos/internal/selfpkg"
	"github.com/rastos/rastos/internal/service"
)

// configurator writes what a manifest says into a system tree.
type configurator struct {
	*Machine
	mf     *manifest.Manifest
	text   []byte // the manifest as written
	tree   Tree
	root   string
	disks  disks
	homes  []account.Home
	enable []string
}

// configure runs all of it, in an order in which each part finds what it needs:
// accounts before services that run as one of them.
func (c *configurator) configure(ctx context.Context) error {
	for _, part := range []func(context.Context) error{
		c.accounts, c.locale, c.network, c.services, c.files, c.identity,
	} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (c *configurator) accounts(context.Context) error {
	var users []account.User
	for _, u := range c.mf.Users {
		users = append(users, account.User{
			Name: u.Name, UID: u.UID, Comment: u.Comment, Shell: u.Shell,
			PasswordHash: u.PasswordHash, Groups: u.Groups, SSHKeys: u.SSHKeys,
		})
	}
	var err error
	c.homes, err = account.Apply(c.tree, users, c.Now())
	return err
}

func (c *configurator) locale(ctx context.Context) error {
	s := c.mf.System
	settings := locale.Settings{Hostname: s.Hostname, Timezone: s.Timezone, Locale: s.Locale, Keymap: s.Keymap}
	// The default keymap is the kernel's own: it needs no console package.
	if s.Keymap == "us" {
		settings.Keymap = ""
	}
	res, err := locale.Apply(c.tree, settings)
	if err != nil || !res.LocaleGen {
		return err
	}
	return c.inside(ctx, "locale-gen")
}

// inside runs a program of the tree in it.
func (c *configurator) inside(ctx context.Context, argv ...string) error {
	var out bytes.Buffer
	code, err := c.Chroot.Run(ctx, c.root, argv, nil, &out)
	if err == nil && code != 0 {
		err = fmt.Errorf("exit code %d: %s", code, bytes.TrimSpace(out.Bytes()))
	}
	if err != nil {
		return fmt.Errorf("run %s in the new system: %w", argv[0], err)
	}
	return nil
}

func (c *configurator) network(context.Context) error {
	n := c.mf.Network
	s := network.Settings{Nameservers: n.Nameservers, Search: n.Search}
	for _, l := range n.Links {
		s.Links = append(s.Links, network.Link{
			Name: l.Name, DHCP: l.DHCP, Addresses: l.Addresses, Gateways: l.Gateways, DNS: l.DNS, MTU: l.MTU,
		})
	}
	res, err := network.Apply(c.tree, s)
	c.enable = append(c.enable, res.Services...)
	return err
}

// ownServices are those of the package rastos that every machine runs.
func ownServices() []string { return []string{"rastos-complete.service", "rastos-fold.service"} }

func (c *configurator) services(context.Context) error {
	if _, err := service.Preset(c.tree); err != nil {
		return err
	}
	enable, disable := append(slices.Clone(c.enable), ownServices()...), []string(nil)
	for _, s := range c.mf.Services {
		if s.Defined() {
			if err := service.Define(c.tree, definition(s)); err != nil {
				return err
			}
		}
		switch {
		case s.Disable:
			disable = append(disable, s.Name)
		case s.Enable:
			enable = append(enable, s.Name)
		}
	}
	if _, err := service.Enable(c.tree, enable...); err != nil {
		return err
	}
	if err := c.ownBlessing(); err != nil {
		return err
	}
	if len(disable) == 0 {
		return nil
	}
	_, err := service.NeverStart(c.tree, disable...)
	return err
}

// ownBlessing keeps systemd-boot's own service from calling a boot good before
// its health was checked: a generator starts it whenever the loader counts.
func (c *configurator) ownBlessing() error {
	const name = "etc/systemd/system/systemd-bless-boot.service"
	if _, err := c.tree.Lstat(name); err == nil {
		return nil
	}
	return c.tree.Symlink("/dev/null", name)
}

func definition(s manifest.Service) service.Definition {
	return service.Definition{
		Name: s.Name, Description: s.Description, Command: s.Command, Type: s.Type, Restart: s.Restart,
		User: s.User, Environment: s.Environment, After: s.After,
	}
}

// files writes what is rastOS's own: fstab, pacman.conf, the manifest with its
// keys.
func (c *configurator) files(context.Context) error {
	for _, d := range []string{"etc/rastos/keys"} {
		if err := c.tree.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	files := map[string][]byte{
		"etc/fstab":              fstab(c.disks, c.mf),
		"etc/pacman.conf":        pacmanConf(c.mf),
		"etc/rastos/rastos.toml": c.text,
	}
	for _, r := range c.mf.Repositories {
		if r.Key == "" {
			continue
		}
		key, err := os.ReadFile(r.Key)
		if err != nil {
			return fmt.Errorf("read the key of repository %s: %w", r.Name, err)
		}
		files[keyPath(r.Name)] = key
	}
	for name, data := range files {
		if err := c.tree.WriteFile(name, data, 0o644); err != nil {
			return err
		}
	}
	if *c.mf.System.Agent {
		return nil
	}
	for _, f := range selfpkg.AgentFiles() {
		// Masking beats removal: an upgrade of the package would bring it back.
		if path.Ext(f) != ".rules" {
			continue
		}
		if err := c.maskRules(path.Base(f)); err != nil {
			return err
		}
	}
	return nil
}

// maskRules shadows a rules file of a package, as udev(7) has it.
func (c *configurator) maskRules(name string) error {
	if err := c.tree.MkdirAll("etc/udev/rules.d", 0o755); err != nil {
		return err
	}
	return c.tree.Symlink("/dev/null", "etc/udev/rules.d/"+name)
}

// identity leaves to the first boot what no two machines may share.
func (c *configurator) identity(context.Context) error {
	if err := c.tree.WriteFile("etc/machine-id", nil, 0o444); err != nil {
		return err
	}
	keys, err := c.tree.ReadDir("etc/ssh")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, k := range keys {
		if ok, _ := path.Match("ssh_host_*_key*", k.Name()); ok {
			if err := c.tree.Remove("etc/ssh/" + k.Name()); err != nil {
				return err
			}
		}
	}
	return nil
}
