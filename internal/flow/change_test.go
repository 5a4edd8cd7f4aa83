// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"archive/tar"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/localdb"
	"github.com/rastos/rastos/alpm/pkgfile"
	"github.com/rastos/rastos/alpm/repo"
	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/internal/boot/esptest"
	"github.com/rastos/rastos/internal/deploy"
	"github.com/rastos/rastos/internal/node"
	"github.com/rastos/rastos/internal/report"
	"github.com/rastos/rastos/internal/testkit"
)

// makePackage writes an archive with one file that tells its version, and more
// files by name. change may set what else the package says.
func makePackage(t *testing.T, dir, name, version string, files map[string]string, change func(*desc.Package)) string {
	t.Helper()
	p := &desc.Package{Name: name, Base: name, Version: version, Arch: "any", Description: "the " + name, Packager: "test"}
	if change != nil {
		change(p)
	}
	path := filepath.Join(dir, fmt.Sprintf("%s-%s-any.pkg.tar.zst", name, version))
	out, err := os.Create(path)
	must(t, err)
	defer out.Close()
	w, err := pkgfile.NewWriter(out, p, pkgfile.WriterOptions{Fast: true, Epoch: time.Unix(1700000000, 0)})
	must(t, err)
	all := map[string]string{"usr/share/" + name + "/version": version}
	for n, text := range files {
		all[n] = text
	}
	for n, text := range all {
		head := &tar.Header{Typeflag: tar.TypeReg, Name: n, Mode: 0o644, Size: int64(len(text)), Uid: os.Getuid(), Gid: os.Getgid()}
		must(t, w.Add(head, strings.NewReader(text)))
	}
	must(t, w.Close())
	return path
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// publish puts packages into the repository "core" of a folder.
func publish(t *testing.T, dir string, packages ...string) {
	t.Helper()
	_, err := repo.Add(t.Context(), filepath.Join(dir, "core.db.tar.gz"), packages, repo.Options{})
	must(t, err)
}

// packageBox is a box with packages: a repository, and a running node that has
// a kernel and the package tool-1.
type packageBox struct {
	*box
	repo     string
	settings Settings
}

func newPackageBox(t *testing.T) *packageBox {
	t.Helper()
	b := &packageBox{box: newBox(t, esptest.OldName), repo: t.TempDir(), settings: Settings{CacheDir: t.TempDir(), Workers: 1}}
	b.syncDir = t.TempDir()
	b.check(os.WriteFile(b.manifestPath, []byte(fmt.Sprintf(`[system]
hostname = "box"
[packages]
official = ["linux", "tool"]
[[repository]]
name = "core"
servers = ["file://%s"]
siglevel = "never"
`, b.repo)), 0o600))
	publish(t, b.repo,
		makePackage(t, b.repo, "linux", "6-1", map[string]string{
			modulesDir + "/6/vmlinuz": "kernel 6", modulesDir + "/6/pkgbase": "linux\n", modulesDir + "/6/modules.dep": "#",
			modulesDir + "/6/modules.builtin": "kernel/fs/btrfs/btrfs.ko\n", initPath: "init 6",
		}, nil),
		makePackage(t, b.repo, "tool", "1-1", nil, nil))
	b.boot(b.firstNode())
	return b
}

// firstNode seals the node that the machine starts with.
func (b *packageBox) firstNode() node.Node {
	b.t.Helper()
	sys := b.system(1)
	w, err := sys.Nodes.Begin(0, "test")
	b.check(err)
	tree := testTree{testkit.DirFiles{Dir: w.Root()}}
	b.check(skeleton(tree))
	mf, err := b.runningManifest()
	b.check(err)
	env, err := b.packageEnv(mf, b.settings, w.Root(), b.syncDir, pacmanHome)
	b.check(err)
	_, err = trans.Sync(b.t.Context(), env, nil)
	b.check(err)
	p, err := trans.Prepare(b.t.Context(), env, trans.Request{Targets: mf.Packages.Official})
	b.check(err)
	b.check(trans.Run(b.t.Context(), env, p, nil))
	n, err := b.seal(sys, w, tree, node.Node{Reason: "first"}, "linux")
	b.check(err)
	return n
}

// boot makes a node the running one, and good.
func (b *packageBox) boot(n node.Node) {
	b.t.Helper()
	sys := b.system(b.booted)
	d, err := b.stage(b.t.Context(), report.Discard{}, sys, deploy.Request{Node: n, Reason: n.Reason})
	b.check(err)
	b.reboot(d)
}

func (b *packageBox) reboot(d deploy.Deployment) {
	b.t.Helper()
	b.booted = d.Number
	b.check(b.bless(b.system(d.Number), report.Discard{}, &Outcome{}))
}

func (b *packageBox) world() *World {
	b.t.Helper()
	w, err := b.World(b.settings, Place{})
	b.check(err)
	return w
}

// versions tells what a node holds.
func (b *packageBox) versions(number int) map[string]string {
	b.t.Helper()
	db, err := localdb.Open(filepath.Join(b.system(b.booted).Nodes.Root(number), nodeDB))
	b.check(err)
	out := map[string]string{}
	for _, p := range db.Packages() {
		out[p.Name] = p.Version
	}
	return out
}

func TestAChangeOnARastOSRunsInANewNode(t *testing.T) {
	b := newPackageBox(t)
	publish(t, b.repo, makePackage(t, b.repo, "tool", "2-1", nil, nil), makePackage(t, b.repo, "extra", "1-1", nil, nil))
	w := b.world()
	if !w.InNodes() {
		t.Fatal("the machine does not know that it runs a node")
	}
	old := w.base.Number
	p, err := b.PlanChange(t.Context(), report.Discard{}, w, ChangeRequest{
		Request: trans.Request{Targets: []string{"extra"}, SysUpgrade: true}, Verb: "install", Refresh: true,
	})
	b.check(err)
	done, err := b.RunChange(t.Context(), report.Discard{}, w, p)
	b.check(err)
	if done.Deployment == nil || done.Deployment.State != deploy.Armed || done.Reason != "install: install 2 packages" {
		t.Fatalf("%+v", done)
	}
	if got := b.versions(done.Deployment.Node); got["tool"] != "2-1" || got["extra"] != "1-1" {
		t.Errorf("the new node has %v", got)
	}
	if got := b.versions(old); got["tool"] != "1-1" || got["extra"] != "" {
		t.Errorf("the running node has %v", got)
	}

	// Another change builds on what is staged, and drops nothing of it.
	w = b.world()
	p, err = b.PlanChange(t.Context(), report.Discard{}, w, ChangeRequest{Request: trans.Request{Remove: []string{"tool"}}, Verb: "remove"})
	b.check(err)
	done, err = b.RunChange(t.Context(), report.Discard{}, w, p)
	b.check(err)
	if got := b.versions(done.Deployment.Node); got["tool"] != "" || got["extra"] != "1-1" {
		t.Errorf("the second node has %v", got)
	}
}

// TestAPlanOfAnothersRunsInANewNode: who works plans out by itself, over HeadEnv,
// and hears the engine itself.
func TestAPlanOfAnothersRunsInANewNode(t *testing.T) {
	b := newPackageBox(t)
	w := b.world()
	heard := map[trans.EventKind]bool{}
	w.Watch = func(e trans.Event) { heard[e.Kind] = true }
	env, err := w.HeadEnv()
	b.check(err)
	plan, err := trans.Prepare(t.Context(), env, trans.Request{Remove: []string{"tool"}})
	b.check(err)
	done, err := b.RunChange(t.Context(), report.Discard{}, w, w.Plan("pacman -R", plan))
	b.check(err)
	if got := b.versions(done.Deployment.Node); got["tool"] != "" || done.Reason != "pacman -R: remove tool" {
		t.Errorf("the new node has %v for %q", got, done.Reason)
	}
	if !heard[trans.EventStart] || !heard[trans.EventRemove] || !heard[trans.EventDone] {
		t.Errorf("heard %v", heard)
	}
}

func TestAFailedChangeLeavesNoNode(t *testing.T) {
	b := newPackageBox(t)
	bad := makePackage(t, b.repo, "linux", "7-1", nil, nil) // it takes the kernel away
	publish(t, b.repo, bad)
	w := b.world()
	p, err := b.PlanChange(t.Context(), report.Discard{}, w, ChangeRequest{
		Request: trans.Request{SysUpgrade: true}, Verb: "upgrade", Refresh: true,
	})
	b.check(err)
	_, err = b.RunChange(t.Context(), report.Discard{}, w, p)
	var kernel *kernelError
	if !errors.As(err, &kernel) {
		t.Fatalf("got %v", err)
	}
	b.noOrphans(b.system(b.booted))
}

func TestAContainerOnARastOSIsChangedInPlace(t *testing.T) {
	b := newPackageBox(t)
	b.Machine.top = filepath.Join(t.TempDir(), "absent")
	if w := b.world(); w.InNodes() {
		t.Error("the kernel's command line alone made it a node")
	}
}

// TestAnyoneMayLookAtThePackagesOfARastOS: its nodes are root's, what is
// installed is everybody's to see.
func TestAnyoneMayLookAtThePackagesOfARastOS(t *testing.T) {
	b := newPackageBox(t)
	b.Geteuid = func() int { return 1000 }
	w := b.world()
	if w.InNodes() {
		t.Error("the nodes were opened")
	}
	var denied *privilegeError
	for what, plan := range map[string]func() error{
		"install": func() error {
			_, err := b.PlanInstall(t.Context(), report.Discard{}, w, InstallRequest{Targets: []string{"tool"}})
			return err
		},
		"remove": func() error {
			_, err := b.PlanRemove(t.Context(), report.Discard{}, w, RemoveRequest{Targets: []string{"tool"}})
			return err
		},
		"undo": func() error {
			_, err := b.PlanUndo(t.Context(), report.Discard{}, w, UndoRequest{ID: "1"})
			return err
		},
		"clean": func() error { _, err := b.PlanClean(w, CleanRequest{}); return err },
		"lock":  func() error { _, err := b.RenewLock(t.Context(), w); return err },
		"run": func() error {
			_, err := b.RunChange(t.Context(), report.Discard{}, w, w.Plan("install", &trans.Plan{}))
			return err
		},
	} {
		if err := plan(); !errors.As(err, &denied) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestAnyOtherRootIsChangedInPlace works on a tree by its own manifest.
func TestAnyOtherRootIsChangedInPlace(t *testing.T) {
	b := newPackageBox(t)
	root := t.TempDir()
	text, err := os.ReadFile(b.manifestPath)
	b.check(err)
	put(t, testTree{testkit.DirFiles{Dir: root}}, "etc/rastos/rastos.toml", string(text))
	w, err := b.World(b.settings, Place{Root: root})
	b.check(err)
	request := ChangeRequest{Request: trans.Request{Targets: []string{"tool"}}, Verb: "install"}
	_, err = b.PlanChange(t.Context(), report.Discard{}, w, request)
	var hinted interface{ Hint() string }
	if !errors.Is(err, trans.ErrNoDatabase) || !errors.As(err, &hinted) || !strings.Contains(hinted.Hint(), "rastos pkg sync") {
		t.Fatalf("without databases: %v", err)
	}
	request.Refresh = true
	p, err := b.PlanChange(t.Context(), report.Discard{}, w, request)
	b.check(err)
	if p.Base != nil {
		t.Fatalf("the plan builds on node %d", p.Base.Number)
	}
	_, err = b.RunChange(t.Context(), report.Discard{}, w, p)
	b.check(err)
	data, err := os.ReadFile(filepath.Join(root, "usr/share/tool/version"))
	if err != nil || string(data) != "1-1" {
		t.Errorf("%q, %v", data, err)
	}
}
