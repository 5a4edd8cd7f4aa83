// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/internal/deploy"
	"github.com/rastos/rastos/internal/manifest"
	"github.com/rastos/rastos/internal/report"
)

// overtakenError stops a plan that another change of packages has overtaken.
type overtakenError struct{ root string }

func (e *overtakenError) Error() string {
	return "the packages of " + e.root + " have changed since this plan was made"
}
func (e *overtakenError) Hint() string { return "another transaction came between: start again" }

// applyLock keeps two runs apart on a root that is changed in place.
const applyLock = dbPath + "/rastos-apply.lck"

// RunApply makes a system what its manifest says, by a plan that was made in
// this world: on a machine booted from a node in one new node, else in place.
func (m *Machine) RunApply(ctx context.Context, sink report.Sink, w *World, p *ApplyPlan) (Changed, error) {
	if err := m.needRootAt(w.Root, "apply"); err != nil {
		return Changed{}, err
	}
	if p.Base == nil {
		err := m.applyInPlace(ctx, sink, w, p)
		return Changed{Reason: p.Reason(), Keys: p.Packages.Learned()}, err
	}
	return m.changeOnMachine(ctx, sink, w, &p.ChangePlan, m.applyWork(w, p), p.Unchanged())
}

// applyInPlace changes the root itself: packages, then why they are there, then
// what is set beside them, the lock last. After a crash the next plan finds
// what is still to do.
func (m *Machine) applyInPlace(ctx context.Context, sink report.Sink, w *World, p *ApplyPlan) error {
	lock := filepath.Join(w.Root, applyLock)
	if err := os.MkdirAll(filepath.Dir(lock), 0o755); err != nil {
		return fmt.Errorf("apply: %w", err)
	}
	release, err := m.Hold(lock)
	if err != nil {
		return err
	}
	defer release()
	env, err := w.Env()
	if err != nil {
		return err
	}
	db, err := trans.Installed(env)
	if err != nil {
		return err
	}
	if installedState(db.Packages()) != p.State {
		return &overtakenError{w.Root}
	}
	if err := m.runPackages(ctx, sink, w, env, p); err != nil {
		return err
	}
	t, err := m.Tree(w.Root)
	if err != nil {
		return err
	}
	defer t.Close()
	c := m.configuratorOf(p.declared.Manifest, p.declared.text, t, w.Root)
	if err := c.configure(ctx); err != nil {
		return err
	}
	if err := m.makeHomes(c); err != nil {
		return err
	}
	data, err := m.writeLock(ctx, env, t, p)
	if err != nil || p.declared.file == "" || p.locked != nil {
		return err
	}
	return writeBeside(p.declared.file, data)
}

// runPackages does the plan's part of the engine's, and sets the reasons.
func (m *Machine) runPackages(ctx context.Context, sink report.Sink, w *World, env trans.Env, p *ApplyPlan) error {
	if !p.Packages.Empty() {
		events := packageEvents(sink)
		if err := download(ctx, w.engine, env, p.Packages, events); err != nil {
			return err
		}
		if err := w.engine.Run(ctx, env, p.Packages, events); err != nil {
			return err
		}
	}
	return trans.SetReasons(ctx, env, p.reasons)
}

// writeLock pins what the tree holds now.
func (m *Machine) writeLock(ctx context.Context, env trans.Env, t Tree, p *ApplyPlan) ([]byte, error) {
	old := p.locked
	if old == nil {
		old, _ = readLock(t.ReadFile, systemLockPath) // a broken one is written anew
	}
	pins := pinner{env: env, mf: p.declared.Manifest, tree: t, plan: p.Packages, old: old}
	return pins.write(ctx)
}

// applyWork is what an apply does to a new node and its deployment.
func (m *Machine) applyWork(w *World, p *ApplyPlan) nodeWork {
	var lock []byte
	return nodeWork{
		mf:     p.declared.Manifest,
		reason: p.Reason(),
		tree: func(ctx context.Context, env trans.Env, t Tree) (err error) {
			if err := trans.SetReasons(ctx, env, p.reasons); err != nil {
				return err
			}
			c := m.configuratorOf(p.declared.Manifest, p.declared.text, t, env.Root)
			if err := c.configure(ctx); err != nil {
				return err
			}
			lock, err = m.writeLock(ctx, env, t, p)
			return err
		},
		etc: func(d deploy.Deployment) error {
			if err := m.settleEtc(w, p, d, lock); err != nil {
				return fmt.Errorf("set up /etc of deployment %d: %w", d.Number, err)
			}
			if p.declared.file == "" || p.locked != nil {
				return nil
			}
			return writeBeside(p.declared.file, lock)
		},
	}
}

// settleEtc makes a new deployment's /etc what the manifest says where the
// merge kept what was changed on the machine, and people's homes, which all
// deployments share.
func (m *Machine) settleEtc(w *World, p *ApplyPlan, d deploy.Deployment, lock []byte) (err error) {
	t, err := m.deployedTree(w.sys, d)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	c := m.configuratorOf(p.declared.Manifest, p.declared.text, t, w.Root)
	if err := c.walk(func(p part) error { return p.do() }); err != nil {
		return err
	}
	if err := t.WriteFile(systemLockPath, lock, 0o644); err != nil {
		return err
	}
	return m.makeHomes(c)
}

// nodeWork is what a change does to a new node beside its packages.
type nodeWork struct {
	mf     *manifest.Manifest // what the node is made by
	reason string
	// tree is called before the seal, with the engine's view of the new tree.
	tree func(ctx context.Context, env trans.Env, t Tree) error
	// etc is called when the deployment's /etc was merged; nil: nothing is done.
	etc func(deploy.Deployment) error
	// ready is called when all of the deployment is there but its boot entry; nil:
	// nothing is done.
	ready func(deploy.Deployment) error
	// kernelPackage is the one that the node boots; "": the manifest's.
	kernelPackage string
	files         bool            // it changes more than packages do
	conflicts     *[]NodeConflict // that came up meanwhile; nil: none can
}

func (w nodeWork) kernel() string { return cmp.Or(w.kernelPackage, w.mf.Kernel.Package) }
