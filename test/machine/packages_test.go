// SPDX-License-Identifier: GPL-3.0-or-later

package machine

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/rastos/rastos/internal/flow"
	"github.com/rastos/rastos/internal/testkit/lab"
)

// says checks that the output of a command has all of the texts.
func (l *life) says(out string, texts ...string) {
	l.T.Helper()
	for _, text := range texts {
		if !strings.Contains(out, text) {
			l.T.Errorf("%q is not in:\n%s", text, out)
		}
	}
}

func (l *life) status() flow.Status {
	l.T.Helper()
	st, err := l.Status(l.ctx)
	l.must(err)
	return st
}

// newest are the numbers of the newest node and deployment.
func (l *life) newest() (node, deployment int) {
	l.T.Helper()
	for _, d := range l.status().Deployments {
		node, deployment = max(node, d.Node), max(deployment, d.Number)
	}
	return node, deployment
}

func bootsNext(node, deployment int) string {
	return fmt.Sprintf("node %d is deployment %d and boots next", node, deployment)
}

func (l *life) lookAtPackages() {
	l.says(l.guest("rastos", "pkg", "why", "bash"), "hello → bash")
	l.says(l.guest("rastos", "pkg", "owns", "/bin/hello"), "/usr/bin/hello  hello    1-1")
	l.says(l.sh("rastos pkg info hello | tr -s ' '"), "depends on bash")
	l.says(l.guest("rastos", "pkg", "verify", "hello"), "0 altered")
	l.says(l.sh("su anna -s /bin/sh -c 'rastos pkg list hello'"), "hello  1-1")
	l.says(l.sh("su anna -s /bin/sh -c 'rastos pkg remove hello --yes; echo code $?' 2>&1"), "needs root", "code 8")
}

// shows checks that a node and the /etc of a deployment are what is seen.
func (l *life) shows(node, deployment int) {
	l.T.Helper()
	l.want(fmt.Sprintf("/@rastos/nodes/%d/root/usr", node), "/bin/sh", "-c", "findmnt -no FSROOT /usr | tail -n 1")
	l.want(fmt.Sprintf("/@rastos/deploy/%d/etc", deployment), "/bin/sh", "-c", "findmnt -no FSROOT /etc | tail -n 1 | sed 's/[.][0-9]*$//'")
}

// changeAtOnce: what is new is there at once, and what runs goes on.
func (l *life) changeAtOnce() {
	node, deployment := l.newest()
	node, deployment = node+1, deployment+1
	booted := l.status().Booted.Number
	l.sh("sed -i s/greeting=hello/greeting=mine/ /etc/hello.conf")
	boot := l.guest("cat", "/proc/sys/kernel/random/boot_id")
	l.must(l.Publish(l.ctx, lab.Hello{Version: "5"}))
	l.says(l.guest("rastos", "pkg", "upgrade", "--live", "--yes"), bootsNext(node, deployment)+"; it runs already")
	l.want("hello 5-1", "pacman", "-Q", "hello")
	l.says(l.guest("pacman", "-Qk", "hello"), "0 missing files")
	l.want("1", "cat", "/run/hello")
	l.guest("systemctl", "restart", "hello")
	l.want("5", "/bin/sh", "-c", "for i in $(seq 100); do grep -q 5 /run/hello && break; sleep 0.1; done; cat /run/hello")
	l.want("greeting=mine\n# the version is the package's\nversion=5", "cat", "/etc/hello.conf")
	l.shows(node, deployment)
	if out, err := l.Guest(l.ctx, "touch", "/usr/x"); err == nil {
		l.T.Errorf("the node is writable: %s", out)
	}
	l.guest("touch", "/usr/local/mine", "/etc/mine")
	l.want(boot, "cat", "/proc/sys/kernel/random/boot_id")
	if st := l.status(); st.Booted.Number != booted || st.Live != deployment || st.Next != deployment {
		l.T.Errorf("status %+v", st)
	}
}

// changeAndUndo: the next change goes on from what runs, and taking it back is a
// node again.
func (l *life) changeAndUndo() {
	node, deployment := l.newest()
	l.must(l.Publish(l.ctx, lab.Hello{Version: "6"}))
	// As the machine is: its keyring trusts what its manifest trusts.
	l.says(l.guest("rastos", "pacman", "-Sy", "hello", "--noconfirm"), fmt.Sprintf("Deployment %d is what boots next", deployment+1))
	l.want("hello 5-1", "pacman", "-Q", "hello")
	var last []flow.Transaction
	l.must(json.Unmarshal([]byte(l.guest("rastos", "pkg", "history", "--last", "1", "--json")), &last))
	l.says(l.guest("rastos", "pkg", "history"), "upgrade hello", fmt.Sprintf("done, node %d", node+1), "rastos pacman -Sy hello")
	l.says(l.guest("rastos", "pkg", "undo", last[0].ID, "--yes"), "downgrade", bootsNext(node+2, deployment+2))
	l.says(l.guest("rastos", "pkg", "history"), "undone by")
	l.sh("echo late > /etc/own.conf")
	l.try()
	l.must(l.Reboot(l.ctx))
	l.good(deployment + 2)
	l.want("5", "cat", "/run/hello")
	l.want("hello 5-1", "pacman", "-Q", "hello")
	l.guest("pacman", "-Dk")
	l.want("late", "cat", "/etc/own.conf") // written to a deployment that never booted
	l.guest("ls", "/etc/mine", "/usr/local/mine")
	l.want("greeting=mine\n# the version is the package's\nversion=5", "cat", "/etc/hello.conf")
	l.says(l.guest("rastos", "pkg", "lock"), "fits what is installed")
	l.sh("! test -e /etc/tried && ! test -e /var/lib/hello-6.1")
	l.want("", "ls", "/run/rastos/top/@rastos/work")
}

// try has this boot see a version that no node has; what it brings is gone after.
func (l *life) try() {
	l.T.Helper()
	next := l.status().Next
	l.must(l.Publish(l.ctx, lab.Hello{Version: "6.1"}))
	l.says(l.guest("rastos", "pkg", "install", "hello", "--try", "--sync", "--yes"), "until the machine goes down", "/etc is a copy")
	l.want("hello 6.1-1", "pacman", "-Q", "hello")
	l.want("greeting=mine\n# the version is the package's\nversion=6.1", "cat", "/etc/hello.conf")
	l.want("begun", "cat", "/var/lib/hello-6.1/state")
	l.guest("systemctl", "restart", "hello")
	l.want("6.1", "/bin/sh", "-c", "for i in $(seq 100); do grep -q 6.1 /run/hello && break; sleep 0.1; done; cat /run/hello")
	l.guest("touch", "/etc/tried", "/var/lib/hello-6.1/mine")
	if st := l.status(); st.Trial == nil || st.Next != next {
		l.T.Errorf("status %+v", st)
	}
}

// killedAtOnce: a kill in the middle leaves the old or the new, as soon as
// anything is changed, and what waits can be asked for once more.
func (l *life) killedAtOnce() {
	node, deployment := l.newest()
	before := l.status().Booted
	l.sh(`rastos pacman -S --live hello --noconfirm >/dev/null 2>&1 & while kill -0 $! && ! test -e /run/rastos/exchange.json; do :; done; kill -9 $!; wait $!; true`)
	l.guest("rastos", "snapshot", "label", "head", "killed")
	switch st := l.status(); {
	case st.Live == deployment+1:
		l.shows(node+1, deployment+1)
	case st.Live != 0 || st.Next != deployment+1:
		l.T.Errorf("status %+v", st)
	default:
		l.sh("! findmnt /usr")
		l.want(fmt.Sprintf("/@rastos/deploy/%d/etc", before.Number), "/bin/sh", "-c", "findmnt -no FSROOT /etc | sed 's/[.][0-9]*$//'")
		l.want("hello 5-1", "pacman", "-Q", "hello")
	}
	l.guest("rastos", "pkg", "upgrade", "--no-sync", "--live", "--yes")
	l.shows(node+1, deployment+1)
	l.want("hello 6.1-1", "pacman", "-Q", "hello")
}

// changeOfInit: what cannot be applied at once waits.
func (l *life) changeOfInit() {
	node, deployment := l.newest()
	l.must(l.Publish(l.ctx, lab.Hello{Version: "7", Fatal: true}))
	l.says(l.guest("rastos", "pkg", "upgrade", "--live", "--yes"), bootsNext(node+1, deployment+1), "it cannot run before that", "init changes: /")
	l.want("hello 6.1-1", "pacman", "-Q", "hello")
	if st := l.status(); st.Live != deployment || st.Next != deployment+1 {
		l.T.Errorf("status %+v", st)
	}
}
