// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rastos/rastos/internal/boot/modlist"
)

func TestCmdline(t *testing.T) {
	opts := cmp.AllowUnexported(cmdline{})
	for line, want := range map[string]cmdline{
		"root=UUID=abc": {root: "UUID=abc", fstype: "btrfs", timeout: defaultTimeout, restart: defaultRestart, watchdog: defaultWatchdog},
		`quiet rw root=/dev/vda2 "init=/bin/my init" panic=-1 rootflags=subvol=/a,noatime rastos.deploy=12 rastos.break rastos.timeout=3 rastos.watchdog=20` + "\n": {
			root: "/dev/vda2", fstype: "btrfs", flags: "subvol=/a,noatime", rw: true, deploy: 12,
			init: "/bin/my init", pause: true, timeout: 3 * time.Second, watchdog: 20 * time.Second,
		},
		"root=a rw ro rastos.watchdog=0 root=LABEL=b panic=0 rootfstype=ext4": {root: "LABEL=b", fstype: "ext4", timeout: defaultTimeout, restart: -1},
		`root=a foo="rastos.deploy=1" panic=7 panic=x "rastos.break`:          {root: "a", fstype: "btrfs", timeout: defaultTimeout, restart: 7 * time.Second, pause: true, watchdog: defaultWatchdog},
	} {
		got, err := parseCmdline(line)
		if err != nil {
			t.Errorf("%s: %v", line, err)
		}
		if diff := cmp.Diff(want, got, opts); diff != "" {
			t.Errorf("%s:\n%s", line, diff)
		}
	}
	for _, line := range []string{"", "quiet", "root=a rastos.deploy=", "root=a rastos.deploy=-1", "root=a rastos.deploy=1x", "root=a rastos.timeout=0"} {
		if _, err := parseCmdline(line); err == nil {
			t.Errorf("%q was accepted", line)
		}
	}
	if c, _ := parseCmdline("root=a rastos.deploy=x panic=2"); c.restart != 2*time.Second {
		t.Error("a mistake in the command line hides how to fail")
	}
}

func FuzzCmdline(f *testing.F) {
	f.Add(`root=UUID=1 "a b" rastos.deploy=3 x="y z`)
	f.Fuzz(func(t *testing.T, line string) {
		for _, w := range splitWords(line) {
			if strings.Contains(w, `"`) {
				t.Fatalf("%q: quotes in %q", line, w)
			}
		}
		_, _ = parseCmdline(line)
	})
}

func TestSplitFlags(t *testing.T) {
	for flags, want := range map[string][2]string{
		"": {}, "subvol=/@rastos/nodes/1/root": {"/@rastos/nodes/1/root", ""},
		"noatime,subvol=/x,compress=zstd:1,ro,subvolid=5,rw": {"/x", "noatime,compress=zstd:1"},
	} {
		subvol, rest := splitFlags(flags)
		if subvol != want[0] || rest != want[1] {
			t.Errorf("%q: %q, %q", flags, subvol, rest)
		}
	}
}

// memDisk is a device in memory.
type memDisk struct{ *bytes.Reader }

func (memDisk) Close() error { return nil }

func btrfsDisk(id byte, label string, members uint64) []byte {
	b := make([]byte, superOffset+superSize)
	s := b[superOffset:]
	for i := range 16 {
		s[superFSID+i] = id
	}
	copy(s[superMagic:], btrfsMagic)
	copy(s[superLabel:], label)
	binary.LittleEndian.PutUint64(s[superDevices:], members)
	return b
}

// gptDisk has a partition 2 with a known GUID.
func gptDisk() []byte {
	b := make([]byte, 64<<10)
	h := b[512:]
	copy(h, "EFI PART")
	le := binary.LittleEndian
	le.PutUint64(h[72:], 2)
	le.PutUint32(h[80:], 128)
	le.PutUint32(h[84:], 128)
	for i := range 16 {
		b[2*512+128+16+i] = byte(i)
	}
	return b
}

func testDevices() devices {
	contents := map[string][]byte{
		"vda": gptDisk(), "vda2": btrfsDisk(0xaa, "system", 1), "vdb": btrfsDisk(0xbb, "data", 1),
		"vdc": btrfsDisk(0xcc, "raid", 2), "vdd": make([]byte, 100), "sr0": nil,
	}
	sys := fstest.MapFS{}
	for name := range contents {
		sys["class/block/"+name+"/size"] = &fstest.MapFile{}
	}
	sys["class/block/vda2/partition"] = &fstest.MapFile{Data: []byte("2\n")}
	return devices{sys: sys, open: func(name string) (device, error) {
		if contents[name] == nil {
			return nil, errors.New("drive " + name + " was touched")
		}
		return memDisk{bytes.NewReader(contents[name])}, nil
	}}
}

func TestFindRoot(t *testing.T) {
	d := testDevices()
	for root, want := range map[string]string{
		"UUID=aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa": "vda2",
		"UUID=BBBBBBBB-BBBB-BBBB-BBBB-BBBBBBBBBBBB": "vdb",
		"LABEL=system": "vda2",
		"PARTUUID=03020100-0504-0706-0809-0a0b0c0d0e0f": "vda2",
		"/dev/vdb": "vdb",
	} {
		name, found, err := d.find(root)
		if name != want || !found || err != nil {
			t.Errorf("%s: %q, %v, %v", root, name, found, err)
		}
	}
	for _, root := range []string{"UUID=dddddddd-dddd-dddd-dddd-dddddddddddd", "LABEL=none", "PARTUUID=1", "/dev/vdx"} {
		if name, found, err := d.find(root); found || err != nil {
			t.Errorf("%s: %q, %v, %v", root, name, found, err)
		}
	}
	for _, root := range []string{"LABEL=raid", "vda2", "/dev/mapper/x", ""} {
		if _, _, err := d.find(root); err == nil {
			t.Errorf("%s: waiting for it would help nothing", root)
		}
	}
}

func TestDiskOfAPartition(t *testing.T) {
	for partition, want := range map[string]string{"vda2": "vda", "sda12": "sda", "nvme0n1p2": "nvme0n1", "mmcblk0p1": "mmcblk0", "sdp1": "sdp"} {
		if got := diskOf(partition); got != want {
			t.Errorf("%s: %s", partition, got)
		}
	}
}

func FuzzDisk(f *testing.F) {
	f.Add(btrfsDisk(1, "x", 1))
	f.Add(gptDisk())
	f.Fuzz(func(t *testing.T, data []byte) {
		readSuper(bytes.NewReader(data))
		d := devices{open: func(string) (device, error) { return memDisk{bytes.NewReader(data)}, nil }}
		d.partitionGUID("vda", 3)
	})
}

func TestDriversAreLoadedForTheirDevices(t *testing.T) {
	var loaded []string
	sys := fstest.MapFS{
		"bus/pci/devices/0000:00:01.0/modalias": {Data: []byte("pci:disk\n")},
		"bus/pci/devices/0000:00:02.0/vendor":   {},
	}
	d := &drivers{
		list: modlist.List{Modules: []modlist.Module{
			{Name: "fs", Path: "fs.ko", Always: true}, {Name: "core", Path: "core.ko"},
			{Name: "disk", Path: "disk.ko", Needs: []string{"core"}, Aliases: []string{"pci:disk*"}},
			{Name: "child", Path: "child.ko", Aliases: []string{"scsi:*"}}, {Name: "rare", Path: "rare.ko"},
		}},
		loaded: map[string]bool{}, sys: sys, log: func(string) {},
		load: func(path string) error {
			loaded = append(loaded, path)
			if path == "/disk.ko" { // the driver finds what hangs on its device
				sys["bus/scsi/devices/0:0/modalias"] = &fstest.MapFile{Data: []byte("scsi:t-0x00")}
			}
			if path == "/fs.ko" {
				return errors.New("no such device")
			}
			return nil
		},
	}
	d.always()
	for d.probe() {
	}
	if want := []string{"/fs.ko", "/core.ko", "/disk.ko", "/child.ko"}; !slices.Equal(loaded, want) {
		t.Errorf("loaded %v, want %v", loaded, want)
	}
	d.everything()
	if loaded[len(loaded)-1] != "/rare.ko" || len(loaded) != 5 {
		t.Errorf("loaded %v", loaded)
	}
}

func TestDeploymentRecord(t *testing.T) {
	top := func(record string) fstest.MapFS {
		return fstest.MapFS{
			"@rastos/deploy/3/deploy.json": {Data: []byte(record)},
			"@rastos/deploy/3/etc.1":       {Mode: os.ModeDir | 0o755},
			"@rastos/deploy/3/etc.2":       {Data: []byte("a file")},
		}
	}
	d, err := readDeployment(top(`{"number": 3, "etc": "etc.1", "from": 2, "state": "armed", "unknown": {}}`), 3)
	if err != nil || d.Etc != "etc.1" || !d.mustFold() {
		t.Errorf("%+v, error %v", d, err)
	}
	for _, record := range []string{"", "{}", `{"etc": "etc"}`, `{"etc": "etc.x"}`, `{"etc": "etc.1/../../../x"}`, `{"etc": "etc.9"}`, `{"etc": "etc.2"}`, `{"etc": 1}`} {
		if d, err := readDeployment(top(record), 3); err == nil || !strings.Contains(err.Error(), "deployment 3") {
			t.Errorf("%s: %+v, error %v", record, d, err)
		}
	}
	if _, err := readDeployment(top("{}"), 4); err == nil || !strings.Contains(err.Error(), "deployment 4 is not on this file system") {
		t.Errorf("error %v", err)
	}
	for _, d := range []deployment{{State: "armed"}, {From: 1, State: "good"}, {From: 1, State: "armed", Tried: true}} {
		if d.mustFold() {
			t.Errorf("%+v is folded", d)
		}
	}
}

func TestFindPort(t *testing.T) {
	for want, root := range map[string]fstest.MapFS{
		"/dev/virtio-ports/rastos.agent": {"dev/virtio-ports/rastos.agent": {}},
		"/dev/vport1p2": {
			"sys/class/virtio-ports/vport1p1/name": {Data: []byte("other\n")},
			"sys/class/virtio-ports/vport1p2/name": {Data: []byte("rastos.agent\n")},
		},
	} {
		if got, err := findPort(root); err != nil || got != want {
			t.Errorf("%s: %q, error %v", want, got, err)
		}
	}
	if _, err := findPort(fstest.MapFS{}); err == nil {
		t.Error("a port was found where there is none")
	}
}
