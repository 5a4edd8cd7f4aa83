// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rastos/rastos/internal/agent"
	"github.com/rastos/rastos/internal/boot"
	"github.com/rastos/rastos/internal/testkit"
	"github.com/rastos/rastos/internal/vm"
)

const testUUID = "6c1f3a52-9f6e-4d0b-8f0a-0d1c2b3a4f5e"

// program runs a host program that must succeed.
func program(t *testing.T, argv ...string) string {
	t.Helper()
	out, err := exec.Command(testkit.NeedTool(t, argv[0]), argv[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%q: %v: %s", argv, err, out)
	}
	return string(out)
}

// buildInit builds this command as it is shipped.
func buildInit(t *testing.T) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "rastos-init")
	cmd := exec.Command(testkit.NeedTool(t, "go"), "build", "-trimpath", "-ldflags=-s -w -X main.version=test", "-o", out, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v: %s", err, text)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// initScript is the init of the test's nodes.
const initScript = `#!/bin/sh
export PATH=/bin
echo "init of node $(cat /node), arguments: $*"
mount -t tmpfs tmpfs /tmp
[ -e /panics ] && exit 1
/usr/lib/rastos/rastos-init agent &
while :; do wait; sleep 1; done
`

// testNode is a node of the test's disk.
type testNode struct {
	id     string
	panics bool // its init ends at once: the kernel panics
}

// testDisk is a file system as DESIGN.md lays it out, with busybox for a system.
type testDisk struct {
	nodes   []testNode
	deploys map[string]string // folder below @rastos/deploy → deploy.json
	init    []byte
}

// foldScript stands in for the node's rastos: it says how it was called, and
// that the /etc to use is another one now.
const foldScript = `#!/bin/sh
echo "$*" >/run/rastos/top/folded
echo '{"etc": "etc.1", "from": 6, "state": "armed", "tried": true}' >/run/rastos/top/@rastos/deploy/7/deploy.json
`

// partition makes the file system in an image of its own.
func (d testDisk) partition(t *testing.T) string {
	t.Helper()
	testkit.NeedBtrfs(t)
	image := filepath.Join(t.TempDir(), "disk.img")
	check(t, os.WriteFile(image, nil, 0o600))
	check(t, os.Truncate(image, 256<<20))
	program(t, "mkfs.btrfs", "-q", "-U", testUUID, "-L", "rastos-test", image)
	withTop(t, image, func(top string) { d.fill(t, top) })
	return image
}

// withTop mounts the top level of an image for body.
func withTop(t *testing.T, image string, body func(top string)) {
	t.Helper()
	top, err := os.MkdirTemp("", "rastos-test-top-") // not t.TempDir: never remove a mount's content
	check(t, err)
	defer os.Remove(top)
	program(t, "mount", "-o", "loop,noatime", image, top)
	defer func() { program(t, "umount", top) }()
	body(top)
}

func (d testDisk) fill(t *testing.T, top string) {
	t.Helper()
	busybox := testkit.NeedTool(t, "busybox")
	for _, n := range d.nodes {
		d.fillNode(t, filepath.Join(top, "@rastos/nodes", n.id), n, busybox)
	}
	for name, record := range d.deploys {
		deploy := filepath.Join(top, "@rastos/deploy", name)
		check(t, os.MkdirAll(deploy, 0o755))
		for _, etc := range []string{"etc.0", "etc.1"} {
			program(t, "btrfs", "-q", "subvolume", "create", filepath.Join(deploy, etc))
			check(t, os.WriteFile(filepath.Join(deploy, etc, "which"), []byte(etc+" of deployment "+name), 0o644))
		}
		check(t, os.WriteFile(filepath.Join(deploy, "deploy.json"), []byte(record), 0o644))
	}
}

func (d testDisk) fillNode(t *testing.T, dir string, n testNode, busybox string) {
	t.Helper()
	check(t, os.MkdirAll(dir, 0o755))
	root := filepath.Join(dir, "root")
	program(t, "btrfs", "-q", "subvolume", "create", root)
	for _, sub := range []string{"bin", "sbin", "dev", "proc", "sys", "run", "etc", "tmp", "usr/lib/rastos", "usr/bin"} {
		check(t, os.MkdirAll(filepath.Join(root, sub), 0o755))
	}
	data, err := os.ReadFile(busybox)
	check(t, err)
	check(t, os.WriteFile(filepath.Join(root, "bin/busybox"), data, 0o755))
	for _, applet := range []string{"sh", "cat", "mount", "sleep", "echo", "grep", "reboot", "touch", "ls", "dmesg", "sync", "head", "poweroff"} {
		check(t, os.Symlink("busybox", filepath.Join(root, "bin", applet)))
	}
	check(t, os.WriteFile(filepath.Join(root, "sbin/init"), []byte(initScript), 0o755))
	check(t, os.WriteFile(filepath.Join(root, "node"), []byte(n.id), 0o644))
	check(t, os.WriteFile(filepath.Join(root, "etc/which"), []byte("pristine"), 0o644))
	check(t, os.WriteFile(filepath.Join(root, "usr/lib/rastos/rastos-init"), d.init, 0o755))
	check(t, os.WriteFile(filepath.Join(root, "usr/bin/rastos"), []byte(foldScript), 0o755))
	if n.panics {
		check(t, os.WriteFile(filepath.Join(root, "panics"), nil, 0o644))
	}
	program(t, "btrfs", "property", "set", root, "ro", "true")
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// makeInitrd builds the initramfs for a kernel.
func makeInitrd(t *testing.T, k testkit.KernelTree, init []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	m, err := boot.WriteInitramfs(&b, boot.InitramfsSpec{
		Init: init, Release: k.Version, Modules: os.DirFS(k.Modules),
		Wanted: append(boot.DefaultModules(), "efivarfs"), // the test's nodes have no modprobe
	})
	check(t, err)
	t.Logf("initramfs: %d KiB, %d modules", m.Size>>10, len(m.Modules))
	return b.Bytes()
}

func nodeOptions(node, deploy string) string {
	return "root=UUID=" + testUUID + " rootfstype=btrfs rootflags=subvol=/@rastos/nodes/" + node +
		"/root,noatime ro rastos.deploy=" + deploy + " console=ttyS0 panic=1"
}

func deadline(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func output(t *testing.T, m *vm.Machine, argv ...string) string {
	t.Helper()
	out, err := m.Output(deadline(t, time.Minute), argv...)
	check(t, err)
	return strings.TrimSpace(out)
}

// TestDirectBoot boots a node by its kernel and tries the agent in earnest.
func TestDirectBoot(t *testing.T) {
	testkit.Integration(t)
	k := testkit.NeedKernel(t)
	init := buildInit(t)
	disk := testDisk{
		nodes:   []testNode{{id: "1"}},
		deploys: map[string]string{"7": `{"number": 7, "node": 1, "etc": "etc.0", "from": 6, "state": "armed"}`},
		init:    init,
	}.partition(t)
	initrd := filepath.Join(t.TempDir(), "initrd")
	check(t, os.WriteFile(initrd, makeInitrd(t, k, init), 0o600))
	m := testkit.StartVM(t, vm.Config{
		Kernel: k.Image, Initrd: initrd, Append: nodeOptions("1", "7") + ` quiet word "two words"`,
		Disks: []vm.Disk{{Path: disk, Volatile: true}}, Memory: 512,
	})
	info, err := m.WaitAgent(deadline(t, 3*time.Minute))
	check(t, err)
	if info.Version != "test" {
		t.Errorf("the agent says %+v", info)
	}
	t.Run("mounts", func(t *testing.T) { checkMounts(t, m) })
	t.Run("agent", func(t *testing.T) { checkAgent(t, m) })
	t.Run("reboot", func(t *testing.T) {
		_, err := m.Exec(t.Context(), agent.Command{Argv: []string{"reboot", "-f"}})
		if err == nil {
			t.Error("the agent outlived the reboot")
		}
		again, err := m.WaitReboot(deadline(t, 3*time.Minute), info)
		check(t, err)
		if m.Resets() == 0 || again.Boot == info.Boot {
			t.Errorf("%d resets, boot %s then %s", m.Resets(), info.Boot, again.Boot)
		}
		if got := output(t, m, "cat", "/etc/written", "/run/rastos/top/folded"); got != "kept\nlate" {
			t.Errorf("after the reboot /etc holds, and the second fold did: %q", got)
		}
	})
}

func checkMounts(t *testing.T, m *vm.Machine) {
	mounts := output(t, m, "cat", "/proc/self/mountinfo")
	for _, want := range []struct{ root, at, access string }{
		{"/@rastos/nodes/1/root", "/", "ro,"},
		{"/@rastos/deploy/7/etc.1", "/etc", "rw,"},
		{"/", "/run/rastos/top", "rw,"},
	} {
		found := false
		for line := range strings.Lines(mounts) {
			f := strings.Fields(line)
			found = found || f[3] == want.root && f[4] == want.at && strings.HasPrefix(f[5]+",", want.access) && strings.Contains(line, "btrfs")
		}
		if !found {
			t.Errorf("no mount of %s at %s (%s):\n%s", want.root, want.at, want.access, mounts)
		}
	}
	if !strings.Contains(mounts, "noatime") {
		t.Errorf("noatime of rootflags is lost:\n%s", mounts)
	}
	if got := output(t, m, "cat", "/etc/which"); got != "etc.1 of deployment 7" {
		t.Errorf("/etc is %q", got)
	}
	if got := output(t, m, "cat", "/run/rastos/top/folded"); got != "etc fold --top /run/rastos/top --deployment 7" {
		t.Errorf("the fold was called with %q", got)
	}
	output(t, m, "sh", "-c", "echo late >/run/rastos/top/folded")
	output(t, m, "sh", "-c", "echo kept >/etc/written && sync")
	if _, err := m.Output(t.Context(), "touch", "/usr/new"); err == nil {
		t.Error("the node can be written to")
	}
	if got := output(t, m, "ls", "/"); strings.Contains(got, "sysroot") || strings.Contains(got, "init\n") {
		t.Errorf("the root holds %q", got)
	}
	if text := m.SerialText(); !strings.Contains(text, "init of node 1, arguments: word two words") {
		t.Errorf("the kernel's words did not reach init")
	}
	if got := output(t, m, "sh", "-c", "dmesg | grep rastos-init:"); !strings.Contains(got, "the node is mounted from vda") {
		t.Errorf("the log says %q", got)
	} else {
		t.Log(got)
	}
}

func checkAgent(t *testing.T, m *vm.Machine) {
	var out, errs bytes.Buffer
	exit, err := m.Exec(t.Context(), agent.Command{
		Argv: []string{"sh", "-c", "cat; echo $WORD >&2; exit 5"}, Env: []string{"WORD=hello"},
		Stdin: strings.NewReader("input"), Stdout: &out, Stderr: &errs,
	})
	check(t, err)
	if exit.Code != 5 || out.String() != "input" || errs.String() != "hello\n" {
		t.Errorf("exit %+v, output %q, errors %q", exit, &out, &errs)
	}
	exit, err = m.Exec(t.Context(), agent.Command{
		Argv: []string{"sleep", "1000"}, Stdin: neverEnding{}, Timeout: 300 * time.Millisecond,
	})
	if err != nil || !exit.TimedOut || exit.Signal == 0 {
		t.Errorf("exit %+v, error %v", exit, err)
	}
	// A command that ends without its input: the host's reader blocks for ever.
	r, w := newBlocked()
	defer w()
	exit, err = m.Exec(deadline(t, 20*time.Second), agent.Command{Argv: []string{"echo", "done"}, Stdin: r})
	if err != nil || exit.Code != 0 {
		t.Errorf("exit %+v, error %v", exit, err)
	}
	if _, err := m.Exec(t.Context(), agent.Command{Argv: []string{"/no/such"}}); err == nil {
		t.Error("a program that is not there was run")
	}
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<18) // 4 MiB
	began := time.Now()
	check(t, m.Agent().Put(t.Context(), "/tmp/big", 0o640, bytes.NewReader(big)))
	put := time.Since(began)
	out.Reset()
	mode, err := m.Agent().Get(t.Context(), "/tmp/big", &out)
	check(t, err)
	if mode != 0o640 || !bytes.Equal(out.Bytes(), big) {
		t.Errorf("mode %v, %d bytes of %d", mode, out.Len(), len(big))
	}
	t.Logf("4 MiB: there in %v, back in %v", put, time.Since(began)-put)
}

type neverEnding struct{}

func (neverEnding) Read(p []byte) (int, error) { time.Sleep(time.Millisecond); return len(p), nil }

type blocked struct{ ch chan struct{} }

func newBlocked() (blocked, func()) {
	b := blocked{make(chan struct{})}
	return b, func() { close(b.ch) }
}

func (b blocked) Read([]byte) (int, error) { <-b.ch; return 0, os.ErrClosed }

// TestFailuresAreToldAndRebooted boots what cannot be booted: the console says
// why, and the machine resets by itself.
func TestFailuresAreToldAndRebooted(t *testing.T) {
	testkit.Integration(t)
	k := testkit.NeedKernel(t)
	init := buildInit(t)
	disk := testDisk{
		nodes: []testNode{{id: "1"}},
		deploys: map[string]string{
			"1": `{"etc": "etc.0"}`,
			"2": `{"etc": "../../x"}`,
			"3": `{"etc": "etc.0"}`,
		},
		init: init,
	}.partition(t)
	initrd := filepath.Join(t.TempDir(), "initrd")
	check(t, os.WriteFile(initrd, makeInitrd(t, k, init), 0o600))
	for name, c := range map[string]struct {
		options, says string
		bus           vm.Bus
	}{
		"no such deployment": {nodeOptions("1", "9"), "deployment 9 is not on this file system", vm.NVMe},
		"no such node":       {nodeOptions("8", "3"), "the node is not on sda", vm.SCSI},
		"hostile record":     {nodeOptions("1", "2"), `names "../../x" as its /etc`, vm.Virtio},
		"no such init":       {nodeOptions("1", "1") + " init=/sbin/none", "start the node's init", vm.Virtio},
		"no such root": {strings.Replace(nodeOptions("1", "1"), testUUID, "0000", 1) + " rastos.timeout=1",
			"root=UUID=0000 is not there after 1s; block devices: nvme0n1", vm.NVMe},
	} {
		t.Run(name, func(t *testing.T) {
			m := testkit.StartVM(t, vm.Config{
				Kernel: k.Image, Initrd: initrd, Append: c.options + " quiet",
				Disks: []vm.Disk{{Path: disk, Volatile: true, Bus: c.bus}}, Memory: 512, NoReboot: true,
			})
			check(t, m.Wait(deadline(t, 2*time.Minute)))
			if m.ShutdownReason() != "guest-reset" || !strings.Contains(m.SerialText(), "rastos-init: this boot failed: ") {
				t.Errorf("the machine ended by %s", m.ShutdownReason())
			}
			if !strings.Contains(m.SerialText(), c.says) {
				t.Errorf("the console does not say %q", c.says)
			}
		})
	}
	// What could be kept is there for the next system to tell.
	withTop(t, disk, func(top string) {
		for number, want := range map[string]string{"1": "start the node's init: exec: exec /sbin/none", "2": "names", "3": "the node is not on sda"} {
			text, err := os.ReadFile(filepath.Join(top, "@rastos/deploy", number, failureFile))
			if err != nil || !strings.Contains(string(text), want) {
				t.Errorf("deployment %s: %q, error %v", number, text, err)
			}
		}
	})
}
