// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"context"
	"errors"
	"fmt"

	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/internal/account"
	"github.com/rastos/rastos/internal/deploy"
	"github.com/rastos/rastos/internal/node"
	"github.com/rastos/rastos/internal/report"
)

// staleError stops a plan that another change has overtaken: to run it would drop
// that change in silence.
type staleError struct{ base, head int }

func (e *staleError) Error() string {
	return fmt.Sprintf("this plan builds on node %d, and by now the newest one is node %d", e.base, e.head)
}
func (e *staleError) Hint() string { return "another upgrade or rollback came between: start again" }

// current checks, under the lock, that the plan's base is the head still.
func (p *ChangePlan) current(sys *System) error {
	all, err := sys.Deploys.List()
	if err != nil {
		return err
	}
	if head, _ := deploy.Head(all); head.Node != p.Base.Number {
		return &staleError{base: p.Base.Number, head: head.Node}
	}
	return nil
}

// changeInNode builds the new node beside the running one, deploys and arms it.
func (m *Machine) changeInNode(ctx context.Context, sink report.Sink, w *World, p *ChangePlan, work nodeWork) (d deploy.Deployment, err error) {
	w.undoes = p.Undoes
	record := w.recorder(trans.Env{})
	err = m.locked(w.sys, sink, func() error {
		if err := p.current(w.sys); err != nil {
			return err
		}
		n, err := m.buildNode(ctx, sink, w, p, work, record)
		if err != nil {
			return err
		}
		d, err = m.stageWith(ctx, sink, w.sys, deploy.Request{Node: n, From: p.From, Reason: n.Reason}, work)
		return err
	})
	record.deployed(d, err)
	return d, err
}

// buildNode makes the new node: a copy of the base, the packages in it,
// sealed. Whatever fails before the seal leaves nothing.
func (m *Machine) buildNode(ctx context.Context, sink report.Sink, w *World, p *ChangePlan, do nodeWork, record *recorder) (node.Node, error) {
	work, n, err := m.buildWork(ctx, sink, w, p, do, record)
	if err != nil {
		return n, err
	}
	n.Owned = true
	if n, err = work.Seal(n); err != nil {
		err = errors.Join(err, work.Discard())
	}
	return n, err
}

// buildWork makes what buildNode seals. record is nil for what the history of
// this machine is not about.
func (m *Machine) buildWork(ctx context.Context, sink report.Sink, w *World, p *ChangePlan, do nodeWork, record *recorder) (work *node.Work, n node.Node, err error) {
	if work, err = w.sys.Nodes.Begin(p.Base.Number, p.Verb); err != nil {
		return nil, n, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, work.Discard())
		}
	}()
	t, err := m.FastTree(work.Root())
	if err != nil {
		return work, n, err
	}
	defer t.Close()
	if err := m.liveAccounts(w.sys, t); err != nil {
		return work, n, err
	}
	env, err := w.env(work.Root(), w.syncDir)
	if err != nil {
		return work, n, err
	}
	if record != nil {
		record.tree, env.History = env, record
	}
	if !p.Packages.Empty() {
		events := w.events(sink)
		if err := download(ctx, w.engine, env, p.Packages, events); err != nil {
			return work, n, err
		}
		if err := w.engine.Run(ctx, env, p.Packages, events); err != nil {
			return work, n, err
		}
	}
	if err := do.tree(ctx, env, t); err != nil {
		return work, n, err
	}
	n = node.Node{Reason: do.reason, Manifest: do.mf.SHA256, Replaces: p.Base.Number}
	n, err = m.finish(work, t, n, do.kernel())
	return work, n, err
}

// liveAccounts gives a tree being built this machine's user and group numbers,
// so that what its packages add fits beside them.
func (m *Machine) liveAccounts(sys *System, t Tree) error {
	merged, err := m.reconciled(sys, t)
	if err != nil {
		return err
	}
	return merged.Write(t, "etc")
}

// reconciled are the accounts of a tree with this machine's numbers.
func (m *Machine) reconciled(sys *System, t Tree) (account.Set, error) {
	d, err := sys.Deploys.Get(sys.Live)
	if err != nil {
		return nil, err
	}
	etc, err := m.Tree(sys.Deploys.EtcPath(d))
	if err != nil {
		return nil, err
	}
	defer etc.Close()
	live, err := account.Read(etc, "")
	if err != nil {
		return nil, err
	}
	next, err := account.Read(t, "etc")
	if err != nil {
		return nil, err
	}
	merged, conflicts := account.Reconcile(live, next)
	if len(conflicts) > 0 {
		return nil, &accountError{conflicts}
	}
	return merged, nil
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
