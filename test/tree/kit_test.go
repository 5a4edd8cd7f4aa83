// SPDX-License-Identifier: GPL-3.0-or-later

// Package tree_test shapes trees of nodes on a real btrfs file system, by the
// command line of the built rastos. The machine that it runs on is made of mounts:
// a root of its own in which the top level, the ESP, /etc and the kernel's command
// line are where a booted rastOS has them.
package tree_test

import (
	"archive/tar"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/pkgfile"
	"github.com/rastos/rastos/alpm/repo"
	"github.com/rastos/rastos/btrfs"
	"github.com/rastos/rastos/internal/account"
	"github.com/rastos/rastos/internal/boot"
	"github.com/rastos/rastos/internal/deploy"
	"github.com/rastos/rastos/internal/disk"
	"github.com/rastos/rastos/internal/host/fsroot"
	"github.com/rastos/rastos/internal/node"
	"github.com/rastos/rastos/internal/testkit"
)

// machine is a rastOS with one node, which runs as deployment 1.
type machine struct {
	t                          *testing.T
	binary, dir, top, esp, srv string
	nodes                      *node.Store
	deploys                    *deploy.Store
	booted                     int // the deployment that runs
	keep                       int // deployments and nodes that its manifest keeps
}

func (m *machine) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	needMachine(t)
	esp := filepath.Join(t.TempDir(), "esp")
	if err := os.Mkdir(esp, 0o755); err != nil {
		t.Fatal(err)
	}
	return newMachineOn(t, testkit.BtrfsDisk(t, 512), esp, 2)
}

func needMachine(t *testing.T) {
	t.Helper()
	testkit.Integration(t)
	for _, tool := range []string{"unshare", "chroot", "busybox", "btrfs", "findmnt"} {
		testkit.NeedTool(t, tool)
	}
}

// newMachineOn makes one whose top level and ESP are mounted somewhere.
func newMachineOn(t *testing.T, top, esp string, keep int) *machine {
	t.Helper()
	m := &machine{t: t, binary: testkit.NeedBinary(t), dir: t.TempDir(), top: top, esp: esp, booted: 1, keep: keep}
	m.srv = filepath.Join(m.dir, "srv")
	for _, d := range []string{m.srv, filepath.Join(m.dir, "machine")} {
		m.must(os.Mkdir(d, 0o755))
	}
	box, err := os.ReadFile(testkit.NeedTool(t, "busybox"))
	m.must(err)
	files := map[string]string{"usr/bin/busybox": string(box), "bin": "-> usr/bin", "etc/hosts": "127.0.0.1 localhost\n\n# more\n",
		"etc/passwd": "root:x:0:0::/root:/bin/sh\n", "etc/group": "root:x:0:\n", "etc/shadow": "root:!:19000::::::\n", "etc/gshadow": "root:!::\n"}
	for _, applet := range strings.Fields("sh cat echo rm mkdir sleep hostname sed grep touch id") {
		files["usr/bin/"+applet] = "-> busybox"
	}
	m.publish("base", "1-1", files)
	m.publish("linux", "6-1", map[string]string{
		"usr/lib/modules/6/vmlinuz": "kernel 6", "usr/lib/modules/6/pkgbase": "linux\n", "usr/lib/modules/6/modules.dep": "#",
		"usr/lib/modules/6/modules.builtin": "kernel/fs/btrfs/btrfs.ko\n",
	})
	unit := "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n"
	m.publish("rastos", "1-1", map[string]string{"usr/lib/rastos/rastos-init": "init", "etc/systemd/system/.keep": "",
		"usr/lib/systemd/system/rastos-complete.service": unit, "usr/lib/systemd/system/rastos-fold.service": unit})
	m.publish("tool", "1-1", nil)
	m.firstNode()
	return m
}

// publish makes a package and puts it into the repository.
func (m *machine) publish(name, version string, files map[string]string) {
	m.t.Helper()
	p := &desc.Package{Name: name, Base: name, Version: version, Arch: "any", Description: "For a test", Packager: "test"}
	if name == "base" {
		for _, f := range []string{"passwd", "group", "shadow", "gshadow"} {
			p.Backup = append(p.Backup, desc.Backup{Path: "etc/" + f})
		}
	}
	path := filepath.Join(m.srv, name+"-"+version+"-any.pkg.tar.zst")
	out, err := os.Create(path)
	m.must(err)
	defer out.Close()
	w, err := pkgfile.NewWriter(out, p, pkgfile.WriterOptions{Fast: true, Epoch: time.Unix(1700000000, 0)})
	m.must(err)
	all := map[string]string{"usr/share/" + name + "/version": version + "\n"}
	for n, text := range files {
		all[n] = text
	}
	for n, text := range all {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: n, Mode: 0o644, Size: int64(len(text))}
		if target, ok := strings.CutPrefix(text, "-> "); ok {
			h.Typeflag, h.Linkname, h.Mode, h.Size, text = tar.TypeSymlink, target, 0o777, 0, ""
		} else if strings.HasPrefix(n, "usr/bin/") {
			h.Mode = 0o755
		}
		m.must(w.Add(h, strings.NewReader(text)))
	}
	m.must(w.Close())
	db := filepath.Join(m.srv, "core.db.tar.gz")
	_, err = repo.Add(m.t.Context(), db, []string{path}, repo.Options{})
	m.must(err)
	later := time.Now().Add(time.Duration(len(m.entries(m.srv))) * time.Minute)
	m.must(os.Chtimes(db, later, later)) // its time is all that is asked for
}

func (m *machine) entries(dir string) []string {
	m.t.Helper()
	list, err := os.ReadDir(dir)
	m.must(err)
	var out []string
	for _, e := range list {
		out = append(out, e.Name())
	}
	return out
}

// subvolumes is btrfs as stores need it.
type subvolumes struct{}

func (subvolumes) Create(path string) error                { return btrfs.Create(path) }
func (subvolumes) Snapshot(src, dst string, ro bool) error { return btrfs.Snapshot(src, dst, ro) }
func (subvolumes) Delete(path string) error                { return btrfs.Delete(path) }
func (subvolumes) Sync(path string) error                  { return btrfs.SyncFS(path) }
func (subvolumes) IsSubvolume(path string) (bool, error)   { return btrfs.IsSubvolume(path) }
func (subvolumes) Below(path string) ([]string, error)     { return btrfs.Below(path) }
func (subvolumes) Generation(path string) (uint64, error) {
	i, err := btrfs.Info(path)
	return i.Generation, err
}

// open opens the stores of the top level, until close is called.
func (m *machine) open() (close func()) {
	m.t.Helper()
	files, err := fsroot.Open(m.top)
	m.must(err)
	m.nodes = &node.Store{Top: m.top, Files: files, Subvols: subvolumes{}, Now: time.Now,
		NewUUID: func() (string, error) { id, err := uuid.NewRandom(); return id.String(), err }}
	m.deploys = &deploy.Store{Nodes: m.nodes, Subvols: subvolumes{}, Keyed: account.MergeFile,
		Open: func(dir string) (deploy.Dir, error) { return fsroot.Open(dir) }}
	return func() { _ = files.Close() }
}

// firstNode seals a node with all packages, deploys it and calls it good.
func (m *machine) firstNode() {
	m.t.Helper()
	m.t.Cleanup(m.open())
	m.must(m.nodes.Init())
	for _, v := range strings.Fields("@var @log @cache @containers @home @root @srv @local") {
		m.must(btrfs.Create(filepath.Join(m.top, v)))
	}
	work, err := m.nodes.Begin(0, "test")
	m.must(err)
	for _, d := range []string{"etc/rastos", "usr/lib/rastos/pacman/local", "var/lib/pacman"} {
		m.must(os.MkdirAll(filepath.Join(work.Root(), d), 0o755))
	}
	m.must(os.Symlink("../../../usr/lib/rastos/pacman/local", filepath.Join(work.Root(), "var/lib/pacman/local")))
	m.must(os.WriteFile(filepath.Join(work.Root(), "etc/rastos/rastos.toml"), []byte(m.manifest("atlas", "base", "linux", "tool")), 0o644))
	install := exec.Command(m.binary, "pkg", "install", "base", "linux", "tool", "rastos", "--sync", "--yes", "--root", work.Root())
	install.Env = append(os.Environ(), "RASTOS_CONFIG=/dev/null", "RASTOS_CACHE_DIR="+filepath.Join(m.dir, "cache"))
	if out, err := install.CombinedOutput(); err != nil {
		m.t.Fatalf("%v: %s", err, out)
	}
	for _, d := range strings.Fields("proc sys dev run tmp efi var/log var/cache var/lib/containers home root srv usr/local") {
		m.must(os.MkdirAll(filepath.Join(work.Root(), d), 0o755))
	}
	n, err := work.Seal(node.Node{Reason: "first", Kernel: "6", Count: 4, Owned: true})
	m.must(err)
	d, err := m.deploys.Create(deploy.Request{Node: n, Reason: "first"})
	m.must(err)
	m.bootEntry(d)
	if out, err := exec.Command("cp", "-a", filepath.Join(m.nodes.Root(1), "var")+"/.", filepath.Join(m.top, "@var")).CombinedOutput(); err != nil {
		m.t.Fatalf("%v: %s", err, out)
	}
}

// manifest is the machine's, with what it declares.
func (m *machine) manifest(hostname string, packages ...string) string {
	return fmt.Sprintf(`[system]
hostname = %q
[packages]
official = ["%s"]
[[repository]]
name = "core"
servers = ["file://%s"]
siglevel = "never"
[snapshots]
keep.last = %d
`, hostname, strings.Join(packages, `", "`), m.srv, m.keep)
}

func (m *machine) openESP() (esp boot.ESP, close func()) {
	m.t.Helper()
	dir, err := fsroot.Open(m.esp)
	m.must(err)
	return disk.NewDirESP(dir, func() (int64, error) { return 1 << 30, nil }), func() { _ = dir.Close() }
}

func (m *machine) bootEntry(d deploy.Deployment) {
	m.t.Helper()
	esp, done := m.openESP()
	defer done()
	m.must(esp.MkdirAll(boot.EntriesDir))
	var err error
	d.Kernel, err = boot.PutBlob(esp, boot.Linux, []byte("kernel 6"))
	m.must(err)
	d.Initrd, err = boot.PutBlob(esp, boot.Initrd, []byte("initrd"))
	m.must(err)
	d.State, d.Options, d.Title = deploy.Good, "ro rastos.deploy=1", "first"
	m.must(boot.WriteEntry(esp, boot.Entry{Title: "first", SortKey: "rastos", Version: "1", Linux: boot.BlobPath(d.Kernel, boot.Linux),
		Initrd: []string{boot.BlobPath(d.Initrd, boot.Initrd)}, Options: d.Options}, d.EntryName(), 3))
	m.must(boot.Bless(esp, d.EntryName()))
	m.must(m.deploys.Put(d))
}

// enter is the script that makes the machine's root of mounts; what it mounts goes
// with it.
const enter = `set -e
mount --make-rprivate /
R=$1/machine; T=$2; B=$3; S=$1; E=$4; N=$5; C=$6; shift 6
mount -t tmpfs machine $R
for d in usr lib lib64 bin sbin; do
	if [ -L /$d ]; then cp -a /$d $R/$d
	elif [ -d /$d ]; then mkdir $R/$d; mount --rbind /$d $R/$d; fi
done
mkdir -p $R/proc $R/sys $R/dev $R/tmp $R/run/rastos/top $R/etc $R/efi $R/var $R$S
for d in proc sys dev; do mount --rbind /$d $R/$d; done
mount --bind $T $R/run/rastos/top
mount --bind $T/@rastos/deploy/$N/$C $R/etc
mount --bind $T/@var $R/var
mount --bind $T/@cache $R/var/cache
mount --bind $S $R$S
mount --bind $E $R/efi
echo "quiet rastos.deploy=$N" > $R/tmp/cmdline
mount --bind $R/tmp/cmdline $R/proc/cmdline
mkdir $R/tmp/bin
printf '#!/bin/sh\necho running\n' > $R/tmp/bin/systemctl
chmod 755 $R/tmp/bin/systemctl
PATH=/tmp/bin:$PATH
: > $R/tmp/rastos
mount --bind $B $R/tmp/rastos
`

// once runs the program; measured runs it for each line of its input, and says how
// many nanoseconds that took, with its exit code.
const (
	once     = `exec chroot $R /tmp/rastos "$@"`
	measured = `while read -r line; do
	s=$(date +%s%N)
	chroot $R /tmp/rastos $line > /dev/null 2>&1 && e=0 || e=$?
	echo $(($(date +%s%N) - s)) $e
done`
)

func (m *machine) command(ctx context.Context, args ...string) *exec.Cmd {
	return m.inside(ctx, once, args...)
}

// inside runs a script where the machine's root is.
func (m *machine) inside(ctx context.Context, script string, args ...string) *exec.Cmd {
	m.t.Helper()
	d, err := m.deploys.Get(m.booted)
	m.must(err)
	cmd := exec.CommandContext(ctx, "unshare", append([]string{"--mount", "sh", "-c", enter + script, "enter",
		m.dir, m.top, m.binary, m.esp, fmt.Sprint(m.booted), d.Etc}, args...)...)
	cmd.Env = append(os.Environ(), "RASTOS_CONFIG=/dev/null")
	return cmd
}

// run runs the machine's rastos.
func (m *machine) run(args ...string) (string, int) {
	m.t.Helper()
	cmd := m.command(m.t.Context(), args...)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		m.t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

func (m *machine) ok(args ...string) string {
	m.t.Helper()
	out, code := m.run(args...)
	if code != 0 {
		m.t.Fatalf("rastos %v: exit code %d\n%s", args, code, out)
	}
	return out
}

// refused checks that a verb ends with a code and says why.
func (m *machine) refused(code int, why string, args ...string) {
	m.t.Helper()
	if out, got := m.run(args...); got != code || !strings.Contains(out, why) {
		m.t.Errorf("rastos %v: exit code %d, want %d and %q:\n%s", args, got, code, why, out)
	}
}

// shape is the tree of nodes as "number(parent)".
func (m *machine) shape() string {
	m.t.Helper()
	list, err := m.nodes.List()
	m.must(err)
	var out []string
	for _, n := range list {
		out = append(out, fmt.Sprintf("%d(%d)", n.Number, n.Parent))
	}
	return strings.Join(out, " ")
}

func (m *machine) wantShape(want string) {
	m.t.Helper()
	if got := m.shape(); got != want {
		m.t.Errorf("the tree is %s, want %s", got, want)
	}
}

// file is what a node has under a name, "" where it has nothing.
func (m *machine) file(number int, name string) string {
	data, _ := os.ReadFile(filepath.Join(m.nodes.Root(number), name))
	return string(data)
}

func (m *machine) want(number int, name, text string) {
	m.t.Helper()
	if got := m.file(number, name); got != text {
		m.t.Errorf("node %d has %q in %s, want %q", number, got, name, text)
	}
}

// sound checks that every node is one sealed subvolume, that nothing else is left
// of any work, and that btrfs finds nothing wrong.
func (m *machine) sound() {
	m.t.Helper()
	if work := m.entries(filepath.Join(m.top, "@rastos/work")); len(work) != 0 {
		m.t.Errorf("work is left: %v", work)
	}
	list, err := btrfs.List(m.top)
	m.must(err)
	var subs []string
	for _, s := range list {
		if strings.HasPrefix(s.Path, "@rastos/nodes/") {
			subs = append(subs, s.Path)
			if !s.ReadOnly {
				m.t.Errorf("%s is writable", s.Path)
			}
		}
	}
	nodes, err := m.nodes.List()
	m.must(err)
	if len(nodes) != len(subs) || len(nodes) != len(m.entries(filepath.Join(m.top, "@rastos/nodes"))) {
		m.t.Errorf("%d nodes in %d folders with %v", len(nodes), len(m.entries(filepath.Join(m.top, "@rastos/nodes"))), subs)
	}
	for _, n := range nodes {
		if m.file(n.Number, "usr/share/base/version") != "1-1\n" {
			m.t.Errorf("node %d is no whole system", n.Number)
		}
	}
	m.must(btrfs.SyncFS(m.top))
	out, err := exec.Command("btrfs", "check", "--readonly", "--force", device(m.t, m.top)).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "no error found") {
		m.t.Errorf("btrfs check: %v\n%s", err, out)
	}
}

// decoded is a verb's answer as JSON, its last line.
func decoded[T any](m *machine, args ...string) (v T) {
	m.t.Helper()
	lines := slices.Collect(strings.Lines(strings.TrimSpace(m.ok(append(args, "--json")...))))
	m.must(json.Unmarshal([]byte(lines[len(lines)-1]), &v))
	return v
}
