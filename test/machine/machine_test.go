// SPDX-License-Identifier: GPL-3.0-or-later

package machine

import (
	"cmp"
	"context"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rastos/rastos/internal/flow"
	"github.com/rastos/rastos/internal/testkit"
	"github.com/rastos/rastos/internal/testkit/lab"
)

// life is a machine's life, told in tests that follow each other.
type life struct {
	*testing.T
	*lab.Lab
	ctx context.Context
}

// chapter runs one part; what comes after a part that failed is left out.
func (l *life) chapter(name string, do func(l *life)) {
	l.T.Helper()
	ok := l.T.Run(name, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(l.ctx, 15*time.Minute)
		defer cancel()
		do(&life{t, l.Lab, ctx})
	})
	if !ok {
		l.T.FailNow()
	}
}

func (l *life) must(err error) {
	l.T.Helper()
	if err != nil {
		l.T.Fatal(err)
	}
}

func (l *life) guest(argv ...string) string {
	l.T.Helper()
	out, err := l.Guest(l.ctx, argv...)
	l.must(err)
	return strings.TrimSpace(out)
}

func (l *life) sh(script string) string {
	l.T.Helper()
	return l.guest("/bin/sh", "-c", script)
}

// want compares what a command of the guest says.
func (l *life) want(want string, argv ...string) {
	l.T.Helper()
	if got := l.guest(argv...); got != want {
		l.T.Errorf("%s: got %q, want %q", strings.Join(argv, " "), got, want)
	}
}

// good waits until the machine runs this deployment and has found it good.
func (l *life) good(deployment int) flow.Status {
	l.T.Helper()
	st, err := l.Settle(l.ctx, func(st flow.Status) bool { return st.Booted.Number == deployment })
	l.must(err)
	return st
}

func (l *life) upgrade(h lab.Hello) {
	l.T.Helper()
	l.must(l.Publish(l.ctx, h))
	l.guest("rastos", "upgrade", "--yes")
}

func newLife(t *testing.T, more lab.Config) *life {
	testkit.Integration(t)
	testkit.NeedRoot(t)
	testkit.NeedKernelFS(t, "btrfs")
	testkit.NeedOVMF(t)
	base, name := testkit.NeedRepo(t)
	binary := testkit.NeedBinary(t)
	ctx := t.Context()
	l, err := lab.New(ctx, lab.Config{
		Dir: t.TempDir(), Rastos: binary, Base: base, BaseDB: name, Log: testkit.LogWriter(t),
		List: lab.Packages(), Host: testkit.VMHost(t), Formats: []string{cmp.Or(strings.Join(more.Formats, ""), "qcow2")},
		Tries: more.Tries, Cmdline: more.Cmdline,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() && l.Machine != nil {
			t.Logf("its console:\n%s", l.Machine.SerialText())
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return &life{t, l, ctx}
}

// One machine: built, booted, upgraded, broken in two ways, fallen back by
// itself each time, rolled back.
func TestLifeOfAMachine(t *testing.T) {
	l := newLife(t, lab.Config{})
	l.chapter("build and boot", (*life).buildAndBoot)
	l.chapter("what runs is what the design says", (*life).layout)
	l.chapter("an upgrade is another node", (*life).goodUpgrade)
	l.chapter("a sick one falls back by itself", (*life).sickUpgrade)
	l.chapter("one that cannot boot falls back by itself", (*life).fatalUpgrade)
	l.chapter("rollback", (*life).rollback)
	l.chapter("power off", (*life).powerOff)
}

// Another machine's packages, one by one.
func TestPackagesOfAMachine(t *testing.T) {
	l := newLife(t, lab.Config{})
	l.chapter("build and boot", (*life).buildAndBoot)
	l.chapter("everyone may look at packages", (*life).lookAtPackages)
	l.chapter("a change that is applied at once", (*life).changeAtOnce)
	l.chapter("another change, taken back", (*life).changeAndUndo)
	l.chapter("a kill while a change is applied", (*life).killedAtOnce)
	l.chapter("what cannot be applied at once waits", (*life).changeOfInit)
	l.chapter("power off", (*life).powerOff)
}

func TestTreeOfAMachine(t *testing.T) {
	l := newLife(t, lab.Config{})
	l.chapter("build and boot", (*life).buildAndBoot)
	l.chapter("a tree that is shaped by hand", (*life).tree)
	l.chapter("power off", (*life).powerOff)
}

func (l *life) powerOff() { l.must(l.Machine.Shutdown(l.ctx)) }

func (l *life) buildAndBoot() {
	l.must(l.BuildImage(l.ctx))
	l.must(l.Boot(l.ctx))
	st := l.good(1)
	if st.Booted.Node != 1 || st.Fallback != "" || st.Next != 1 {
		l.T.Errorf("status %+v", st)
	}
	if st.Booted.Entry.Counted {
		l.T.Errorf("the boot entry of a good deployment still counts: %+v", st.Booted.Entry)
	}
	l.want("1", "cat", "/run/hello")
	l.want("atlas", "cat", "/proc/sys/kernel/hostname")
}

func (l *life) layout() {
	l.want("btrfs ro", "/bin/sh", "-c", "findmnt -no FSTYPE,OPTIONS / | sed 's/,.*//; s/  */ /'")
	l.want("/@rastos/deploy/1/etc.0", "findmnt", "-no", "FSROOT", "/etc")
	l.want("/@var", "findmnt", "-no", "FSROOT", "/var")
	l.want("vfat", "findmnt", "-no", "FSTYPE", "/efi")
	l.want("../../../usr/lib/rastos/pacman/local", "readlink", "/var/lib/pacman/local")
	l.want("no", "systemctl", "show", "etc.mount", "-p", "DefaultDependencies", "--value")
	l.want("enabled", "systemctl", "is-enabled", "hello.service")
	if out, err := l.Guest(l.ctx, "touch", "/usr/x"); err == nil {
		l.T.Errorf("the node is writable: %s", out)
	}
	// Real pacman reads the database, finds it whole and every file as it should be.
	l.guest("pacman", "-Dk")
	l.pacmanIsContent()
	l.want("hello 1-1", "pacman", "-Q", "hello")
	if id := l.guest("cat", "/etc/machine-id"); len(id) != 32 {
		l.T.Errorf("machine-id %q", id)
	}
	l.sh("ls /etc/ssh/ssh_host_ed25519_key >/dev/null")
	l.want("anna", "/bin/sh", "-c", "id -un anna; test -d /home/anna && stat -c %U /home/anna | grep -qx anna")
}

// pacmanIsContent asks real pacman for every file that is not as its package
// has it. The manifest's own files, and what belongs to this machine alone, may
// differ.
func (l *life) pacmanIsContent() {
	l.T.Helper()
	may := regexp.MustCompile(`/etc/(passwd|group|shadow|gshadow|subuid|subgid|fstab|hosts|hostname|resolv\.conf|pacman\.conf|machine-id|locale\.conf|localtime|hello\.conf)|/(tmp|run|proc|sys|dev|var|efi|root|home|srv|usr/local|boot|mnt)\b|^(warning: )?[^/]*$`)
	for line := range strings.Lines(l.sh("LC_ALL=C pacman -Qkkq 2>&1 | grep -v '0 altered files' || true")) {
		if line = strings.TrimSpace(line); line != "" && !may.MatchString(line) {
			l.T.Errorf("pacman -Qkk: %s", line)
		}
	}
}

func (l *life) goodUpgrade() {
	l.sh("sed -i s/greeting=hello/greeting=mine/ /etc/hello.conf && echo before > /etc/own.conf")
	out := l.sh("echo n > /tmp/x; rastos upgrade --dry-run")
	if !strings.Contains(out, "up to date") {
		l.T.Errorf("an upgrade without news says %q", out)
	}
	id, key := l.guest("cat", "/etc/machine-id"), l.guest("sha256sum", "/etc/ssh/ssh_host_ed25519_key")
	l.upgrade(lab.Hello{Version: "2"})
	st, err := l.Status(l.ctx)
	l.must(err)
	if st.Booted.Number != 1 || st.Next != 2 || st.Deployments[0].Shown != "armed" || st.Deployments[0].Entry.Left != 3 {
		l.T.Errorf("after staging: %+v", st)
	}
	l.want("1", "cat", "/run/hello")
	l.want("hello 1-1", "pacman", "-Q", "hello")
	// Too late for the merge when staging: the fold at shutdown carries it.
	l.sh("echo late > /etc/own.conf")
	l.must(l.Reboot(l.ctx))
	st = l.good(2)
	if st.Booted.Node != 2 || st.Booted.NodeInfo.Parent != 1 {
		l.T.Errorf("status %+v", st.Booted)
	}
	l.want("2", "cat", "/run/hello")
	l.want("hello 2-1", "pacman", "-Q", "hello")
	l.guest("pacman", "-Dk")
	l.want("greeting=mine\n# the version is the package's\nversion=2", "cat", "/etc/hello.conf")
	l.want("late", "cat", "/etc/own.conf")
	l.want(id, "cat", "/etc/machine-id")
	l.want(key, "sha256sum", "/etc/ssh/ssh_host_ed25519_key")
}

// fellBack waits until the machine has given a deployment up.
func (l *life) fellBack(bad int, why string) {
	l.T.Helper()
	st, err := l.Settle(l.ctx, func(st flow.Status) bool { return st.Fallback != "" && st.Deployments[0].Number == bad })
	l.must(err)
	d := st.Deployments[0]
	if st.Booted.Number != 2 || d.State != "bad" || d.Entry.Left != 0 || d.Entry.Done != 3 {
		l.T.Errorf("booted %d; deployment %d is %s with entry %+v", st.Booted.Number, d.Number, d.State, d.Entry)
	}
	if !strings.Contains(d.Why, why) || !strings.Contains(st.Fallback, why) {
		l.T.Errorf("the reason is %q, want one with %q", d.Why, why)
	}
	// The status judges at once; the notice comes when this boot is complete.
	notice := l.sh("for i in $(seq 120); do test -f /run/motd.d/rastos && break; sleep 1; done; cat /run/motd.d/rastos")
	if !strings.Contains(notice, why) {
		l.T.Errorf("the login notice says %q", notice)
	}
	l.want("2", "cat", "/run/hello")
}

func (l *life) sickUpgrade() {
	l.upgrade(lab.Hello{Version: "3", Sick: true})
	l.must(l.Reboot(l.ctx))
	l.fellBack(3, "health check hello")
}

func (l *life) fatalUpgrade() {
	l.upgrade(lab.Hello{Version: "4", Fatal: true})
	l.must(l.Reboot(l.ctx))
	l.fellBack(4, "init")
}

func (l *life) rollback() {
	l.guest("rastos", "rollback", "--to", "1", "--yes")
	l.must(l.Reboot(l.ctx))
	st := l.good(5)
	if st.Booted.Node != 1 {
		l.T.Errorf("deployment 5 runs node %d", st.Booted.Node)
	}
	l.want("1", "cat", "/run/hello")
	l.want("late", "cat", "/etc/own.conf")
	tree := l.guest("rastos", "snapshot", "tree")
	for _, want := range []string{"[1 good]", "[5 good]", "[3 bad]", "hello 2-1"} {
		if !strings.Contains(tree, want) {
			l.T.Errorf("the tree lacks %q:\n%s", want, tree)
		}
	}
}
