// SPDX-License-Identifier: GPL-3.0-or-later

package network

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"sync"
)

// Names of interfaces: what Linux takes (15 bytes, no slash, no space) less
// what would mean something in a file of networkd.
var (
	interfaceFormat = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9_.][A-Za-z0-9_.:-]{0,14}$`) })
	patternFormat   = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9_.*?\[\]-]{1,32}$`) })
	domainFormat    = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[~A-Za-z0-9_.-]{1,253}$`) })
)

// checker collects mistakes.
type checker struct{ mistakes []error }

func (c *checker) add(where, advice, format string, args ...any) {
	c.mistakes = append(c.mistakes, &Error{where, fmt.Sprintf(format, args...), advice})
}

func check(s Settings) error {
	c := &checker{}
	c.addresses("network", "nameservers", s.Nameservers)
	for _, d := range s.Search {
		if !domainFormat().MatchString(d) {
			c.add("network", "", "%q is no domain", d)
		}
	}
	links := map[string]bool{}
	for _, l := range s.Links {
		c.link(l)
		if links[l.Name] {
			c.add("network link "+l.Name, "", "it is there twice")
		}
		links[l.Name] = true
	}
	c.devices(s)
	return errors.Join(c.mistakes...)
}

func (c *checker) link(l Link) {
	where := "network link " + l.Name
	format := interfaceFormat
	if isPattern(l.Name) {
		format = patternFormat
	}
	if !format().MatchString(l.Name) {
		c.add(where, "", "%q is no name of an interface", l.Name)
	}
	families := map[bool]bool{}
	for _, a := range l.Addresses {
		p, err := netip.ParsePrefix(a)
		if err != nil {
			advice := "write it with the length of its prefix, like 192.0.2.7/24"
			c.add(where, advice, "%q is no address", a)
			continue
		}
		families[p.Addr().Is4()] = true
	}
	c.addresses(where, "gateways", l.Gateways)
	seen := map[bool]bool{}
	for _, g := range l.Gateways {
		addr, err := netip.ParseAddr(g)
		if err != nil {
			continue
		}
		if seen[addr.Is4()] {
			c.add(where, "name one gateway for each family", "the gateway %s is the second one of its family", g)
		}
		seen[addr.Is4()] = true
		if !l.DHCP && !families[addr.Is4()] {
			c.add(where, "", "the gateway %s is of a family in which the link has no address", g)
		}
	}
	c.addresses(where, "dns", l.DNS)
	if l.MTU != 0 && (l.MTU < 68 || l.MTU > 65535) {
		c.add(where, "", "an mtu of %d is not possible", l.MTU)
	}
}

func (c *checker) addresses(where, what string, list []string) {
	for _, a := range list {
		if _, err := netip.ParseAddr(a); err != nil {
			c.add(where, "", "%s: %q is no address", what, a)
		}
	}
}

// devices checks what is made, and that each interface has one master at most.
func (c *checker) devices(s Settings) {
	made, master := map[string]bool{}, map[string]string{}
	for _, kind := range []struct {
		name    string
		devices []Device
	}{{"bridge", s.Bridges}, {"bond", s.Bonds}, {"vlan", s.VLANs}} {
		for _, d := range kind.devices {
			where := "network " + kind.name + " " + d.Name
			if !interfaceFormat().MatchString(d.Name) {
				c.add(where, "", "%q is no name of an interface", d.Name)
			}
			if made[d.Name] {
				c.add(where, "", "it is made twice")
			}
			made[d.Name] = true
			if kind.name == "vlan" && (d.ID < 1 || d.ID > 4094) {
				c.add(where, "", "%d is no number of a VLAN", d.ID)
			}
			if kind.name != "bridge" && len(d.Links) == 0 {
				c.add(where, "", "there is no interface below it")
			}
			for _, l := range d.Links {
				switch {
				case l == d.Name:
					c.add(where, "", "it is below itself")
				case !interfaceFormat().MatchString(l):
					c.add(where, "", "%q is no name of an interface", l)
				case kind.name == "vlan":
				case master[l] != "":
					c.add(where, "", "%s is below %s already", l, master[l])
				default:
					master[l] = d.Name
				}
			}
		}
	}
}
