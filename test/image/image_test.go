// SPDX-License-Identifier: GPL-3.0-or-later

package image_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rastos/rastos/internal/host/loop"
	"github.com/rastos/rastos/internal/testkit"
)

const annasKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE6ByBxLpS1LSsCqUBr1jcGLlfmxhI0SpAWODLOxmbdl anna@home"

// fullManifest uses what a manifest can say.
const fullManifest = `swap = "64M"

[[user]]
name = "anna"
comment = "Anna Nass"
uid = 1234
groups = ["wheel", "systemd-journal"]
ssh_keys = ["` + annasKey + `"]
password_hash = "$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/"

[[user]]
name = "root"
ssh_keys = ["` + annasKey + `"]

[network]
nameservers = ["192.0.2.53"]
search = ["example.org"]

[[network.link]]
name = "eth0"
addresses = ["192.0.2.10/24"]
gateways = ["192.0.2.1"]

[[service]]
name = "ssh"
enable = true

[[service]]
name = "systemd-timesyncd"
disable = true

[[service]]
name = "greet"
description = "Greet"
command = "/bin/echo hello"
type = "oneshot"

[kernel]
cmdline = ["console=ttyS0"]
`

// built is an image with its parts at hand.
type built struct {
	*world
	raw, qcow2 string
	esp        string // the EFI system partition as a file
	system     string // block device, read-only
	top        string // its top level, mounted read-only
	node       string // root of the node
	key        string // the repository's, as the manifest names it
}

// buildAll builds an image with everything in it. The first mirror is dead.
func buildAll(t *testing.T) *built {
	t.Helper()
	w := newWorld(t)
	w.system()
	w.packages = append(w.packages, "openssh-server", "pacman-package-manager", "systemd-timesyncd")
	w.formats = []string{"raw", "qcow2"}
	w.settings = "timezone = \"Europe/Berlin\"\nlocale = \"C.UTF-8\"\n"
	w.extra = fullManifest
	w.repos[0].servers = append([]string{"http://127.0.0.1:1/dead"}, w.repos[0].servers...)
	key, err := os.ReadFile(w.repos[0].key)
	w.must(err)
	w.write("repo.pub", string(key))
	w.repos[0].key = "repo.pub" // relative: nothing in the manifest names this machine
	o := w.ok("--json")
	if !strings.Contains(o.stdout, "127.0.0.1:1") {
		t.Errorf("no word of the dead mirror:\n%s", o.stdout)
	}
	return &built{world: w, raw: w.path("out", "atlas.raw"), qcow2: w.path("out", "atlas.qcow2"), key: string(key)}
}

// run runs a peer that must be content.
func (b *built) run(argv ...string) string {
	b.t.Helper()
	cmd := exec.Command(testkit.NeedTool(b.t, argv[0]), argv[1:]...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	if err != nil {
		b.t.Errorf("%v: %v\n%s", argv, err, out)
	}
	return string(out)
}

// partition reads the place of a partition from sgdisk.
func (b *built) partition(n int) (start, size int64) {
	b.t.Helper()
	var first, last int64
	for line := range strings.Lines(b.run("sgdisk", "--info", strconv.Itoa(n), b.raw)) {
		fields := strings.Fields(line)
		if len(fields) < 3 || fields[1] != "sector:" {
			continue
		}
		sector, err := strconv.ParseInt(fields[2], 10, 64)
		b.must(err)
		if fields[0] == "First" {
			first = sector
		} else {
			last = sector
		}
	}
	return first * 512, (last - first + 1) * 512
}

// open takes the image apart.
func (b *built) open() {
	b.t.Helper()
	start, size := b.partition(1)
	b.esp = b.path("esp.img")
	b.run("dd", "status=none", "if="+b.raw, "of="+b.esp, "bs=1M", "iflag=skip_bytes,count_bytes",
		"skip="+strconv.FormatInt(start, 10), "count="+strconv.FormatInt(size, 10))
	start, size = b.partition(2)
	dev, err := loop.AttachWith(b.raw, start, size, loop.Options{ReadOnly: true})
	b.must(err)
	b.t.Cleanup(func() { b.must(dev.Detach()) })
	b.system, b.top = dev.Path, b.path("top")
	b.must(os.Mkdir(b.top, 0o755))
	b.run("btrfs", "check", "--readonly", b.system)
	b.mountAt(b.top, "-o", "ro,subvolid=5", b.system)
	b.node = filepath.Join(b.top, "@rastos/nodes/1/root")
}

// text reads a file of the image.
func (b *built) text(path string) string {
	b.t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		b.t.Error(err)
	}
	return string(data)
}

func TestImage(t *testing.T) {
	b := buildAll(t)
	t.Run("partitions", func(t *testing.T) { b.as(t).partitions() })
	b.open()
	t.Run("boot partition", func(t *testing.T) { b.as(t).bootPartition() })
	t.Run("subvolumes", func(t *testing.T) { b.as(t).subvolumes() })
	t.Run("records", func(t *testing.T) { b.as(t).records() })
	t.Run("pacman", func(t *testing.T) { b.as(t).pacman() })
	t.Run("keyring", func(t *testing.T) { b.as(t).keyring() })
	t.Run("modes", func(t *testing.T) { b.as(t).modes() })
	t.Run("identity", func(t *testing.T) { b.as(t).identity() })
	t.Run("users", func(t *testing.T) { b.as(t).users() })
	t.Run("settings", func(t *testing.T) { b.as(t).applied() })
	t.Run("services", func(t *testing.T) { b.as(t).services() })
	t.Run("leaks", func(t *testing.T) { b.as(t).leaks() })
}

// as is the same image, with failures told to a part of the test.
func (b *built) as(t *testing.T) *built {
	w, c := *b.world, *b
	w.t = t
	c.world = &w
	return &c
}

func (b *built) partitions() {
	if out := b.run("sgdisk", "--verify", b.raw); !strings.Contains(out, "No problems found") {
		b.t.Errorf("sgdisk: %s", out)
	}
	if out := b.run("sgdisk", "--print", b.raw); !strings.Contains(out, " EF00 ") || !strings.Contains(out, " 8304 ") {
		b.t.Errorf("sgdisk: %s", out)
	}
	b.run("qemu-img", "check", "-f", "qcow2", b.qcow2)
	if out := b.run("qemu-img", "compare", "-f", "raw", "-F", "qcow2", b.raw, b.qcow2); !strings.Contains(out, "Images are identical") {
		b.t.Errorf("qemu-img compare: %s", out)
	}
	if left, _ := filepath.Glob(b.path("out", "*")); len(left) != 2 {
		b.t.Errorf("beside the images there are %v", left)
	}
	if left, _ := filepath.Glob(b.path("work", "*")); len(left) != 0 {
		b.t.Errorf("the working folder holds %v", left)
	}
}
