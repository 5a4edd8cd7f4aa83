// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"context"
	"fmt"

	"github.com/rastos/rastos/internal/deploy"
	"github.com/rastos/rastos/internal/report"
)

// FoldRequest says where a fold runs.
type FoldRequest struct {
	// Top is where the top level is mounted; "" for the running machine. The
	// initramfs names it: there nothing else is mounted yet.
	Top string
	// Deployment is the one about to boot; 0: the one that boots next.
	Deployment int
}

// Fold carries late changes of the live /etc into the deployment that boots
// next. A deployment that has already booted well is left alone: its /etc has
// gone its own way since.
func (m *Machine) Fold(ctx context.Context, sink report.Sink, r FoldRequest) error {
	var sys *System
	var err error
	if r.Top == "" {
		sys, err = m.Running()
	} else {
		sys, err = m.open(r.Top)
	}
	if err != nil {
		return err
	}
	unlock, err := m.WaitLock(ctx, sys.lockPath())
	if err != nil {
		return err
	}
	defer unlock()
	d, ok, err := m.foldTarget(sys, r.Deployment)
	if err != nil || !ok {
		return err
	}
	folded, did, err := sys.Deploys.Fold(d)
	if err != nil {
		return err
	}
	if r.Deployment != 0 {
		// From here on the deployment writes its own /etc.
		folded.Tried = true
		if err := sys.Deploys.Put(folded); err != nil {
			return err
		}
	}
	if did {
		report.Notef(sink, "carried changes of /etc from deployment %d into deployment %d", d.From, d.Number)
		for _, c := range folded.Conflicts[len(d.Conflicts):] {
			report.Warnf(sink, "/etc/%s: %s", c.Path, c.Reason)
		}
		for _, n := range folded.Notes[len(d.Notes):] {
			report.Notef(sink, "/etc/%s: %s", n.Path, n.Reason)
		}
	}
	return nil
}

func (m *Machine) foldTarget(sys *System, number int) (deploy.Deployment, bool, error) {
	if number == 0 {
		all, err := sys.Deploys.List()
		if err != nil {
			return deploy.Deployment{}, false, err
		}
		d, ok := deploy.Head(all)
		return d, ok && d.State == deploy.Armed && d.Number != sys.Booted && d.Number != sys.Live, nil
	}
	if number == sys.Booted {
		return deploy.Deployment{}, false, fmt.Errorf("deployment %d runs: its /etc is mounted, and nothing can be folded into it", number)
	}
	d, err := sys.Deploys.Get(number)
	return d, err == nil && d.State == deploy.Armed && !d.Tried, err
}
