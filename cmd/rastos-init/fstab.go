// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"github.com/rastos/rastos/internal/host/mount"
)

// volume is a line of fstab that the initramfs mounts.
type volume struct{ source, target, fstype, options string }

// initrdVolumes reads the lines of an fstab(5) that carry x-initrd.mount, as
// systemd.mount(5) describes it. systemd then finds them mounted: under
// emulation each mount unit costs it about a second.
func initrdVolumes(fstab string) []volume {
	var out []volume
	for line := range strings.Lines(fstab) {
		f := strings.Fields(line)
		if len(f) < 4 || strings.HasPrefix(f[0], "#") {
			continue
		}
		v := volume{source: f[0], target: unescape(f[1]), fstype: f[2]}
		asked := false
		var options []string
		for o := range strings.SplitSeq(f[3], ",") {
			switch {
			case o == "x-initrd.mount":
				asked = true
			case strings.HasPrefix(o, "x-"), o == "defaults", o == "auto", o == "noauto", o == "nofail", o == "_netdev":
			default:
				options = append(options, o)
			}
		}
		if !asked || !path.IsAbs(v.target) || path.Clean(v.target) != v.target || v.target == "/" || v.target == "/etc" {
			continue
		}
		v.options = strings.Join(options, ",")
		out = append(out, v)
	}
	return out
}

// unescape undoes fstab's octal escapes for blanks.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\134`, `\`).Replace(s)
}

// mountVolumes mounts what the deployment's fstab wants mounted early. What
// cannot be is left to the node's init, which tries again and says so.
func (b *initramfs) mountVolumes() {
	data, err := os.ReadFile(sysroot + "/etc/fstab")
	if err != nil {
		b.log(fmt.Sprintf("no early volumes: %v", err))
		return
	}
	// The kernel shows a mount's source as it was written: it has to be the
	// path that the node knows, not the one below sysroot. (The initramfs' own
	// /dev holds a console at least, so it is moved, not removed.)
	if err := errors.Join(os.Rename("/dev", "/dev.initramfs"), os.Symlink(sysroot+"/dev", "/dev")); err != nil {
		b.log(fmt.Sprintf("no early volumes: %v", err))
		return
	}
	devs := devices{sys: os.DirFS(sysroot + "/sys"), open: func(name string) (device, error) { return os.Open("/dev/" + name) }}
	names := map[string]string{b.cmd.root: b.device}
	for _, v := range initrdVolumes(string(data)) {
		name, known := names[v.source]
		if !known {
			if name, known, err = devs.find(v.source); err != nil || !known {
				b.log(fmt.Sprintf("%s of %s is left to the node: not found", v.source, v.target))
				continue
			}
			names[v.source] = name
		}
		if err := mount.Mount("/dev/"+name, sysroot+v.target, v.fstype, v.options); err != nil {
			b.log(fmt.Sprintf("%s is left to the node: %v", v.target, err))
		}
	}
}
