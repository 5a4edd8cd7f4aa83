// SPDX-License-Identifier: GPL-3.0-or-later

package vm

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/rastos/rastos/internal/agent"
)

// Config says what a machine is. It starts either the firmware (UEFI) or a
// kernel (Kernel, Initrd, Append).
type Config struct {
	Name   string // for people: in messages and the process list
	Memory int    // MiB; 0 means 768
	CPUs   int    // 0 means 1, which costs least under TCG
	Disks  []Disk // the first one is booted

	Kernel, Initrd, Append string

	UEFI *UEFI

	Net      Net
	Serial   io.Writer // gets everything the serial console prints; nil: only the last lines are kept
	Accel    Accel
	Watchdog bool // an i6300esb that resets the machine
	NoReboot bool // a reset ends the machine
	NoAgent  bool // without the agent's port

	Program string   // "" means qemu-system-x86_64
	TempDir string   // where the machine's temporary folder is made; "" means the system's
	Args    []string // more arguments, last
}

// Disk is one disk of a machine.
type Disk struct {
	Path     string
	Format   string // "raw" (the default) or "qcow2"
	ReadOnly bool
	Snapshot bool // changes are kept only while the machine runs
	Volatile bool // flushes are not waited for: faster, and a crash of the host may lose data
	Bus      Bus
}

// Bus is how a disk is attached.
type Bus string

// The buses of a disk; the zero value is Virtio.
const (
	Virtio Bus = "virtio"
	NVMe   Bus = "nvme"
	SATA   Bus = "sata"
	SCSI   Bus = "scsi"
	USB    Bus = "usb"
)

// UEFI is the firmware. The zero value finds OVMF where Debian and Arch put it.
type UEFI struct {
	Code, Vars string // OVMF's two files; both or neither

	// State is the file with this machine's own variables; made from Vars if
	// it is not there. "" makes one that goes with the machine.
	State string
}

// Net is the network. The zero value has none.
type Net struct {
	User     bool // QEMU's user network: the guest gets 10.0.2.15 by DHCP
	Restrict bool // the guest reaches nothing but what Guest names
	Forward  []Forward
	Guest    []GuestForward
}

// Forward brings a TCP port of the host into the guest.
type Forward struct {
	Host  string // address:port of the host; without an address 127.0.0.1
	Guest int    // port
}

// GuestForward lets the guest reach a command of the host: each connection to
// Address (in 10.0.2.0/24, such as "10.0.2.100:80") runs it on its streams.
type GuestForward struct {
	Address string
	Command string
}

// Accel is how the guest's instructions are run.
type Accel string

// The ways; the zero value is Auto.
const (
	Auto Accel = "auto" // KVM where a guest runs under it, else TCG
	KVM  Accel = "kvm"
	TCG  Accel = "tcg"
)

// check finds what cannot work before anything is started.
func (c *Config) check() error {
	switch {
	case c.Kernel == "" && c.UEFI == nil:
		return errors.New("a machine needs a kernel or UEFI firmware")
	case c.Kernel != "" && c.UEFI != nil:
		return errors.New("a machine starts a kernel or UEFI firmware, not both")
	case c.Kernel == "" && (c.Initrd != "" || c.Append != ""):
		return errors.New("an initrd or a command line without a kernel")
	case c.UEFI != nil && (c.UEFI.Code == "") != (c.UEFI.Vars == ""):
		return errors.New("OVMF's code and variables: name both or neither")
	}
	for _, d := range c.Disks {
		switch d.Bus {
		case "", Virtio, NVMe, SATA, SCSI, USB:
		default:
			return fmt.Errorf("disk %s: no bus is called %q", d.Path, d.Bus)
		}
		if d.Path == "" {
			return errors.New("a disk without a path")
		}
	}
	switch c.Accel {
	case "", Auto, KVM, TCG:
		return nil
	}
	return fmt.Errorf("no accelerator is called %q", c.Accel)
}

// files are the paths that Start made for a machine.
type files struct {
	qmp, serial, agent string // sockets that QEMU connects to
	code, vars         string // pflash; "" in direct mode
}

// argv is the command line of a checked configuration; a pure function.
func (c *Config) argv(accel Accel, f files) []string {
	program := c.Program
	if program == "" {
		program = "qemu-system-x86_64"
	}
	name := c.Name
	if name == "" {
		name = "rastos"
	}
	a := []string{program, "-name", escape(name), "-nodefaults", "-no-user-config", "-display", "none",
		"-machine", "q35", "-m", strconv.Itoa(orDefault(c.Memory, 768)), "-smp", strconv.Itoa(orDefault(c.CPUs, 1))}
	if accel == KVM {
		a = append(a, "-accel", "kvm", "-cpu", "host")
	} else {
		a = append(a, "-accel", "tcg,thread=multi")
	}
	a = append(a,
		"-chardev", "socket,id=qmp,server=off,path="+escape(f.qmp), "-mon", "chardev=qmp,mode=control",
		"-chardev", "socket,id=serial,server=off,path="+escape(f.serial), "-serial", "chardev:serial")
	if !c.NoAgent {
		a = append(a, "-device", "virtio-serial-pci",
			"-chardev", "socket,id=agent,server=off,path="+escape(f.agent),
			"-device", "virtserialport,chardev=agent,name="+agent.PortName)
	}
	a = append(a, c.startArgs(accel, f)...)
	a = append(a, c.diskArgs()...)
	a = append(a, c.netArgs()...)
	if c.Watchdog {
		a = append(a, "-device", "i6300esb", "-action", "watchdog=reset")
	}
	if c.NoReboot {
		a = append(a, "-no-reboot")
	}
	return append(a, c.Args...)
}

func (c *Config) startArgs(accel Accel, f files) []string {
	if c.Kernel == "" {
		return []string{
			"-drive", "if=pflash,format=raw,unit=0,readonly=on,file=" + escape(f.code),
			"-drive", "if=pflash,format=raw,unit=1,file=" + escape(f.vars)}
	}
	a := []string{"-kernel", c.Kernel}
	if c.Initrd != "" {
		a = append(a, "-initrd", c.Initrd)
	}
	cmdline := c.Append
	if accel == TCG && !strings.Contains(cmdline, "no_timer_check") {
		// A busy host delays TCG's timer interrupts until Linux takes the
		// IO-APIC for broken; measured: 2 of 11 boots.
		cmdline = strings.TrimSpace(cmdline + " no_timer_check")
	}
	if cmdline != "" {
		a = append(a, "-append", cmdline)
	}
	return a
}

func (c *Config) diskArgs() []string {
	var a []string
	controllers := map[Bus]string{SCSI: "virtio-scsi-pci,id=scsi", USB: "qemu-xhci,id=usb", SATA: "ich9-ahci,id=sata"}
	used := map[Bus]bool{}
	for i, d := range c.Disks {
		if device := controllers[d.Bus]; device != "" && !used[d.Bus] {
			a = append(a, "-device", device)
		}
		used[d.Bus] = true
		a = append(a, "-drive", d.drive(i), "-device", d.device(i, c.UEFI != nil))
	}
	return a
}

func (d *Disk) drive(i int) string {
	s := fmt.Sprintf("if=none,id=disk%d,file=%s,format=%s", i, escape(d.Path), orDefault(d.Format, "raw"))
	for _, o := range []struct {
		on     bool
		option string
	}{
		{d.ReadOnly, "readonly=on"}, {d.Snapshot, "snapshot=on"}, {d.Volatile, "cache=unsafe"},
		{!d.ReadOnly, "discard=unmap"},
	} {
		if o.on {
			s += "," + o.option
		}
	}
	return s
}

func (d *Disk) device(i int, uefi bool) string {
	models := map[Bus]string{
		"": "virtio-blk-pci", Virtio: "virtio-blk-pci", NVMe: "nvme,serial=rastos%d",
		SATA: "ide-hd,bus=sata.%d", SCSI: "scsi-hd,bus=scsi.0", USB: "usb-storage,bus=usb.0",
	}
	s := models[d.Bus]
	if strings.Contains(s, "%d") {
		s = fmt.Sprintf(s, i)
	}
	s += fmt.Sprintf(",drive=disk%d", i)
	if uefi {
		s += fmt.Sprintf(",bootindex=%d", i)
	}
	return s
}

func (c *Config) netArgs() []string {
	if !c.Net.User {
		return []string{"-nic", "none"}
	}
	s := "user,model=virtio-net-pci"
	if c.Net.Restrict {
		s += ",restrict=on"
	}
	for _, f := range c.Net.Forward {
		host := f.Host
		if !strings.Contains(host, ":") {
			host = "127.0.0.1:" + host
		} else if strings.HasPrefix(host, ":") {
			host = "127.0.0.1" + host
		}
		s += fmt.Sprintf(",hostfwd=tcp:%s-:%d", host, f.Guest)
	}
	for _, g := range c.Net.Guest {
		s += fmt.Sprintf(",guestfwd=tcp:%s-cmd:%s", g.Address, escape(g.Command))
	}
	return []string{"-nic", s}
}

// escape doubles the commas of a value in one of QEMU's option lists.
func escape(s string) string { return strings.ReplaceAll(s, ",", ",,") }

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}
