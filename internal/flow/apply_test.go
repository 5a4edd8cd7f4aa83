// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/localdb"
	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/internal/deploy"
	"github.com/rastos/rastos/internal/lockfile"
	"github.com/rastos/rastos/internal/manifest"
	"github.com/rastos/rastos/internal/report"
)

// declare changes the machine's manifest.
func (b *packageBox) declare(hostname, packages, more string) {
	b.t.Helper()
	b.check(os.WriteFile(b.manifestPath, []byte("[system]\nhostname = \""+hostname+"\"\n[packages]\nofficial = ["+packages+"]\n"+
		"[[repository]]\nname = \"core\"\nservers = [\"file://"+b.repo+"\"]\nsiglevel = \"never\"\n"+more), 0o600))
}

func (b *packageBox) planApply(r ApplyRequest) (*World, *ApplyPlan) {
	b.t.Helper()
	w, p, err := b.PlanApply(b.t.Context(), report.Discard{}, b.settings, r)
	b.check(err)
	return w, p
}

// applied runs an apply that must have something to do, and checks that there
// is nothing left, before the reboot and after it.
func (b *packageBox) applied(r ApplyRequest) deploy.Deployment {
	b.t.Helper()
	w, p := b.planApply(r)
	if p.Empty() || p.Base == nil {
		b.t.Fatalf("the plan is %+v", p)
	}
	done, err := b.RunApply(b.t.Context(), report.Discard{}, w, p)
	b.check(err)
	d := *done.Deployment
	if d.State != deploy.Armed {
		b.t.Fatalf("the deployment is %s", d.State)
	}
	b.nothingToDo("before the reboot")
	b.reboot(d)
	b.nothingToDo("after the reboot")
	return d
}

func (b *packageBox) nothingToDo(when string) {
	b.t.Helper()
	if _, p := b.planApply(ApplyRequest{}); !p.Empty() {
		b.t.Errorf("%s there is still to do: %+v, reasons %v, settings %+v, lock %v", when, p.Packages, p.Reasons, p.Settings, p.Pins)
	}
}

// etc reads a file of a deployment's /etc.
func (b *packageBox) etc(d deploy.Deployment, name string) string {
	b.t.Helper()
	data, err := os.ReadFile(filepath.Join(b.system(b.booted).Deploys.EtcPath(d), name))
	b.check(err)
	return string(data)
}

func (b *packageBox) reason(number int, name string) desc.Reason {
	b.t.Helper()
	db, err := localdb.Open(filepath.Join(b.system(b.booted).Nodes.Root(number), nodeDB))
	b.check(err)
	return db.Package(name).Reason
}

func TestApplyBuildsOneNewNode(t *testing.T) {
	b := newPackageBox(t)
	publish(t, b.repo, makePackage(t, b.repo, "extra", "1-1", nil, func(p *desc.Package) { p.Depends = []string{"lib"} }),
		makePackage(t, b.repo, "lib", "1-1", nil, nil))
	b.declare("atlas", `"linux", "extra"`, "")
	before := b.system(b.booted)
	nodes, err := before.Nodes.List()
	b.check(err)
	d := b.applied(ApplyRequest{Refresh: true})
	after, err := b.system(b.booted).Nodes.List()
	b.check(err)
	if len(after) != len(nodes)+1 {
		t.Errorf("%d nodes became %d", len(nodes), len(after))
	}
	if got := b.versions(d.Node); got["tool"] != "" || got["extra"] != "1-1" || got["lib"] != "1-1" {
		t.Errorf("the new node has %v", got)
	}
	if b.reason(d.Node, "extra") != desc.Explicit || b.reason(d.Node, "lib") != desc.Depend {
		t.Error("the reasons are wrong")
	}
	if got := b.etc(d, "hostname"); got != "atlas\n" {
		t.Errorf("the host name is %q", got)
	}
	lock, err := lockfile.Decode("lock", []byte(b.etc(d, "rastos/rastos.lock")))
	b.check(err)
	if pin, ok := lock.Package("lib"); !ok || pin.Repository != "core" || pin.Filename != "lib-1-1-any.pkg.tar.zst" {
		t.Errorf("the lock has %+v", pin)
	}
	n, err := b.system(b.booted).Nodes.Get(d.Node)
	b.check(err)
	if n.Manifest != lock.Manifest || !strings.HasPrefix(n.Reason, "apply: ") {
		t.Errorf("the node is %+v", n)
	}

	// Settings alone make a node, too, and beat what was changed by hand: the
	// merge of /etc would keep that.
	etc := b.system(b.booted).Deploys.EtcPath(d)
	b.check(os.WriteFile(filepath.Join(etc, "hostname"), []byte("by-hand\n"), 0o644))
	b.check(os.WriteFile(filepath.Join(etc, "mine"), []byte("mine\n"), 0o644))
	d = b.applied(ApplyRequest{})
	if got := b.etc(d, "hostname") + b.etc(d, "mine"); got != "atlas\nmine\n" {
		t.Errorf("the new /etc has %q", got)
	}
	if n, err = b.system(b.booted).Nodes.Get(d.Node); err != nil || n.Reason != "apply: settings" {
		t.Errorf("%+v, %v", n, err)
	}

	// Another manifest than the machine's own becomes its own.
	file := filepath.Join(t.TempDir(), "other.toml")
	text, err := os.ReadFile(b.manifestPath)
	b.check(err)
	b.check(os.WriteFile(file, append([]byte("# other\n"), text...), 0o600))
	w, p := b.planApply(ApplyRequest{File: file})
	_, err = b.RunApply(t.Context(), report.Discard{}, w, p)
	b.check(err)
	if lock, err := os.ReadFile(strings.TrimSuffix(file, ".toml") + ".lock"); err != nil || !strings.Contains(string(lock), p.Manifest) {
		t.Errorf("the lock beside it: %v\n%s", err, lock)
	}
	head, _, err := b.system(b.booted).assessed()
	b.check(err)
	if got := b.etc(head[len(head)-1], "rastos/rastos.toml"); !strings.HasPrefix(got, "# other\n") {
		t.Errorf("the machine's manifest is %q", got)
	}
}

func TestAnOvertakenApplyIsRefused(t *testing.T) {
	b := newPackageBox(t)
	publish(t, b.repo, makePackage(t, b.repo, "extra", "1-1", nil, nil))
	b.declare("box", `"linux", "tool", "extra"`, "")
	w, p := b.planApply(ApplyRequest{Refresh: true})
	other := b.world()
	change, err := b.PlanChange(t.Context(), report.Discard{}, other, ChangeRequest{Request: trans.Request{Targets: []string{"extra"}}, Verb: "install"})
	b.check(err)
	_, err = b.RunChange(t.Context(), report.Discard{}, other, change)
	b.check(err)
	var stale *staleError
	if _, err := b.RunApply(t.Context(), report.Discard{}, w, p); !errors.As(err, &stale) {
		t.Errorf("got %v", err)
	}
	b.noOrphans(b.system(b.booted))
}

// TestApplyInPlaceIsRefusedWhenOvertaken is the same on another root.
func TestApplyInPlaceIsRefusedWhenOvertaken(t *testing.T) {
	b := newPackageBox(t)
	root := t.TempDir()
	b.Hold = func(string) (func(), error) { return func() {}, nil }
	request := ApplyRequest{File: b.manifestPath, Place: Place{Root: root}, Refresh: true}
	w, p := b.planApply(request)
	if p.Base != nil {
		t.Fatal("it is to happen in a node")
	}
	_, err := b.RunApply(t.Context(), report.Discard{}, w, p)
	b.check(err)
	if _, p := b.planApply(request); !p.Empty() {
		t.Errorf("there is still to do: %+v", p)
	}
	b.declare("box", `"linux"`, "")
	w, p = b.planApply(request)
	env, err := w.Env()
	b.check(err)
	b.check(trans.SetReasons(t.Context(), env, map[string]desc.Reason{"tool": desc.Depend}))
	var overtaken *overtakenError
	if _, err := b.RunApply(t.Context(), report.Discard{}, w, p); !errors.As(err, &overtaken) {
		t.Errorf("got %v", err)
	}
}

// TestAFailedApplyLeavesNothing: a setting that cannot be shows only when the
// packages are there.
func TestAFailedApplyLeavesNothing(t *testing.T) {
	b := newPackageBox(t)
	publish(t, b.repo, makePackage(t, b.repo, "extra", "1-1", nil, nil))
	b.declare("box", `"linux", "tool", "extra"`, "[[service]]\nname = \"nope\"\nenable = true\n")
	w, p := b.planApply(ApplyRequest{Refresh: true})
	if !slices.ContainsFunc(p.Settings, func(s Setting) bool { return s.Name == "nope.service" && s.Waits != "" }) {
		t.Errorf("nothing waits for the packages: %+v", p.Settings)
	}
	if _, err := b.RunApply(t.Context(), report.Discard{}, w, p); err == nil || !strings.Contains(err.Error(), "nope.service") {
		t.Errorf("got %v", err)
	}
	b.noOrphans(b.system(b.booted))
	if _, err := b.system(b.booted).Nodes.Get(w.base.Number + 1); err == nil {
		t.Error("a node was left")
	}
}

func TestAMachineKeepsItsManifestAndLockWhereEverybodyLooks(t *testing.T) {
	if "/"+systemManifestPath != manifest.SystemPath || "/"+systemLockPath != lockfile.PathFor(manifest.SystemPath) {
		t.Errorf("%s and %s", systemManifestPath, systemLockPath)
	}
}
