// SPDX-License-Identifier: GPL-3.0-or-later

package pacman

import (
	"context"

	"github.com/rastos/rastos/alpm/solve"
)

// remove is -R.
func (s *session) remove(ctx context.Context) int {
	if len(s.opt.Targets) == 0 {
		s.errorf("no targets specified (use -h for help)")
		return 1
	}
	t, ok := s.begin(ctx, nil)
	if !ok {
		return 1
	}
	defer t.release()
	t.env.HoldPkg = nil // asked about below, once for all
	req := t.request()
	req.Remove = s.opt.Targets
	if code, ok := t.prepare(req); !ok {
		return code
	}
	if !t.heldOver() {
		if ctx.Err() != nil {
			return t.interrupted()
		}
		return 1
	}
	return t.removal()
}

// heldOver asks about packages of the plan that HoldPkg names.
func (t *transaction) heldOver() bool {
	held := false
	for _, rm := range t.plan.Remove {
		for _, pattern := range t.conf.HoldPkg {
			if solve.Match(pattern, rm.Package.Name) {
				t.warnf("%s is designated as a HoldPkg.", rm.Package.Name)
				held = true
				break
			}
		}
	}
	return !held || t.ask.noyes("HoldPkg was found in target list. Do you want to continue?")
}

// removal shows the plan, asks, and commits.
func (t *transaction) removal() int {
	if len(t.plan.Remove) == 0 {
		t.print(" there is nothing to do\n")
		return 0
	}
	if t.opt.Print {
		for i := range t.plan.Remove {
			t.printRemoval(t.plan.Remove[i].Package)
		}
		return 0
	}
	t.showPlan()
	t.print("\n")
	agreed := t.ask.yesno("Do you want to remove these packages?")
	if t.ctx.Err() != nil {
		return t.interrupted()
	}
	if !agreed {
		return 1
	}
	return t.commit("")
}
