// SPDX-License-Identifier: GPL-3.0-or-later

package modlist

import (
	"slices"
	"testing"
)

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, alias string
		want           bool
	}{
		{"virtio:d00000002v*", "virtio:d00000002v00001AF4", true},
		{"virtio:d00000002v*", "virtio:d00000012v00001AF4", false},
		{"pci:v*d*sv*sd*bc01sc08i02*", "pci:v00001B36d00000010sv00001AF4sd00001100bc01sc08i02", true},
		{"pci:v*d*sv*sd*bc01sc08i02*", "pci:v00001B36d00000010sv00001AF4sd00001100bc01sc06i01", false},
		{"usb:v0?d[0-3]*", "usb:v07d2x", true},
		{"usb:v0?d[0-3]*", "usb:v07d4x", false},
		{"usb:d0[13]", "usb:d03", true},
		{"usb:d0[13]", "usb:d02", false},
		{"a[", "a[", true},
		{"a*b*c", "a-b-b-c", true},
		{"a*b*c", "a-b-b-", false},
		{"", "", true}, {"*", "", true}, {"?", "", false}, {"x", "", false}, {"", "x", false},
	} {
		if Match(c.pattern, c.alias) != c.want {
			t.Errorf("%q against %q: %v", c.pattern, c.alias, !c.want)
		}
	}
}

func list() List {
	return List{Release: "6.1", Modules: []Module{
		{Name: "crc", Path: "crc.ko", Always: true},
		{Name: "btrfs", Path: "btrfs.ko", Needs: []string{"crc"}, Always: true},
		{Name: "core", Path: "core.ko"},
		{Name: "usb", Path: "usb.ko", Needs: []string{"core"}, Aliases: []string{"pci:usb*"}},
		{Name: "nvme", Path: "nvme.ko", Needs: []string{"core"}, Aliases: []string{"pci:nvme*"}},
	}}
}

func selected(always bool, aliases []string, loaded map[string]bool) []string {
	var names []string
	for _, m := range list().Select(always, aliases, loaded) {
		names = append(names, m.Name)
	}
	return names
}

func TestSelect(t *testing.T) {
	for _, c := range []struct {
		always  bool
		aliases []string
		loaded  map[string]bool
		want    []string
	}{
		{true, nil, nil, []string{"crc", "btrfs"}},
		{false, []string{"pci:nvme1"}, nil, []string{"core", "nvme"}},
		{true, []string{"pci:usb1", "x"}, map[string]bool{"crc": true, "core": true}, []string{"btrfs", "usb"}},
		{false, nil, nil, nil},
	} {
		if got := selected(c.always, c.aliases, c.loaded); !slices.Equal(got, c.want) {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

func TestDecodeChecksTheOrder(t *testing.T) {
	data, err := Encode(list())
	if err != nil {
		t.Fatal(err)
	}
	back, err := Decode(data)
	if err != nil || len(back.Modules) != 5 || back.Release != "6.1" {
		t.Fatalf("%+v, error %v", back, err)
	}
	l := list()
	slices.Reverse(l.Modules)
	data, _ = Encode(l)
	if _, err := Decode(data); err == nil {
		t.Error("a list in the wrong order was accepted")
	}
}

func FuzzMatch(f *testing.F) {
	f.Add("virtio:d00000002v*", "virtio:d00000002v00001AF4")
	f.Add("[a-", "[a-")
	f.Fuzz(func(t *testing.T, pattern, s string) {
		// It must end, and a star in front can only widen it.
		if Match(pattern, s) && !Match("*"+pattern, s) {
			t.Fatalf("%q covers %q, with a star in front it does not", pattern, s)
		}
	})
}

func FuzzDecode(f *testing.F) {
	data, _ := Encode(list())
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		if l, err := Decode(data); err == nil {
			l.Select(true, []string{"pci:usb"}, nil)
		}
	})
}
