// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rastos/rastos/alpm/history"
	"github.com/rastos/rastos/alpm/libalpm"
	"github.com/rastos/rastos/alpm/libalpm/libalpmtest"
	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/internal/report"
	"github.com/rastos/rastos/internal/testkit"
)

// byLibalpm lets the host's libalpm change the box's packages.
func (b *packageBox) byLibalpm() {
	b.t.Helper()
	testkit.Integration(b.t)
	testkit.NeedRoot(b.t)
	text, err := os.ReadFile(b.manifestPath)
	b.check(err)
	b.check(os.WriteFile(b.manifestPath, bytes.Replace(text, []byte("[packages]\n"), []byte("[packages]\nengine = \"libalpm\"\n"), 1), 0o600))
	b.Libalpm = libalpmtest.Engine(b.t)
}

// offerNewer publishes tool-2, in a database that is newer by its time: libalpm
// asks for nothing else.
func (b *packageBox) offerNewer(files map[string]string) {
	b.t.Helper()
	publish(b.t, b.repo, makePackage(b.t, b.repo, "tool", "2-1", files, nil))
	later := time.Now().Add(time.Minute)
	b.check(os.Chtimes(filepath.Join(b.repo, "core.db.tar.gz"), later, later))
}

// TestUpgradeByTheHostsLibalpm: in a new node, as by the native engine, and
// once in the history.
func TestUpgradeByTheHostsLibalpm(t *testing.T) {
	b := newPackageBox(t)
	b.byLibalpm()
	old, err := b.system(b.booted).Deploys.Get(b.booted)
	b.check(err)
	b.offerNewer(nil)
	w, p, err := b.PlanUpgrade(t.Context(), report.Discard{}, b.settings, UpgradeRequest{})
	b.check(err)
	done, err := b.RunChange(t.Context(), report.Discard{}, w, p)
	b.check(err)
	if got := b.versions(done.Deployment.Node); got["tool"] != "2-1" || got["linux"] != "6-1" {
		t.Errorf("the new node has %v", got)
	}
	if got := b.versions(old.Node); got["tool"] != "1-1" {
		t.Errorf("the running node has %v", got)
	}
	// What is installed is what the real pacman sees.
	root := b.system(b.booted).Nodes.Root(done.Deployment.Node)
	if out, err := exec.Command(testkit.NeedTool(t, "pacman"), "--root", root, "--dbpath", filepath.Join(root, dbPath), "-Qk").CombinedOutput(); err != nil {
		t.Errorf("pacman -Qk: %v\n%s", err, out)
	}
	w = b.world()
	p, err = b.PlanInstall(t.Context(), report.Discard{}, w, InstallRequest{Targets: []string{"tool"}, Reinstall: true})
	b.check(err)
	_, err = b.RunChange(t.Context(), report.Discard{}, w, p)
	b.check(err)
	all, err := b.PkgHistory(report.Discard{}, b.world(), nil)
	b.check(err)
	if len(all) != 2 || all[0].Result != history.Done || all[1].Result != history.Done {
		t.Errorf("the history has %+v", all)
	}
}

// killChildren kills the helpers of this process.
func killChildren(t *testing.T) {
	t.Helper()
	lists, err := filepath.Glob("/proc/self/task/*/children")
	must(t, err)
	for _, path := range lists {
		data, _ := os.ReadFile(path) // of a thread that may be gone
		for _, pid := range strings.Fields(string(data)) {
			if name, _ := os.ReadFile("/proc/" + pid + "/comm"); strings.TrimSpace(string(name)) != "rastos-libalpm" {
				continue
			}
			n, err := strconv.Atoi(pid)
			must(t, err)
			must(t, syscall.Kill(n, syscall.SIGKILL))
		}
	}
}

// TestAHelperThatDiesLeavesNoNode: what it had begun in a new node is dropped.
func TestAHelperThatDiesLeavesNoNode(t *testing.T) {
	b := newPackageBox(t)
	b.byLibalpm()
	many := map[string]string{}
	for i := range 20000 { // so that it takes a while
		many[fmt.Sprintf("usr/share/many/%05d", i)] = "2"
	}
	b.offerNewer(many)
	w, p, err := b.PlanUpgrade(t.Context(), report.Discard{}, b.settings, UpgradeRequest{})
	b.check(err)
	before, err := b.system(b.booted).Nodes.List()
	b.check(err)
	w.Watch = func(e trans.Event) {
		if e.Kind == trans.EventUpgrade && !e.Finished {
			killChildren(t)
		}
	}
	_, err = b.RunChange(t.Context(), report.Discard{}, w, p)
	var gone *libalpm.HelperError
	if !errors.As(err, &gone) || gone.Kind != libalpm.HelperDied {
		t.Fatalf("got %v", err)
	}
	after, err := b.system(b.booted).Nodes.List()
	b.check(err)
	if len(after) != len(before) {
		t.Errorf("%d nodes became %d", len(before), len(after))
	}
	if left, _ := filepath.Glob(filepath.Join(b.top, "@rastos/work/*")); len(left) != 0 {
		t.Errorf("work is left: %v", left)
	}
	all, err := b.PkgHistory(report.Discard{}, b.world(), nil)
	b.check(err)
	if len(all) != 1 || all[0].Result != history.Failed {
		t.Errorf("the history has %+v", all)
	}
}
