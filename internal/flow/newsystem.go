// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/internal/node"
	"github.com/rastos/rastos/internal/report"
)

// NewSystemRequest says what a node is made from scratch by.
type NewSystemRequest struct {
	File string // a manifest; "": the machine's own
	Naming
	Settings
}

// accountFiles are what packages bring, and a machine has of its own.
var accountFiles = []string{"etc/passwd", "etc/group", "etc/shadow", "etc/gshadow", "etc/subuid", "etc/subgid"}

// NewSystem makes a node from scratch by a manifest, as the root of a tree of its
// own: what an image of that manifest would hold, with this machine's accounts. The
// system may be changed meanwhile.
func (m *Machine) NewSystem(ctx context.Context, sink report.Sink, r NewSystemRequest) (n node.Node, err error) {
	if err := r.check(); err != nil {
		return n, err
	}
	if err := m.needRoot("snapshot new"); err != nil {
		return n, err
	}
	sys, err := m.Running()
	if err != nil {
		return n, err
	}
	defer sys.Close()
	s := system{Machine: m, sys: sys, r: r, sink: sink}
	if err := s.declare(); err != nil {
		return n, err
	}
	if err := m.locked(sys, sink, func() (err error) { s.work, err = sys.Nodes.Begin(0, "snapshot new"); return err }); err != nil {
		return n, err
	}
	defer func() { err = errors.Join(err, s.work.Discard()) }() // after the seal there is nothing to discard
	if s.tree, err = m.FastTree(s.work.Root()); err != nil {
		return n, err
	}
	defer s.tree.Close()
	for _, step := range []func(context.Context) error{s.packages, s.configure, s.pin} {
		if err := step(ctx); err != nil {
			return n, err
		}
	}
	err = m.lockedPatiently(ctx, sys, sink, func() error {
		n, err = m.seal(sys, s.work, s.tree, node.Node{Label: r.Label, Alias: r.Alias, Reason: "snapshot new", Manifest: s.d.SHA256}, s.d.Kernel.Package)
		return err
	})
	return n, err
}

// system is one that is made from scratch.
type system struct {
	*Machine
	sys  *System
	r    NewSystemRequest
	sink report.Sink

	d    *declared
	work *node.Work
	tree Tree
	env  trans.Env
	plan *trans.Plan
}

// declare reads the manifest, and finds what it asks for in vain.
func (s *system) declare() (err error) {
	if _, s.d, err = s.declaredFor(ApplyRequest{File: s.r.File}); err != nil {
		return err
	}
	if aur := s.d.Packages.AUR; len(aur) > 0 {
		return &aurError{aur}
	}
	return nil
}

// packages installs what the manifest says. The accounts of the machine are there
// before, so that what packages add gets the same numbers.
func (s *system) packages(ctx context.Context) error {
	if err := skeleton(s.tree); err != nil {
		return err
	}
	if err := s.liveAccounts(s.sys, s.tree); err != nil {
		return err
	}
	syncDir := machineSyncDir
	if s.syncDir != "" {
		syncDir = s.syncDir
	}
	if s.r.File != "" {
		syncDir = filepath.Join(s.r.CacheDir, "sync") // another manifest may have other repositories
	}
	engine, err := s.engine(s.d.Manifest)
	if err != nil {
		return err
	}
	if s.env, err = s.packageEnv(s.d.Manifest, s.r.Settings, s.work.Root(), syncDir, pacmanHome); err != nil {
		return err
	}
	events := packageEvents(s.sink)
	if _, err := engine.Sync(ctx, s.env, events); err != nil {
		return err
	}
	s.plan, err = s.planSystem(ctx, engine, &s.env, s.d.Manifest, filepath.Dir(s.work.Root()), trans.Options{Overwrite: accountFiles})
	if err != nil {
		return err
	}
	report.Notef(s.sink, "%d packages, %s to download, %s installed", len(s.plan.Install), report.Size(s.plan.Sizes.Download), report.Size(s.plan.Sizes.Installed))
	if err := download(ctx, engine, s.env, s.plan, events); err != nil {
		return err
	}
	if err := engine.Run(ctx, s.env, s.plan, events); err != nil {
		return err
	}
	for _, name := range accountFiles {
		if err := s.tree.Remove(name + ".pacnew"); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	// Again, for a package that brought its own all the same.
	return s.liveAccounts(s.sys, s.tree)
}

// configure writes what the manifest says beside packages. The disks are this
// machine's.
func (s *system) configure(ctx context.Context) error {
	c := &configurator{Machine: s.Machine, mf: s.d.Manifest, text: s.d.text, tree: s.tree, root: s.work.Root(), fresh: true}
	if err := c.configure(ctx); err != nil {
		return err
	}
	base, err := s.sys.find(node.Booted)
	if err != nil {
		return err
	}
	t, err := s.Tree(s.sys.Nodes.Root(base.Number))
	if err != nil {
		return err
	}
	defer t.Close()
	fstab, err := t.ReadFile("etc/fstab")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.tree.WriteFile("etc/fstab", fstab, 0o644)
}

func (s *system) pin(ctx context.Context) error {
	pins := pinner{env: s.env, mf: s.d.Manifest, tree: s.tree, plan: s.plan}
	_, err := pins.write(ctx)
	return err
}
