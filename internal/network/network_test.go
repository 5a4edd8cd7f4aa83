// SPDX-License-Identifier: GPL-3.0-or-later

package network

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/rastos/rastos/internal/host/fsroot"
)

var update = flag.Bool("update", false, "write the golden files anew")

func newRoot(t *testing.T, names ...string) (FS, string) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	root, err := fsroot.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root.WithoutSync(), dir
}

// archive is all files of a tree, links as "-> target".
func archive(t *testing.T, dir string) []byte {
	t.Helper()
	a := &txtar.Archive{}
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		var data []byte
		if e.Type()&os.ModeSymlink != 0 {
			target, _ := os.Readlink(path)
			data = []byte("-> " + target + "\n")
		} else if data, err = os.ReadFile(path); err != nil {
			return err
		}
		a.Files = append(a.Files, txtar.File{Name: name, Data: data})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return txtar.Format(a)
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name+".txtar")
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func TestGolden(t *testing.T) {
	for name, c := range map[string]struct {
		s        Settings
		files    []string
		services string
	}{
		"dhcp": {Settings{Links: []Link{{Name: "en*", DHCP: true}}}, []string{resolvedBin}, "systemd-networkd.service systemd-resolved.service"},
		"static": {Settings{
			Nameservers: []string{"192.0.2.53", "2001:db8::53"}, Search: []string{"example.org", "example.net"},
			Links: []Link{{Name: "eth0", Addresses: []string{"192.0.2.7/24", "2001:db8::7/64"}, Gateways: []string{"192.0.2.1", "fe80::1"}, DNS: []string{"192.0.2.54"}, MTU: 1400},
				{Name: "eth1", Addresses: []string{"198.51.100.5/32"}, Gateways: []string{"203.0.113.1"}}},
		}, nil, "systemd-networkd.service"},
		"devices": {Settings{
			Nameservers: []string{"192.0.2.53"},
			Links:       []Link{{Name: "br0", DHCP: true}, {Name: "eth0"}, {Name: "e*", DHCP: true}, {Name: "wl?", DHCP: true}, {Name: "vlan7", Addresses: []string{"192.0.2.9/24"}}},
			Bridges:     []Device{{Name: "br0", Links: []string{"eth0", "eth1"}}},
			Bonds:       []Device{{Name: "bond0", Links: []string{"eth2", "eth3"}}},
			VLANs:       []Device{{Name: "vlan7", ID: 7, Links: []string{"bond0"}}, {Name: "vlan8", ID: 8, Links: []string{"bond0"}}},
		}, []string{resolvedBin}, "systemd-networkd.service systemd-resolved.service"},
	} {
		t.Run(name, func(t *testing.T) {
			root, dir := newRoot(t, append(c.files, "etc/systemd/network/10-mine.network", "etc/systemd/network/40-rastos-gone.network", "etc/resolv.conf")...)
			for range 2 {
				result, err := Apply(root, c.s)
				if err != nil {
					t.Fatal(err)
				}
				if got := strings.Join(result.Services, " "); got != c.services {
					t.Errorf("services %q", got)
				}
			}
			golden(t, name, archive(t, dir))
		})
	}
}

func TestNothingAsked(t *testing.T) {
	root, dir := newRoot(t)
	if result, err := Apply(root, Settings{}); err != nil || len(result.Services)+len(result.Notes) != 0 {
		t.Errorf("%+v, %v", result, err)
	}
	if got := archive(t, dir); len(got) != 0 {
		t.Errorf("wrote\n%s", got)
	}
	result, err := Apply(root, Settings{Links: []Link{{Name: "eth0", DHCP: true}}})
	if err != nil || len(result.Notes) != 1 {
		t.Errorf("no word about name servers: %+v, %v", result, err)
	}
}

func TestFromStubToStaticAndBack(t *testing.T) {
	root, dir := newRoot(t)
	s := Settings{Nameservers: []string{"192.0.2.53"}, Resolver: Stub}
	for _, mode := range []Mode{Stub, Static, Stub} {
		s.Resolver = mode
		if _, err := Apply(root, s); err != nil {
			t.Fatal(err)
		}
		target, _ := os.Readlink(filepath.Join(dir, resolvConf))
		_, err := os.Stat(filepath.Join(dir, resolvedOur))
		if (target == stubTarget) != (mode == Stub) || (err == nil) != (mode == Stub) {
			t.Errorf("mode %d: resolv.conf → %q, drop-in %v", mode, target, err)
		}
	}
}

func TestMistakes(t *testing.T) {
	root, dir := newRoot(t)
	_, err := Apply(root, Settings{
		Nameservers: []string{"dns.example.org"},
		Search:      []string{"a b"},
		Links: []Link{
			{Name: "eth0", Addresses: []string{"192.0.2.7"}, Gateways: []string{"192.0.2.1", "192.0.2.2", "x"}, DNS: []string{"y"}, MTU: 20},
			{Name: "eth0", DHCP: true}, {Name: "a name\n[Link]"}, {Name: "eth1", Addresses: []string{"192.0.2.7/24"}, Gateways: []string{"2001:db8::1"}},
		},
		Bridges: []Device{{Name: "br0", Links: []string{"eth0", "br0"}}, {Name: "br0"}},
		Bonds:   []Device{{Name: "bond0", Links: []string{"eth0"}}, {Name: "bond1"}},
		VLANs:   []Device{{Name: "vlan0", Links: []string{"e*"}}},
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		`network: nameservers: "dns.example.org" is no address`, `network: "a b" is no domain`, `network link eth0: "192.0.2.7" is no address`,
		"network link eth0: the gateway 192.0.2.2 is the second one of its family", `gateways: "x"`, `dns: "y"`, "an mtu of 20", "network link eth0: it is there twice",
		`is no name of an interface`, "network link eth1: the gateway 2001:db8::1 is of a family", "network bridge br0: it is below itself", "network bridge br0: it is made twice",
		"network bond bond0: eth0 is below br0 already", "network bond bond1: there is no interface below it", "network vlan vlan0: 0 is no number of a VLAN",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("missing: %s", want)
		}
	}
	var e *Error
	if !errors.As(err, &e) || e.ExitCode() != 3 {
		t.Errorf("%v", err)
	}
	if got := archive(t, dir); len(got) != 0 {
		t.Errorf("wrote\n%s", got)
	}
}
