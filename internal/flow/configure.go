// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/rastos/rastos/internal/account"
	"github.com/rastos/rastos/internal/locale"
	"github.com/rastos/rastos/internal/manifest"
	"github.com/rastos/rastos/internal/network"
	"github.com/rastos/rastos/internal/service"
)

// configurator writes what a manifest says beside packages into a system tree.
type configurator struct {
	*Machine
	mf      *manifest.Manifest
	text    []byte // the manifest as written
	tree    Tree
	root    string             // where the tree lies, for programs that run in it
	homesAt string             // root of the tree that people's homes are in
	fresh   bool               // the tree was just made of packages; else it is somebody's
	disks   disks              // of a fresh one
	old     *manifest.Manifest // what the tree was told before; nil: nothing

	homes  []account.Home
	enable []string // units that the network needs
	gen    bool     // locale-gen has to run
}

// part is one thing that a manifest says of a system.
type part struct {
	kind string // "user", "setting", "network", "service", "file"
	name string
	do   func() error
}

// walk goes through all parts, in an order in which each finds what it needs:
// accounts before services that run as one of them. What comes later may depend
// on what earlier parts did.
func (c *configurator) walk(visit func(part) error) error {
	for _, parts := range []func() ([]part, error){c.users, c.settings, c.network, c.services, c.files} {
		list, err := parts()
		if err != nil {
			return err
		}
		// The mistakes of all users, or all services, are told at once.
		var wrong []error
		for _, p := range list {
			wrong = append(wrong, visit(p))
		}
		if err := errors.Join(wrong...); err != nil {
			return err
		}
	}
	return nil
}

// configure does all of it.
func (c *configurator) configure(ctx context.Context) error {
	if err := c.walk(func(p part) error { return p.do() }); err != nil {
		return err
	}
	if c.gen {
		if err := c.inside(ctx, "locale-gen"); err != nil {
			return err
		}
	}
	if !c.fresh {
		return nil
	}
	return c.identity()
}

func (c *configurator) users() ([]part, error) {
	var parts []part
	for _, u := range c.mf.Users {
		parts = append(parts, part{"user", u.Name, func() error {
			homes, err := account.Apply(c.tree, []account.User{{
				Name: u.Name, UID: u.UID, Comment: u.Comment, Shell: u.Shell,
				PasswordHash: u.PasswordHash, Groups: u.Groups, SSHKeys: u.SSHKeys,
			}}, c.Now())
			c.homes = append(c.homes, homes...)
			return err
		}})
	}
	return parts, nil
}

func (c *configurator) settings() ([]part, error) {
	s := c.mf.System
	// The default keymap is the kernel's own: it needs no console package.
	if s.Keymap == "us" {
		s.Keymap = ""
	}
	apply := func(name string, settings locale.Settings) part {
		return part{"setting", name, func() error {
			res, err := locale.Apply(c.tree, settings)
			c.gen = c.gen || res.LocaleGen
			return err
		}}
	}
	return []part{
		apply("hostname", locale.Settings{Hostname: s.Hostname}),
		apply("timezone", locale.Settings{Timezone: s.Timezone}),
		apply("locale", locale.Settings{Locale: s.Locale}),
		apply("keymap", locale.Settings{Keymap: s.Keymap}),
	}, nil
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

func (c *configurator) network() ([]part, error) {
	n := c.mf.Network
	s := network.Settings{Nameservers: n.Nameservers, Search: n.Search}
	for _, l := range n.Links {
		s.Links = append(s.Links, network.Link{
			Name: l.Name, DHCP: l.DHCP, Addresses: l.Addresses, Gateways: l.Gateways, DNS: l.DNS, MTU: l.MTU,
		})
	}
	said := len(s.Nameservers)+len(s.Search)+len(s.Links) > 0
	if !said && !c.fresh && !c.isRastOS() {
		return nil, nil // how such a system finds its names is not the manifest's affair
	}
	return []part{{"network", "links", func() error {
		res, err := network.Apply(c.tree, s)
		c.enable = append(c.enable, res.Services...)
		return err
	}}}, nil
}

// isRastOS tells whether the tree has the package rastos, which finishes boots.
func (c *configurator) isRastOS() bool {
	_, err := c.tree.Lstat("usr/lib/systemd/system/" + ownServices()[0])
	return err == nil
}

func definition(s manifest.Service) service.Definition {
	return service.Definition{
		Name: s.Name, Description: s.Description, Command: s.Command, Type: s.Type, Restart: s.Restart,
		User: s.User, Environment: s.Environment, After: s.After,
	}
}

// identity leaves to the first boot what no two machines may share.
func (c *configurator) identity() error {
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
