// SPDX-License-Identifier: GPL-3.0-or-later

package manifest

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/rastos/rastos/internal/mistake"
	"github.com/rastos/rastos/internal/schema"
)

// rules checks what the table of keys cannot say: how keys go together.
type rules struct {
	m     *Manifest
	doc   *schema.Doc
	wrong mistake.List
}

func (r *rules) add(path, hint, format string, args ...any) {
	r.wrong = append(r.wrong, r.doc.Mistake(path, fmt.Sprintf(format, args...), hint))
}

func (r *rules) check() {
	r.serviceNames()
	r.disk()
	r.users()
	for i, l := range r.m.Network.Links {
		r.link(l, fmt.Sprintf("network.link[%d]", i))
	}
	for i, s := range r.m.Services {
		r.service(s, fmt.Sprintf("service[%d]", i))
	}
	if path := "snapshots.deadline"; r.doc.Has(path) && r.doc.Sound(path) && r.m.Snapshots.Deadline == 0 {
		r.add(path, "", "deadline must be more than nothing")
	}
	for i, h := range r.m.Health {
		if path := fmt.Sprintf("health[%d].timeout", i); r.doc.Has(path) && r.doc.Sound(path) && h.Timeout == 0 {
			r.add(path, "", "timeout must be more than nothing")
		}
	}
}

// minSystem is the least room that a system needs beside ESP and swap, and
// minESP the least that two kernels with their initramfs need.
const (
	minSystem Size = 512 << 20
	minESP    Size = 64 << 20
)

func (r *rules) disk() {
	if !r.doc.Sound("disk.size") || !r.doc.Sound("disk.esp") || !r.doc.Sound("disk.swap") {
		return
	}
	d := r.m.WithDefaults().Disk
	if d.ESP < minESP {
		r.add("disk.esp", "", "esp is %v, but must be at least %v: it holds the kernels of two deployments", d.ESP, minESP)
	}
	// Subtracted one by one, so that no sum can overflow.
	if d.Size < d.ESP || d.Size-d.ESP < d.Swap || d.Size-d.ESP-d.Swap < minSystem {
		blame := "disk.size"
		if !r.doc.Has(blame) {
			blame = "disk.esp"
		}
		r.add(blame, "", "size is %v, which leaves less than %v beside esp (%v) and swap (%v)",
			d.Size, minSystem, d.ESP, d.Swap)
	}
}

func (r *rules) users() {
	first := map[int]string{}
	for i, u := range r.m.Users {
		if u.UID == nil {
			continue
		}
		path := fmt.Sprintf("user[%d].uid", i)
		switch {
		case u.Name == "root" && *u.UID != 0:
			r.add(path, "", "root has the uid 0, not %d", *u.UID)
		case u.Name != "root" && *u.UID == 0:
			r.add(path, "", "only root has the uid 0")
		}
		if other, taken := first[*u.UID]; taken {
			r.add(path, "", "uid %d is given twice: to %s and to %s", *u.UID, other, u.Name)
			continue
		}
		first[*u.UID] = u.Name
	}
}

func (r *rules) link(l Link, path string) {
	if l.Name != "" && !l.DHCP && !r.doc.Has(path+".addresses") && r.doc.Sound(path+".dhcp") {
		r.add(path, "give addresses, or dhcp = true", "link %q has neither dhcp nor addresses", l.Name)
	}
	if len(l.Addresses) > 0 && strings.ContainsAny(l.Name, "*?") {
		r.add(path+".addresses", "name one interface", "addresses of a pattern: %q may match several links", l.Name)
	}
	families := map[bool]bool{}
	for i, g := range l.Gateways {
		a, err := netip.ParseAddr(g)
		if err != nil {
			continue
		}
		if families[a.Is4()] {
			r.add(fmt.Sprintf("%s.gateways[%d]", path, i), "", "link %q has two gateways of the same family", l.Name)
		}
		families[a.Is4()] = true
	}
}

// serviceNames finds one service under two names: "a" and "a.service".
func (r *rules) serviceNames() {
	first := map[string]int{}
	for i, s := range r.m.Services {
		name := strings.TrimSuffix(s.Name, ".service")
		j, seen := first[name]
		if !seen {
			first[name] = i
			continue
		}
		if other := r.m.Services[j].Name; other != s.Name && name != "" {
			r.add(fmt.Sprintf("service[%d].name", i), "", "%q is the same service as %q at line %d",
				s.Name, other, r.doc.Line(fmt.Sprintf("service[%d].name", j)))
		}
	}
}

func (r *rules) service(s Service, path string) {
	defines := r.doc.Has(path + ".command")
	switch {
	case s.Enable && s.Disable:
		r.add(path+".disable", "", "service %q is both enabled and disabled", s.Name)
	case !s.Enable && !s.Disable && !defines && r.doc.Sound(path+".enable") && r.doc.Sound(path+".disable"):
		r.add(path, "set enable, disable or command", "service %q says nothing: neither enabled, disabled nor defined", s.Name)
	}
	if defines {
		r.definition(s, path)
		return
	}
	for _, key := range []string{"description", "type", "restart", "user", "environment", "after"} {
		if r.doc.Has(path + "." + key) {
			r.add(path+"."+key, "give its command, or take "+key+" out",
				"%q belongs to a service defined here, and %q has no command", key, s.Name)
		}
	}
}

// definition checks a service that the manifest defines.
func (r *rules) definition(s Service, path string) {
	if dot := strings.LastIndexByte(s.Name, '.'); dot >= 0 && isUnitType(s.Name[dot+1:]) {
		r.add(path+".name", "", "only services can be defined here, and %q is a %s", s.Name, s.Name[dot+1:])
	}
	if strings.Contains(s.Name, "@") {
		r.add(path+".name", "", "templates cannot be defined here: %q", s.Name)
	}
	if s.Type == "oneshot" && s.Restart == "always" {
		r.add(path+".restart", "", "a oneshot service cannot restart always")
	}
}

func isUnitType(suffix string) bool {
	switch suffix {
	case "socket", "timer", "path", "mount", "automount", "target", "slice", "scope", "swap", "device":
		return true
	}
	return false
}
