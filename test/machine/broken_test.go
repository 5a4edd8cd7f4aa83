// SPDX-License-Identifier: GPL-3.0-or-later

package machine

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/rastos/rastos/internal/flow"
	"github.com/rastos/rastos/internal/testkit/lab"
	"github.com/rastos/rastos/internal/vm"
)

const failing = "[Unit]\nDescription=Fail\nDefaultDependencies=no\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/false\n"

// One machine with everything that can be wrong with an upgrade: it comes up in a
// good system each time, by itself, and tells what happened.
func TestBrokenUpgrades(t *testing.T) {
	l := newLife(t, lab.Config{Tries: 1, Cmdline: []string{"rastos.watchdog=20"}})
	l.chapter("build and boot", (*life).buildAndBoot)
	l.chapter("no room", (*life).noRoom)
	l.chapter("the newest five are all bad", (*life).fiveBad)
	l.chapter("the loader cannot load", (*life).loaderGivesUp)
	l.chapter("a power cut while blessing", (*life).cutWhileBlessing)
	l.chapter("power off", (*life).powerOff)
}

// back waits until the machine runs an old deployment because newer ones are bad.
func (l *life) back(good, newest int) flow.Status {
	l.T.Helper()
	st, err := l.Settle(l.ctx, func(st flow.Status) bool {
		return st.Booted.Number == good && st.Fallback != "" && st.Deployments[0].Number == newest
	})
	l.must(err)
	return st
}

// isBad looks up why a deployment is bad.
func (l *life) isBad(st flow.Status, number int, why string) {
	l.T.Helper()
	for _, d := range st.Deployments {
		if d.Number == number && (d.Shown != "bad" || !strings.Contains(d.Why, why)) {
			l.T.Errorf("deployment %d is %s because of %q, want one with %q", number, d.Shown, d.Why, why)
		}
	}
}

// noRoom: a full ESP and a full disk fail an upgrade and leave the machine as it was.
func (l *life) noRoom() {
	l.must(l.Publish(l.ctx, lab.Hello{Version: "1.1", Upgrade: "head -c 400M /dev/zero > /usr/lib/hello-data"}))
	for file, fill := range map[string]string{
		"/efi/fill": "head -c 1G /dev/zero > /efi/fill 2>/dev/null; test -s /efi/fill",
		"/var/fill": "free=$(df --output=avail -B1M /var | tail -1); fallocate -l $((free - 150))M /var/fill",
	} {
		l.sh(fill + "; sync")
		out, err := l.Guest(l.ctx, "rastos", "upgrade", "--yes")
		var exit *vm.ExitError
		if !errors.As(err, &exit) || exit.Exit.Code != 7 {
			l.T.Errorf("an upgrade with %s: %v\n%s", file, err, out)
		}
		l.sh("rm " + file + "; sync")
		st := l.status()
		if st.Booted.Number != 1 || st.Next != 1 || st.Booted.Shown != "good" || len(st.Deployments) != 1 {
			l.T.Errorf("after %s: booted %d (%s), next %d of %d", file, st.Booted.Number, st.Booted.Shown, st.Next, len(st.Deployments))
		}
		l.guest("pacman", "-Dk")
	}
}

// fiveBad stages five upgrades, each broken in its own way. The newest is tried
// first: each falls back to the one before.
func (l *life) fiveBad() {
	const system = "usr/lib/systemd/system/"
	var staged []int // numbers of failed upgrades are not given again
	for _, h := range []lab.Hello{
		{Version: "2", Files: map[string]string{
			system + "broken.service":           "[Unit]\nBefore=local-fs.target\n" + failing,
			system + "local-fs.target.d/x.conf": "[Unit]\nRequires=broken.service\nAfter=broken.service\n",
		}},
		{Version: "3", Files: map[string]string{
			system + "broken.service":             failing,
			system + "multi-user.target.d/x.conf": "[Unit]\nWants=broken.service\n",
		}},
		{Version: "4", Files: map[string]string{
			"usr/lib/systemd/system-generators/panic": "#!/bin/sh\necho 1 > /proc/sys/kernel/sysrq\necho c > /proc/sysrq-trigger\n",
		}},
		{Version: "5", Upgrade: `sed -i 's/^tries = .*/&\ndeadline = "15s"/' /etc/rastos/rastos.toml`, Files: map[string]string{
			system + "hangs.service":              "[Unit]\nDescription=Hang\n[Service]\nType=oneshot\nExecStart=/bin/sleep infinity\n",
			system + "multi-user.target.d/x.conf": "[Unit]\nWants=hangs.service\n",
		}},
		{Version: "6", Upgrade: "rm -f /usr/lib/systemd/systemd; printf '#!/bin/sh\\nexec sleep infinity\\n' > /usr/lib/systemd/systemd; chmod 755 /usr/lib/systemd/systemd"},
	} {
		l.upgrade(h)
		_, deployment := l.newest()
		staged = append(staged, deployment)
	}
	l.must(l.Reboot(l.ctx))
	st := l.back(1, staged[4])
	for i, why := range []string{"emergency mode: failed: broken.service", "failed services: broken.service", "it panicked or hung", "the start-up did not end in 15s", "it panicked or hung"} {
		l.isBad(st, staged[i], why)
	}
	l.want("1", "cat", "/run/hello")
	l.says(l.guest("rastos", "status"), fmt.Sprintf("this machine fell back: deployment %d ", staged[4]), "the start-up did not end in 15s", "emergency mode: failed: broken.service")
}

// loaderGivesUp: a kernel that is garbage and an initramfs that is gone make the
// loader return to the firmware, which has to start it again.
func (l *life) loaderGivesUp() {
	l.sh("for i in $(seq 120); do test -f /run/motd.d/rastos && break; sleep 1; done")
	l.guest("rastos", "deploy", "1", "--yes")
	l.guest("rastos", "deploy", "1", "--yes")
	_, newest := l.newest()
	l.sh(`cd /efi/loader/entries; set -- $(ls -v rastos-*+1.conf | tail -2)
head -c 5000000 /dev/zero | tr '\0' x > /efi/rastos/garbage
sed -i 's,^linux .*,linux /rastos/garbage,' "$2"
sed -i 's,^initrd .*,initrd /rastos/missing,' "$1"
cat "$1" "$2"; sync`)
	l.must(l.Machine.Reset(l.ctx))
	st := l.back(1, newest)
	l.isBad(st, newest, "the boot loader could not load it")
	l.isBad(st, newest-1, "the boot loader could not load it")
	l.says(l.Machine.SerialText(), `"rastOS (try 2)"`) // the firmware says what it starts
}

// cutWhileBlessing: a reset in the very moment in which the new deployment is made
// good, between the name of its entry and its record. The old or the new system
// runs then, and the records agree with it. Where the cut took both names of the
// entry, it is written anew, and the next boot tries the new system once more.
func (l *life) cutWhileBlessing() {
	l.sh("sed -i 's/^version=.*/version=mine/' /etc/hello.conf")
	l.upgrade(lab.Hello{Version: "7", Files: map[string]string{"usr/lib/rastos/health.d/cut": `#!/bin/sh
test -e /var/cut && exit 0
: > /var/cut
sync /var/cut /var
echo 1 > /proc/sys/kernel/sysrq
entry=/efi/loader/entries/rastos-$(sed 's/.*rastos.deploy=\([0-9]*\).*/\1/' /proc/cmdline).conf
(until test -e $entry; do :; done; echo b > /proc/sysrq-trigger) >/dev/null 2>&1 &
`}})
	d := l.status().Deployments[0]
	if len(d.Conflicts) != 1 || d.Conflicts[0].Path != "hello.conf" {
		l.T.Errorf("conflicts of deployment %d: %+v", d.Number, d.Conflicts)
	}
	l.must(l.Reboot(l.ctx))
	st, err := l.Settle(l.ctx, func(st flow.Status) bool {
		_, err := l.Guest(l.ctx, "test", "-e", "/var/cut")
		return err == nil && (st.Booted.Number == d.Number || st.Booted.Number == 1)
	})
	l.must(err)
	switch got := st.Deployments[0]; {
	case got.Number != d.Number:
		l.T.Errorf("the newest deployment is %d, want %d", got.Number, d.Number)
	case st.Booted.Number == d.Number: // Settle has seen that it is good
	case got.Shown == "armed" && st.Next == d.Number:
		l.guest("rastos", "boot", "complete", "--no-reboot")
		l.must(l.Reboot(l.ctx))
		l.good(d.Number)
	case got.Shown != "bad":
		l.T.Errorf("booted %d; deployment %d is %s (%s)", st.Booted.Number, got.Number, got.Shown, got.Why)
	}
	l.want("version=mine", "/bin/sh", "-c", "grep ^version /etc/hello.conf")
}
