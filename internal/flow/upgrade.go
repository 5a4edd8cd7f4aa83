// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"context"

	"github.com/rastos/rastos/internal/report"
)

// PlanUpgrade fetches the databases of the running rastOS and works out what is
// newer. RunChange carries it out.
func (m *Machine) PlanUpgrade(ctx context.Context, sink report.Sink, s Settings, r UpgradeRequest) (*World, *ChangePlan, error) {
	if err := m.needRoot("upgrade"); err != nil {
		return nil, nil, err
	}
	if _, err := m.Running(); err != nil {
		return nil, nil, err // it says what a machine must be for this
	}
	w, err := m.World(s, Place{})
	if err != nil {
		return nil, nil, err
	}
	r.Refresh = true
	p, err := m.PlanPkgUpgrade(ctx, sink, w, r)
	return w, p, err
}
