// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"context"
	"errors"
	"fmt"

	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/internal/account"
	"github.com/rastos/rastos/internal/deploy"
	"github.com/rastos/rastos/internal/manifest"
	"github.com/rastos/rastos/internal/node"
	"github.com/rastos/rastos/internal/report"
)

// UpgradePlan says what an upgrade installs and on which node it builds.
type UpgradePlan struct {
	Base     node.Node   `json:"base"` // the node of the head: what is staged is never dropped
	From     int         `json:"from"` // deployment whose live /etc is carried over
	Packages *trans.Plan `json:"packages"`
}

// Empty tells that there is nothing to do.
func (p *UpgradePlan) Empty() bool { return p.Packages.Empty() }

// syncDir holds the repositories' databases of the running machine.
const syncDir = "/" + dbPath + "/sync"

// PlanUpgrade fetches the databases and works out what is newer.
func (m *Machine) PlanUpgrade(ctx context.Context, sink report.Sink, s Settings) (*UpgradePlan, error) {
	if err := m.needRoot("upgrade"); err != nil {
		return nil, err
	}
	sys, err := m.Running()
	if err != nil {
		return nil, err
	}
	all, _, err := sys.assessed()
	if err != nil {
		return nil, err
	}
	head, ok := deploy.Head(all)
	if !ok {
		return nil, errors.New("no deployment of this machine is good or armed: there is nothing to build on")
	}
	base, err := sys.Nodes.Get(head.Node)
	if err != nil {
		return nil, err
	}
	mf, err := m.runningManifest()
	if err != nil {
		return nil, err
	}
	env, err := m.packageEnv(mf, s, sys.Nodes.Root(base.Number), syncDir)
	if err != nil {
		return nil, err
	}
	live := env
	live.Root, live.DBPath = "/", "/"+dbPath // the databases of the repositories are the machine's, and writable
	if _, err := trans.Sync(ctx, live, packageEvents(sink)); err != nil {
		return nil, err
	}
	plan, err := trans.Prepare(ctx, env, trans.Request{SysUpgrade: true})
	if err != nil {
		return nil, err
	}
	return &UpgradePlan{Base: base, From: sys.Booted, Packages: plan}, nil
}

// staleError stops a plan that another change has overtaken: to run it would drop
// that change in silence.
type staleError struct{ base, head int }

func (e *staleError) Error() string {
	return fmt.Sprintf("this plan builds on node %d, and by now the newest one is node %d", e.base, e.head)
}
func (e *staleError) Hint() string { return "another upgrade or rollback came between: start again" }

// current checks, under the lock, that the plan's base is the head still.
func (p *UpgradePlan) current(sys *System) error {
	all, err := sys.Deploys.List()
	if err != nil {
		return err
	}
	if head, _ := deploy.Head(all); head.Node != p.Base.Number {
		return &staleError{base: p.Base.Number, head: head.Node}
	}
	return nil
}

// RunUpgrade builds the new node beside the running one, deploys and arms it.
func (m *Machine) RunUpgrade(ctx context.Context, sink report.Sink, s Settings, p *UpgradePlan) (deploy.Deployment, error) {
	sys, err := m.Running()
	if err != nil {
		return deploy.Deployment{}, err
	}
	mf, err := m.runningManifest()
	if err != nil {
		return deploy.Deployment{}, err
	}
	var d deploy.Deployment
	err = m.locked(sys, sink, func() error {
		if err := p.current(sys); err != nil {
			return err
		}
		n, err := m.upgradeNode(ctx, sink, sys, mf, s, p)
		if err != nil {
			return err
		}
		d, err = m.stage(ctx, sink, sys, deploy.Request{Node: n, From: p.From, Reason: n.Reason})
		return err
	})
	return d, err
}

// upgradeNode makes the new node: a copy of the base, the packages in it,
// sealed. Whatever fails before the seal leaves nothing.
func (m *Machine) upgradeNode(ctx context.Context, sink report.Sink, sys *System, mf *manifest.Manifest, s Settings, p *UpgradePlan) (n node.Node, err error) {
	w, err := sys.Nodes.Begin(p.Base.Number, "upgrade")
	if err != nil {
		return n, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Discard())
		}
	}()
	t, err := m.FastTree(w.Root())
	if err != nil {
		return n, err
	}
	defer t.Close()
	if err := m.liveAccounts(sys, t); err != nil {
		return n, err
	}
	env, err := m.packageEnv(mf, s, w.Root(), syncDir)
	if err != nil {
		return n, err
	}
	events := packageEvents(sink)
	if err := trans.Download(ctx, env, p.Packages, events); err != nil {
		return n, err
	}
	if err := trans.Run(ctx, env, p.Packages, events); err != nil {
		return n, err
	}
	return m.seal(sys, w, t, node.Node{
		Reason: "upgrade: " + summary(p.Packages), Manifest: mf.SHA256, Owned: true,
	}, mf.Kernel.Package)
}

// liveAccounts gives a tree being built this machine's user and group numbers,
// so that what its packages add fits beside them.
func (m *Machine) liveAccounts(sys *System, t Tree) error {
	d, err := sys.Deploys.Get(sys.Booted)
	if err != nil {
		return err
	}
	etc, err := m.Tree(sys.Deploys.EtcPath(d))
	if err != nil {
		return err
	}
	defer etc.Close()
	live, err := account.Read(etc, "")
	if err != nil {
		return err
	}
	next, err := account.Read(t, "etc")
	if err != nil {
		return err
	}
	merged, conflicts := account.Reconcile(live, next)
	if len(conflicts) > 0 {
		return &accountError{conflicts}
	}
	return merged.Write(t, "etc")
}

// accountError stops a transaction: one name with two numbers would give one
// person's files to another.
type accountError struct{ conflicts []account.Conflict }

func (e *accountError) Error() string {
	text := fmt.Sprintf("accounts: %s", e.conflicts[0])
	if n := len(e.conflicts) - 1; n > 0 {
		text += fmt.Sprintf(" (and %d more)", n)
	}
	return text
}

func (e *accountError) Hint() string {
	return "give the account one number on this machine (usermod -u, groupmod -g), then start again"
}

// summary names what a transaction does, for the list of nodes.
func summary(p *trans.Plan) string {
	one := func(verb string, n int, name string) string {
		if n == 1 {
			return verb + " " + name
		}
		return fmt.Sprintf("%s %d packages", verb, n)
	}
	switch {
	case len(p.Install) > 0 && len(p.Remove) > 0:
		return one("install", len(p.Install), p.Install[0].Package.Name) + ", " + one("remove", len(p.Remove), p.Remove[0].Package.Name)
	case len(p.Install) > 0:
		return one("install", len(p.Install), p.Install[0].Package.Name+" "+p.Install[0].Package.Version)
	case len(p.Remove) > 0:
		return one("remove", len(p.Remove), p.Remove[0].Package.Name)
	}
	return "nothing"
}
