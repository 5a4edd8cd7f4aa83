// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/rastos/rastos/internal/boot/modlist"
	"github.com/rastos/rastos/internal/host/early"
	"github.com/rastos/rastos/internal/host/linux"
	"github.com/rastos/rastos/internal/host/mount"
)

const (
	sysroot = "/sysroot"
	topDir  = "/run/rastos/top"
)

// initramfs is one run as PID 1 of the initramfs.
type initramfs struct {
	cmd     cmdline
	console io.Writer
	kmsg    io.Writer // nil before /dev is mounted
	device  string    // of the root file system, without /dev/
	top     string    // where the top level is mounted; "" before
	moved   bool      // /proc, /sys, /dev and /run are below sysroot
	drivers *drivers
	started time.Time
}

// bootNode does the whole job and ends in the node's init, or in a reboot.
func bootNode(argv, env []string) {
	b := &initramfs{console: os.Stderr, cmd: cmdline{restart: defaultRestart}, started: time.Now()}
	err := b.run(argv, env)
	b.fail(err)
}

// run is the order of things; each step names itself in its error.
func (b *initramfs) run(argv, env []string) error {
	if err := b.mountKernel(); err != nil {
		return err
	}
	line, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return fmt.Errorf("read the kernel command line: %w", err)
	}
	if b.cmd, err = parseCmdline(string(line)); err != nil {
		return err
	}
	if err := b.findRoot(); err != nil {
		return err
	}
	if err := b.mountRoot(); err != nil {
		return err
	}
	if err := b.moveKernel(); err != nil {
		return err
	}
	if err := b.mountEtc(); err != nil {
		return err
	}
	b.mountVolumes()
	if b.cmd.pause {
		b.shell()
	}
	b.log(fmt.Sprintf("the node is mounted from %s after %.2f s", b.device, time.Since(b.started).Seconds()))
	return b.handOver(argv, env)
}

// mountKernel mounts what the kernel offers.
func (b *initramfs) mountKernel() error {
	for _, m := range []struct{ fstype, target, options string }{
		{"proc", "/proc", "nosuid,nodev,noexec"},
		{"sysfs", "/sys", "nosuid,nodev,noexec"},
		{"devtmpfs", "/dev", "nosuid,mode=755"},
		{"tmpfs", "/run", "nosuid,nodev,mode=755"},
	} {
		if err := os.MkdirAll(m.target, 0o755); err != nil {
			return fmt.Errorf("make %s: %w", m.target, err)
		}
		if err := mount.Mount(m.fstype, m.target, m.fstype, m.options); err != nil {
			return err
		}
	}
	if f, err := os.OpenFile("/dev/kmsg", os.O_WRONLY, 0); err == nil {
		b.kmsg = f
	}
	return nil
}

// patience is when the drivers of devices that do not say what they are get
// their turn.
const patience = 5 * time.Second

// findRoot loads drivers and waits until the root's device is there.
func (b *initramfs) findRoot() error {
	data, err := os.ReadFile("/" + modlist.Path)
	if err != nil {
		return fmt.Errorf("read the list of modules: %w", err)
	}
	list, err := modlist.Decode(data)
	if err != nil {
		return err
	}
	sys := os.DirFS("/sys")
	drv := &drivers{list: list, loaded: map[string]bool{}, sys: sys, load: early.LoadModule, log: b.log}
	devs := devices{sys: sys, open: func(name string) (device, error) { return os.Open("/dev/" + name) }}
	b.drivers = drv
	drv.always()
	begin, all := time.Now(), false
	for wait := 5 * time.Millisecond; ; wait = min(2*wait, 200*time.Millisecond) {
		for drv.probe() {
		}
		name, found, err := devs.find(b.cmd.root)
		if err != nil {
			return err
		}
		if found {
			b.device = name
			return nil
		}
		waited := time.Since(begin)
		if waited > b.cmd.timeout {
			return fmt.Errorf("root=%s is not there after %v; block devices: %s",
				b.cmd.root, b.cmd.timeout, orNone(strings.Join(devs.names(), " ")))
		}
		if waited > patience && !all {
			all = true
			drv.everything()
		}
		time.Sleep(wait)
	}
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// mountRoot mounts the top level and the node.
func (b *initramfs) mountRoot() error {
	subvol, rest := splitFlags(b.cmd.flags)
	dev := "/dev/" + b.device
	if err := os.MkdirAll(sysroot, 0o755); err != nil {
		return fmt.Errorf("make %s: %w", sysroot, err)
	}
	if b.cmd.fstype == "btrfs" && subvol != "" {
		// Old nodes and their secrets lie here: it is root's alone.
		if err := os.MkdirAll(filepath.Dir(topDir), 0o755); err != nil {
			return fmt.Errorf("make %s: %w", topDir, err)
		}
		if err := os.Mkdir(topDir, 0o700); err != nil {
			return fmt.Errorf("make %s: %w", topDir, err)
		}
		if err := mount.Mount(dev, topDir, "btrfs", options("rw,subvolid=5", rest)); err != nil {
			return err
		}
		b.top = topDir
		if _, err := os.Stat(filepath.Join(topDir, subvol)); err != nil {
			return fmt.Errorf("the node is not on %s: %w", b.device, err)
		}
		rest = options("subvol="+subvol, rest)
	}
	access := "ro"
	if b.cmd.rw {
		access = "rw"
	}
	return mount.Mount(dev, sysroot, b.cmd.fstype, options(access, rest))
}

func options(words ...string) string {
	var list []string
	for _, w := range words {
		if w != "" {
			list = append(list, w)
		}
	}
	return strings.Join(list, ",")
}

// moveKernel moves what the kernel offers below the node, which holds every
// mount point.
func (b *initramfs) moveKernel() error {
	for _, dir := range []string{"/proc", "/sys", "/dev", "/run"} {
		target := sysroot + dir
		if _, err := os.Stat(target); err != nil {
			return fmt.Errorf("the node has no %s: %w", dir, err)
		}
		if err := early.MoveMount(dir, target); err != nil {
			return err
		}
		if dir == "/run" && b.top != "" {
			b.top = sysroot + b.top
		}
	}
	b.moved = true
	return nil
}

// mountEtc mounts the deployment's /etc over the node's.
func (b *initramfs) mountEtc() error {
	if b.cmd.deploy == 0 {
		return nil
	}
	if b.top == "" {
		return fmt.Errorf("rastos.deploy=%d: the root is no subvolume of btrfs (rootflags=subvol=…)", b.cmd.deploy)
	}
	top := os.DirFS(b.top)
	d, err := readDeployment(top, b.cmd.deploy)
	if err != nil {
		return err
	}
	if d.mustFold() {
		b.fold()
		if d, err = readDeployment(top, b.cmd.deploy); err != nil {
			return err
		}
	}
	_, rest := splitFlags(b.cmd.flags)
	subvol := "subvol=/" + path.Join(deployDir(b.cmd.deploy), d.Etc)
	if err := mount.Mount(sysroot+"/dev/"+b.device, sysroot+"/etc", "btrfs", options("rw", subvol, rest)); err != nil {
		return err
	}
	if d.State == "armed" {
		b.watch()
	}
	return mountTmp()
}

// mountTmp gives the read-only node a /tmp: systemd sets up the private /dev of
// its earliest services there, before it would mount one itself.
func mountTmp() error {
	if _, err := os.Stat(sysroot + "/tmp"); err != nil {
		return fmt.Errorf("the node has no /tmp: %w", err)
	}
	return mount.Mount("tmpfs", sysroot+"/tmp", "tmpfs", "rw,nosuid,nodev,mode=1777")
}

// inits are the places of an init, in the order in which the kernel would look.
var inits = [...]string{"/sbin/init", "/usr/lib/systemd/systemd", "/etc/init", "/bin/init"}

// handOver leaves the initramfs and becomes the node's init, with the words
// that the kernel passes to one.
func (b *initramfs) handOver(argv, env []string) error {
	if err := early.SwitchRoot(sysroot); err != nil {
		return err
	}
	b.top = strings.TrimPrefix(b.top, sysroot)
	b.moved = false
	candidates := inits[:]
	if b.cmd.init != "" {
		candidates = []string{b.cmd.init}
	}
	var errs []error
	for _, path := range candidates {
		err := early.Exec(path, append([]string{path}, argv[1:]...), env)
		errs = append(errs, err)
		if !errors.Is(err, os.ErrNotExist) {
			break
		}
	}
	return fmt.Errorf("start the node's init: %w", errors.Join(errs...))
}

// restart reboots; only a kernel without reboot(2) lets it return.
func (b *initramfs) restart() {
	if err := linux.Reboot(linux.Restart); err != nil {
		fmt.Fprintf(b.console, "rastos-init: %v\n", err)
	}
}
