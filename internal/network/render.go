// SPDX-License-Identifier: GPL-3.0-or-later

package network

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// A file is the text of a networkd file while it is written.
type file struct{ strings.Builder }

func (f *file) section(name string) {
	if f.Len() > 0 {
		f.WriteByte('\n')
	}
	fmt.Fprintf(f, "[%s]\n", name)
}

// set writes one assignment with its values, unless there are none.
func (f *file) set(key string, values ...string) {
	if text := strings.Join(values, " "); text != "" {
		fmt.Fprintf(f, "%s=%s\n", key, text)
	}
}

// below says what is built on an interface.
type below struct {
	bridge, bond string
	vlans        []string
}

// render makes the files by name. networkd takes the first file that matches an
// interface, in the order of the file names: exact names come before patterns,
// and patterns in the order of the manifest.
func render(s Settings) map[string]string {
	files := map[string]string{}
	above := map[string]*below{}
	at := func(name string) *below {
		if above[name] == nil {
			above[name] = &below{}
		}
		return above[name]
	}
	for _, kind := range []struct {
		name    string
		devices []Device
	}{{"bridge", s.Bridges}, {"bond", s.Bonds}, {"vlan", s.VLANs}} {
		for _, d := range kind.devices {
			files["30"+ourMark+fileName(d.Name)+".netdev"] = renderDevice(kind.name, d)
			for _, l := range d.Links {
				switch kind.name {
				case "bridge":
					at(l).bridge = d.Name
				case "bond":
					at(l).bond = d.Name
				case "vlan":
					at(l).vlans = append(at(l).vlans, d.Name)
				}
			}
			at(d.Name) // its own .network, or networkd would not bring it up
		}
	}
	for i, l := range s.Links {
		prefix := "40" + ourMark
		if isPattern(l.Name) {
			prefix = fmt.Sprintf("60%s%02d-", ourMark, i)
		}
		files[prefix+fileName(l.Name)+".network"] = renderLink(l, above[l.Name])
		delete(above, l.Name)
	}
	for name, b := range above {
		files["40"+ourMark+fileName(name)+".network"] = renderLink(Link{Name: name}, b)
	}
	return files
}

func renderDevice(kind string, d Device) string {
	var f file
	f.section("NetDev")
	f.set("Name", d.Name)
	f.set("Kind", kind)
	if kind == "vlan" {
		f.section("VLAN")
		f.set("Id", strconv.Itoa(d.ID))
	}
	return f.String()
}

func renderLink(l Link, b *below) string {
	var f file
	f.section("Match")
	f.set("Name", l.Name)
	if l.MTU > 0 {
		f.section("Link")
		f.set("MTUBytes", strconv.Itoa(l.MTU))
	}
	f.section("Network")
	if l.DHCP {
		f.set("DHCP", "yes")
	}
	for _, a := range l.Addresses {
		f.set("Address", a)
	}
	for _, d := range l.DNS {
		f.set("DNS", d)
	}
	if b != nil {
		f.set("Bridge", b.bridge)
		f.set("Bond", b.bond)
		for _, v := range b.vlans {
			f.set("VLAN", v)
		}
		if !l.DHCP && len(l.Addresses) == 0 {
			// It carries others' frames and needs no address of its own.
			f.set("LinkLocalAddressing", "no")
			f.set("IPv6AcceptRA", "no")
		}
	}
	for _, g := range l.Gateways {
		f.section("Route")
		f.set("Gateway", g)
		if !reachable(g, l.Addresses) {
			f.set("GatewayOnLink", "yes") // or networkd refuses the route
		}
	}
	return f.String()
}

// reachable tells whether a gateway is in the network of an address.
func reachable(gateway string, addresses []string) bool {
	g, err := netip.ParseAddr(gateway)
	if err != nil {
		return false
	}
	for _, a := range addresses {
		if p, err := netip.ParsePrefix(a); err == nil && p.Contains(g) {
			return true
		}
	}
	// With DHCP and no address of that family, the network is not known yet;
	// a link-local gateway is always on the link.
	return g.IsLinkLocalUnicast()
}

func isPattern(name string) bool { return strings.ContainsAny(name, "*?[") }

// fileName makes an interface's name, or a pattern, fit for a file name.
func fileName(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '-', r == '_':
			return r
		}
		return '_'
	}, name)
}
