// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"context"
	"fmt"

	"github.com/rastos/rastos/internal/deploy"
	"github.com/rastos/rastos/internal/node"
	"github.com/rastos/rastos/internal/report"
)

// DeployPlan says which node is made bootable as the next deployment.
type DeployPlan struct {
	Node   node.Node `json:"node"`
	From   int       `json:"from"`             // deployment whose live /etc is carried over
	AsWas  int       `json:"as_was,omitempty"` // deployment whose /etc is taken as it was instead
	Reason string    `json:"reason"`
}

// PlanDeploy plans to boot a node next.
func (m *Machine) PlanDeploy(number int) (*DeployPlan, error) {
	if err := m.needRoot("deploy"); err != nil {
		return nil, err
	}
	sys, err := m.Running()
	if err != nil {
		return nil, err
	}
	n, err := sys.Nodes.Get(number)
	if err != nil {
		return nil, err
	}
	return &DeployPlan{Node: n, From: sys.Live, Reason: fmt.Sprintf("deploy node %d", number)}, nil
}

// RollbackRequest says where to go back to.
type RollbackRequest struct {
	To    int  // deployment; 0: the newest good one other than the running
	AsWas bool // take its /etc as it was instead of merging the live one
}

// PlanRollback plans to go back to the node of an earlier deployment. It
// deletes nothing: the node gets a new deployment number.
func (m *Machine) PlanRollback(r RollbackRequest) (*DeployPlan, error) {
	if err := m.needRoot("rollback"); err != nil {
		return nil, err
	}
	sys, err := m.Running()
	if err != nil {
		return nil, err
	}
	var to deploy.Deployment
	if r.To != 0 {
		to, err = sys.Deploys.Get(r.To)
	} else {
		var all []deploy.Deployment
		if all, err = sys.Deploys.List(); err == nil {
			to, err = previousGood(all, sys.Booted)
		}
	}
	if err != nil {
		return nil, err
	}
	n, err := sys.Nodes.Get(to.Node)
	if err != nil {
		return nil, err
	}
	p := &DeployPlan{Node: n, From: sys.Live, Reason: fmt.Sprintf("rollback to deployment %d", to.Number)}
	if r.AsWas {
		p.AsWas = to.Number
	}
	return p, nil
}

// previousGood is the newest good deployment that runs another node than the
// booted one: going back to the same node would change nothing.
func previousGood(all []deploy.Deployment, booted int) (deploy.Deployment, error) {
	current := 0
	for _, d := range all {
		if d.Number == booted {
			current = d.Node
		}
	}
	var others []deploy.Deployment
	for _, d := range all {
		if d.Node != current {
			others = append(others, d)
		}
	}
	return deploy.LastGood(others, booted)
}

// RunDeploy makes the planned node bootable and arms it.
func (m *Machine) RunDeploy(ctx context.Context, sink report.Sink, p *DeployPlan) (deploy.Deployment, error) {
	sys, err := m.Running()
	if err != nil {
		return deploy.Deployment{}, err
	}
	var d deploy.Deployment
	err = m.locked(sys, sink, func() error {
		d, err = m.stage(ctx, sink, sys, deploy.Request{Node: p.Node, From: p.From, AsWas: p.AsWas, Reason: p.Reason})
		return err
	})
	return d, err
}

// stage makes a node the next thing to boot: its /etc, its blobs on the ESP,
// then the boot entry with tries left, which is the commit.
func (m *Machine) stage(ctx context.Context, sink report.Sink, sys *System, r deploy.Request) (deploy.Deployment, error) {
	mf, err := m.runningManifest()
	if err != nil {
		return deploy.Deployment{}, err
	}
	return m.stageWith(ctx, sink, sys, r, nodeWork{mf: mf})
}

// stageWith is stage by a manifest that is not the running one, and with more
// to do to the merged /etc.
func (m *Machine) stageWith(ctx context.Context, sink report.Sink, sys *System, r deploy.Request, work nodeWork) (deploy.Deployment, error) {
	task := report.Begin(sink, "merge /etc", 0, "")
	d, err := sys.Deploys.Create(r)
	task.End(err, conflictSummary(d))
	if err != nil {
		return d, err
	}
	for _, c := range d.Conflicts {
		report.Warnf(sink, "/etc/%s: %s", c.Path, c.Reason)
	}
	for _, n := range d.Notes {
		report.Notef(sink, "/etc/%s: %s", n.Path, n.Reason)
	}
	if err := ctx.Err(); err != nil {
		return d, context.Cause(ctx)
	}
	if err := m.keepMounts(sys, r, d); err != nil {
		return d, err
	}
	if err := m.seedVolumes(ctx, sys, d.Node); err != nil {
		return d, err
	}
	m.fillDeployed(sink, sys, r, d)
	if work.etc != nil {
		if err := work.etc(d); err != nil {
			return d, err
		}
	}
	opt := optionsOf(work.mf)
	if err := m.fillESP(sink, sys, &d, r.Node, opt.kernelPackage); err != nil {
		return d, err
	}
	if work.ready != nil {
		if err := work.ready(d); err != nil {
			return d, err
		}
	}
	return m.arm(sink, sys, d, opt)
}

func conflictSummary(d deploy.Deployment) string {
	switch len(d.Conflicts) {
	case 0:
		return "no conflict"
	case 1:
		return "1 conflict"
	}
	return fmt.Sprintf("%d conflicts", len(d.Conflicts))
}
