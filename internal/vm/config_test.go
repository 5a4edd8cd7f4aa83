// SPDX-License-Identifier: GPL-3.0-or-later

package vm

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestCommandLines(t *testing.T) {
	f := files{qmp: "/t/qmp.sock", serial: "/t/serial.sock", agent: "/t/agent.sock", code: "/o/code.fd", vars: "/t/vars.fd"}
	for _, c := range []struct {
		name  string
		cfg   Config
		accel Accel
		want  string
	}{
		{"direct", Config{
			Name: "a,b", Kernel: "vmlinuz", Initrd: "initrd", Append: "root=x", NoReboot: true,
			Disks: []Disk{{Path: "/d/x,y.img", Snapshot: true}},
		}, TCG, `qemu-system-x86_64 -name a,,b -nodefaults -no-user-config -display none -machine q35 -m 768 -smp 1
-accel tcg,thread=multi
-chardev socket,id=qmp,server=off,path=/t/qmp.sock -mon chardev=qmp,mode=control
-chardev socket,id=serial,server=off,path=/t/serial.sock -serial chardev:serial
-device virtio-serial-pci -chardev socket,id=agent,server=off,path=/t/agent.sock -device virtserialport,chardev=agent,name=rastos.agent
-kernel vmlinuz -initrd initrd -append root=x no_timer_check
-drive if=none,id=disk0,file=/d/x,,y.img,format=raw,snapshot=on,discard=unmap -device virtio-blk-pci,drive=disk0
-nic none -no-reboot`},
		{"uefi with everything", Config{
			UEFI: &UEFI{}, Memory: 2048, CPUs: 4, NoAgent: true, Watchdog: true, Args: []string{"-S"},
			Disks: []Disk{
				{Path: "a", Format: "qcow2", Bus: NVMe}, {Path: "b", ReadOnly: true, Bus: SATA},
				{Path: "c", Bus: SCSI, Volatile: true}, {Path: "d", Bus: USB}, {Path: "e", Bus: SCSI},
			},
			Net: Net{User: true, Restrict: true,
				Forward: []Forward{{"2222", 22}, {":80", 80}, {"0.0.0.0:1", 1}},
				Guest:   []GuestForward{{"10.0.2.100:80", "cat a,b"}}},
		}, KVM, `qemu-system-x86_64 -name rastos -nodefaults -no-user-config -display none -machine q35 -m 2048 -smp 4
-accel kvm -cpu host
-chardev socket,id=qmp,server=off,path=/t/qmp.sock -mon chardev=qmp,mode=control
-chardev socket,id=serial,server=off,path=/t/serial.sock -serial chardev:serial
-drive if=pflash,format=raw,unit=0,readonly=on,file=/o/code.fd -drive if=pflash,format=raw,unit=1,file=/t/vars.fd
-drive if=none,id=disk0,file=a,format=qcow2,discard=unmap -device nvme,serial=rastos0,drive=disk0,bootindex=0
-device ich9-ahci,id=sata
-drive if=none,id=disk1,file=b,format=raw,readonly=on -device ide-hd,bus=sata.1,drive=disk1,bootindex=1
-device virtio-scsi-pci,id=scsi
-drive if=none,id=disk2,file=c,format=raw,cache=unsafe,discard=unmap -device scsi-hd,bus=scsi.0,drive=disk2,bootindex=2
-device qemu-xhci,id=usb
-drive if=none,id=disk3,file=d,format=raw,discard=unmap -device usb-storage,bus=usb.0,drive=disk3,bootindex=3
-drive if=none,id=disk4,file=e,format=raw,discard=unmap -device scsi-hd,bus=scsi.0,drive=disk4,bootindex=4
-nic user,model=virtio-net-pci,restrict=on,hostfwd=tcp:127.0.0.1:2222-:22,hostfwd=tcp:127.0.0.1:80-:80,hostfwd=tcp:0.0.0.0:1-:1,guestfwd=tcp:10.0.2.100:80-cmd:cat a,,b
-device i6300esb -action watchdog=reset -S`},
	} {
		got := strings.Join(c.cfg.argv(c.accel, f), " ")
		if want := strings.ReplaceAll(c.want, "\n", " "); got != want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, want)
		}
	}
}

func TestConfigThatCannotWork(t *testing.T) {
	for name, c := range map[string]Config{
		"nothing to start":        {},
		"two ways to start":       {Kernel: "k", UEFI: &UEFI{}},
		"an initrd alone":         {UEFI: &UEFI{}, Initrd: "i"},
		"half a firmware":         {UEFI: &UEFI{Code: "c"}},
		"a disk without a path":   {Kernel: "k", Disks: []Disk{{}}},
		"an unknown bus":          {Kernel: "k", Disks: []Disk{{Path: "p", Bus: "isa"}}},
		"an unknown acceleration": {Kernel: "k", Accel: "xen"},
	} {
		if c.check() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestCPUTimeOfAProcess(t *testing.T) {
	stat := "12 (qemu) (x) y) S 1 12 12 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 3 0 5 6 7"
	if got, ok := parseStat([]byte(stat)); !ok || got != 3*time.Second {
		t.Errorf("%v, %v", got, ok)
	}
	for _, bad := range []string{"", "12 (x", "12 (x) S 1 2", "1 (x) S a b c d e f g h i j k l m n"} {
		if _, ok := parseStat([]byte(bad)); ok {
			t.Errorf("%q was read", bad)
		}
	}
}

func TestLastLinesOfAConsole(t *testing.T) {
	s := &serial{kept: []byte("\x1b[2J\x1b[01;01H\x1b[=3hBdsDxe: loading\r\n\r\n\x1bcone \x07\r\ntwo  \r\n\x1b[0;31mthree\x1b[0m")}
	if got := s.lastLines(2); got != "two\nthree" {
		t.Errorf("%q", got)
	}
	if got := strings.Split(s.lastLines(9), "\n"); !slices.Equal(got, []string{"BdsDxe: loading", "one", "two", "three"}) {
		t.Errorf("%q", got)
	}
}

func TestProbeROM(t *testing.T) {
	rom := probeROM()
	if len(rom) != 64<<10 || rom[probeReset] != 0xe9 || rom[probeEntry] != 0xfa || rom[probeEntry+0x58] != 0x17 {
		t.Error("the probe's parts are not where its addresses say")
	}
	// jmp: target = next instruction + displacement, in 16 bits.
	disp := uint16(rom[probeReset+1]) | uint16(rom[probeReset+2])<<8
	if target := uint16(probeReset) + 3 + disp; target != probeEntry {
		t.Errorf("the reset vector jumps to %#x", target)
	}
}
