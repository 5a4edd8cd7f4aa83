// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/rastos/rastos/internal/boot/modlist"
)

// drivers loads the modules of the initramfs.
type drivers struct {
	list   modlist.List
	loaded map[string]bool
	sys    fs.FS // /sys
	load   func(path string) error
	log    func(string)
}

// always loads what every machine needs.
func (d *drivers) always() { d.loadAll(d.list.Select(true, nil, d.loaded)) }

// probe loads the drivers of the devices that are there, and reports whether
// there was anything to load: then new devices may have come.
func (d *drivers) probe() bool {
	return d.loadAll(d.list.Select(false, d.modaliases(), d.loaded))
}

// everything loads all there is: the last resort for a device that does not
// say what it is.
func (d *drivers) everything() { d.loadAll(d.list.Modules) }

// loadAll goes on after a failure: a driver may find that its hardware is not
// there after all (crc32c_intel on an old processor).
func (d *drivers) loadAll(modules []modlist.Module) (any bool) {
	for _, m := range modules {
		if d.loaded[m.Name] {
			continue
		}
		d.loaded[m.Name] = true
		any = true
		if err := d.load("/" + m.Path); err != nil {
			d.log(fmt.Sprintf("%s: %v", m.Name, err))
		}
	}
	return any
}

// named loads one driver that no device asks for, after what it needs.
func (d *drivers) named(name string) {
	for i, m := range d.list.Modules {
		if m.Name != name {
			continue
		}
		for _, need := range m.Needs {
			d.named(need)
		}
		d.loadAll(d.list.Modules[i : i+1])
	}
}

// modaliases reads what the devices of all buses say that they are.
func (d *drivers) modaliases() []string {
	buses, err := fs.ReadDir(d.sys, "bus")
	if err != nil {
		return nil
	}
	var aliases []string
	for _, bus := range buses {
		dir := path.Join("bus", bus.Name(), "devices")
		found, err := fs.ReadDir(d.sys, dir)
		if err != nil {
			continue
		}
		for _, dev := range found {
			data, err := fs.ReadFile(d.sys, path.Join(dir, dev.Name(), "modalias"))
			if alias := strings.TrimSpace(string(data)); err == nil && alias != "" {
				aliases = append(aliases, alias)
			}
		}
	}
	return aliases
}
