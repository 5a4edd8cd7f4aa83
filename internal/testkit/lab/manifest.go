// SPDX-License-Identifier: GPL-3.0-or-later

package lab

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// toml is the machine's manifest.
func (l *Lab) toml() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "[system]\nhostname = \"atlas\"\ntimezone = \"UTC\"\nlocale = \"C.UTF-8\"\n\n")
	fmt.Fprintf(&b, "[packages]\nofficial = [%s]\n\n", quoted(append(l.List, "hello")))
	for _, r := range []struct{ name, folder, key string }{
		{l.BaseDB, "base", filepath.Join(l.Base, l.BaseDB+".pub")},
		{"site", "site", l.keyFile()},
	} {
		fmt.Fprintf(&b, "[[repository]]\nname = %q\nservers = [%s]\nkey = %q\n\n", r.name, quoted(l.servers(r.folder)), r.key)
	}
	// A busy host delays an emulated timer until Linux takes the IO-APIC for broken;
	// no_timer_check leaves that test out. Under KVM Linux does so by itself.
	cmdline := append([]string{"console=ttyS0", "quiet", "8250.nr_uarts=1", "no_timer_check"}, l.Cmdline...)
	fmt.Fprintf(&b, "[kernel]\npackage = \"linux\"\ncmdline = [%s]\n\n", quoted(cmdline))
	fmt.Fprintf(&b, "[snapshots]\ntries = %d\n\n", l.Tries)
	fmt.Fprintf(&b, "[disk]\nsize = \"4G\"\nesp = \"512M\"\ncompress = \"none\"\nformats = [%s]\n\n", quoted(l.Formats))
	b.WriteString(`[[user]]
name = "anna"
groups = ["wheel"]

[[network.link]]
name = "en*"
dhcp = true

[[service]]
name = "hello"
enable = true

[[service]]
name = "ssh"
enable = true

[[health]]
name = "hello"
command = "/usr/bin/hello-check"
timeout = "30s"
`)
	return b.Bytes()
}

func quoted(words []string) string {
	var out []string
	for _, w := range words {
		out = append(out, strconv.Quote(w))
	}
	return strings.Join(out, ", ")
}

// Packages is the list of a small machine, as the repository of `make repo`
// names them.
func Packages() []string {
	return []string{"base", "linux", "systemd-boot-efi", "openssh-server", "pacman-package-manager"}
}
