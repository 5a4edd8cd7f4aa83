// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"context"
	"errors"

	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/internal/manifest"
	"github.com/rastos/rastos/internal/report"
)

// PackageEngine changes which packages a tree holds: a plan first, which is
// shown, and then that very plan. alpm/trans is the native engine and says what
// each call does.
type PackageEngine interface {
	Sync(ctx context.Context, env trans.Env, events trans.Events) (changed []string, err error)
	Prepare(ctx context.Context, env trans.Env, req trans.Request) (*trans.Plan, error)
	Download(ctx context.Context, env trans.Env, plan *trans.Plan, events trans.Events) error
	Run(ctx context.Context, env trans.Env, plan *trans.Plan, events trans.Events) error
}

// engineLibalpm is the manifest's word for the host's library.
const engineLibalpm = "libalpm"

// engine is what [packages] engine chooses.
func (m *Machine) engine(mf *manifest.Manifest) (PackageEngine, error) {
	if mf.Packages.Engine != engineLibalpm {
		return trans.Native{}, nil
	}
	if m.Libalpm == nil {
		return nil, report.WithHint(errors.New(`engine = "libalpm": this program comes without it`), `use engine = "native"`)
	}
	return m.Libalpm, nil
}
