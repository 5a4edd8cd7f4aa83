// SPDX-License-Identifier: GPL-3.0-or-later

package image_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
)

// etcs are the pristine /etc of the node and that of the deployment.
func (b *built) etcs() []string {
	return []string{filepath.Join(b.node, "etc"), filepath.Join(b.top, "@rastos/deploy/1/etc.0")}
}

// has checks that a file of both /etc matches all patterns.
func (b *built) has(name string, patterns ...string) {
	b.t.Helper()
	for _, etc := range b.etcs() {
		text := b.text(filepath.Join(etc, name))
		for _, p := range patterns {
			if !regexp.MustCompile("(?m)" + p).MatchString(text) {
				b.t.Errorf("%s has nothing like %q:\n%s", filepath.Join(etc, name), p, text)
			}
		}
	}
}

// identity: no two machines made from one image may share it.
func (b *built) identity() {
	for _, etc := range b.etcs() {
		if id := b.text(filepath.Join(etc, "machine-id")); id != "" {
			b.t.Errorf("%s/machine-id is %q", etc, id)
		}
		if keys, _ := filepath.Glob(filepath.Join(etc, "ssh/ssh_host_*")); len(keys) != 0 {
			b.t.Errorf("host keys: %v", keys)
		}
	}
	for _, f := range []string{"@var/lib/systemd/random-seed", "@var/lib/systemd/credential.secret", "@var/lib/dbus/machine-id"} {
		info, err := os.Lstat(filepath.Join(b.top, f))
		if err == nil && info.Mode().IsRegular() && info.Size() > 0 {
			b.t.Errorf("%s is in the image", f)
		}
	}
}

func (b *built) users() {
	b.has("passwd", `^anna:x:1234:\d+:Anna Nass:/home/anna:/bin/bash$`, `^root:x:0:0:`)
	b.has("group", `^wheel:x:\d+:(.*,)?anna$`, `^systemd-journal:x:\d+:(.*,)?anna$`, `^anna:x:\d+:$`)
	b.has("shadow", `^anna:\$6\$saltsalt\$[^:]+:\d+:`, `^root:[*!]`)
	for _, etc := range b.etcs() {
		if info, err := os.Stat(filepath.Join(etc, "shadow")); err != nil || info.Mode().Perm()&0o037 != 0 {
			b.t.Errorf("shadow: %v, %v", info.Mode(), err)
		}
	}
	for path, want := range map[string]struct {
		uid  uint32
		mode fs.FileMode
	}{
		"@home/anna":                      {1234, 0o700},
		"@home/anna/.ssh":                 {1234, 0o700},
		"@home/anna/.ssh/authorized_keys": {1234, 0o600},
		"@root/.ssh/authorized_keys":      {0, 0o600},
	} {
		info, err := os.Stat(filepath.Join(b.top, path))
		if err != nil {
			b.t.Error(err)
			continue
		}
		if uid := info.Sys().(*syscall.Stat_t).Uid; uid != want.uid || info.Mode().Perm() != want.mode {
			b.t.Errorf("%s has the owner %d and the mode %v", path, uid, info.Mode())
		}
		if info.Mode().IsRegular() && !strings.Contains(b.text(filepath.Join(b.top, path)), annasKey) {
			b.t.Errorf("%s lacks the key", path)
		}
	}
	if _, err := os.Stat(filepath.Join(b.top, "@home/anna/.bashrc")); err != nil {
		b.t.Errorf("/etc/skel was not copied: %v", err)
	}
}

// applied is what the manifest says of the system and its network.
func (b *built) applied() {
	b.has("hostname", `^atlas$`)
	b.has("hosts", `\batlas\b`, `^127\.0\.0\.1\s+localhost`)
	b.has("locale.conf", `^LANG=C\.UTF-8$`)
	for _, etc := range b.etcs() {
		target, err := os.Readlink(filepath.Join(etc, "localtime"))
		if err != nil || !strings.HasSuffix(target, "usr/share/zoneinfo/Europe/Berlin") {
			b.t.Errorf("localtime leads to %q, %v", target, err)
		}
	}
	found := false
	files, _ := filepath.Glob(filepath.Join(b.node, "etc/systemd/network/*.network"))
	for _, f := range files {
		text := b.text(f)
		found = found || strings.Contains(text, "Name=eth0") && strings.Contains(text, "Address=192.0.2.10/24") && strings.Contains(text, "192.0.2.1")
	}
	if !found {
		b.t.Errorf("no .network file sets eth0 up: %v", files)
	}
	b.has("fstab", `^UUID=\S+ /var btrfs rw,.*subvol=/@var `, `^PARTUUID=\S+ /efi vfat `, `^/swap/swapfile none swap `)
	b.has("pacman.conf", `^\[demo\]|^\[\w+\]`, `^SigLevel = Required`)
	b.has("rastos/rastos.toml", `^hostname = "atlas"$`)
	key, err := filepath.Glob(filepath.Join(b.node, "etc/rastos/keys/*.pub"))
	if err != nil || len(key) != 1 || b.text(key[0]) != b.key {
		b.t.Errorf("keys of repositories: %v, %v", key, err)
	}
	resolv := b.textIfAny("etc/systemd/resolved.conf.d/rastos.conf") + b.textIfAny("etc/resolv.conf")
	if !strings.Contains(resolv, "192.0.2.53") || !strings.Contains(resolv, "example.org") {
		b.t.Errorf("name servers: %q", resolv)
	}
}

func (b *built) textIfAny(name string) string {
	data, _ := os.ReadFile(filepath.Join(b.node, name))
	return string(data)
}

func (b *built) services() {
	for unit, wanted := range map[string]bool{"ssh.service": true, "greet.service": true, "systemd-timesyncd.service": false,
		"systemd-networkd.service": true, "rastos-complete.service": true} {
		links, _ := filepath.Glob(filepath.Join(b.node, "etc/systemd/system/*.wants", unit))
		more, _ := filepath.Glob(filepath.Join(b.node, "usr/lib/systemd/system/*.wants", unit))
		mask, _ := os.Readlink(filepath.Join(b.node, "etc/systemd/system", unit))
		if on := len(links)+len(more) > 0 && mask != "/dev/null"; on != wanted {
			b.t.Errorf("%s: links %v %v, mask %q", unit, links, more, mask)
		}
	}
	b.has("systemd/system/greet.service", `^ExecStart=/bin/echo hello$`, `^Type=oneshot$`, `^Description=Greet$`)
}

// leaks looks for names and paths of the machine that built the image, in the
// content of every file and every link.
func (b *built) leaks() {
	words := []string{b.dir, filepath.Dir(b.dir)}
	source, err := filepath.Abs("../..")
	b.must(err)
	words = append(words, source)
	if name, err := os.Hostname(); err == nil && len(name) >= 8 {
		words = append(words, name)
	}
	err = filepath.WalkDir(b.top, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var data []byte
		switch {
		case d.Type().IsRegular() && d.Name() != "swapfile":
			data, err = os.ReadFile(path)
		case d.Type()&fs.ModeSymlink != 0:
			var target string
			target, err = os.Readlink(path)
			data = []byte(target)
		}
		for _, w := range words {
			if bytes.Contains(data, []byte(w)) {
				b.t.Errorf("%s names %q", path, w)
			}
		}
		return err
	})
	b.must(err)
}
