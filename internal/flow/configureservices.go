// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"slices"

	"github.com/rastos/rastos/internal/manifest"
	"github.com/rastos/rastos/internal/service"
)

// ownServices are those of the package rastos that every machine runs.
func ownServices() []string { return []string{"rastos-complete.service", "rastos-fold.service"} }

// services lists what becomes of units: those that an earlier manifest spoke of
// and this one does not, then what the system itself needs, then what the
// manifest says, the disabled ones last.
func (c *configurator) services() ([]part, error) {
	if c.fresh {
		// As systemd does at the first boot of a system that it does not know.
		if _, err := service.Preset(c.tree); err != nil {
			return nil, err
		}
	}
	parts := c.retired()
	enable := slices.Clone(c.enable)
	if c.fresh || c.isRastOS() {
		enable = append(enable, ownServices()...)
		parts = append(parts, part{"service", "systemd-bless-boot.service", c.ownBlessing})
	}
	for _, unit := range enable {
		parts = append(parts, part{"service", unit, func() error { return c.turnOn(unit) }})
	}
	var off []part
	for _, s := range c.mf.Services {
		p := part{"service", service.FullName(s.Name), func() error { return c.service(s) }}
		if s.Disable {
			off = append(off, p)
		} else {
			parts = append(parts, p)
		}
	}
	return append(parts, off...), nil
}

func (c *configurator) turnOn(unit string) error {
	if !c.fresh {
		// Somebody may have masked what the manifest now wants.
		if _, err := service.Unmask(c.tree, unit); err != nil {
			return err
		}
	}
	_, err := service.Enable(c.tree, unit)
	return err
}

func (c *configurator) service(s manifest.Service) error {
	if s.Defined() {
		if err := service.Define(c.tree, definition(s)); err != nil {
			return err
		}
	}
	switch {
	case s.Disable:
		_, err := service.NeverStart(c.tree, s.Name)
		return err
	case s.Enable:
		return c.turnOn(s.Name)
	}
	return nil
}

// retired takes back what the manifest that the tree has says of services, and
// the new one no longer does.
func (c *configurator) retired() []part {
	if c.old == nil {
		return nil
	}
	var parts []part
	for _, s := range c.old.Services {
		now := slices.IndexFunc(c.mf.Services, func(n manifest.Service) bool { return service.FullName(n.Name) == service.FullName(s.Name) })
		if now >= 0 && (c.mf.Services[now].Defined() || !s.Defined()) {
			continue
		}
		parts = append(parts, part{"service", service.FullName(s.Name), func() error { return c.retire(s, now >= 0) }})
	}
	return parts
}

func (c *configurator) retire(s manifest.Service, spokenOf bool) error {
	if s.Disable {
		_, err := service.Unmask(c.tree, s.Name)
		return err
	}
	if !spokenOf {
		if _, err := service.Disable(c.tree, s.Name); err != nil {
			return err
		}
	}
	if !s.Defined() {
		return nil
	}
	return service.Undefine(c.tree, s.Name)
}

// previous is the manifest that the tree has, as far as it can be read.
func (c *configurator) previous() *manifest.Manifest {
	text, err := c.tree.ReadFile(systemManifestPath)
	if err != nil {
		return nil
	}
	old, err := manifest.Parse(systemManifestPath, text)
	if err != nil {
		return nil
	}
	return old.WithDefaults()
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
