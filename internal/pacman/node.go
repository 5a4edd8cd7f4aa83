// SPDX-License-Identifier: GPL-3.0-or-later

package pacman

import (
	"fmt"
	"path/filepath"

	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/internal/flow"
	"github.com/rastos/rastos/internal/report"
)

// world opens the root. On a machine that was booted from a node, that is the
// node that boots next: what is staged already is built on.
func (s *session) world() (*flow.World, error) {
	return s.Machine.WorldOf(filepath.Clean(s.conf.RootDir), s.envOf)
}

// rebase makes the transaction one on the node that boots next, if changes of
// this root go into nodes.
func (t *transaction) rebase() error {
	w, err := t.world()
	if err != nil {
		return err
	}
	if t.env, err = w.HeadEnv(); err != nil || !w.InNodes() {
		return err
	}
	w.Watch = t.show.event
	t.node = w
	t.local, err = trans.Installed(t.env)
	return err
}

// runInNode makes a new node of the plan and has it boot next.
func (t *transaction) runInNode() error {
	sink := report.SinkFunc(func(e report.Event) {
		t.show.mu.Lock()
		defer t.show.mu.Unlock()
		switch e.Kind {
		case report.Warning:
			t.warnf("%s", e.Message)
		case report.Note:
			t.colon("%s\n", e.Message)
		case report.Start:
			t.colon("%s...\n", e.Task)
		}
		_ = t.out.Flush()
	})
	plan := t.node.Plan(fmt.Sprintf("pacman -%s", t.opt.Op), t.plan)
	if t.opt.Live {
		if err := t.node.AtOnce(plan); err != nil {
			return err
		}
	}
	done, err := t.Machine.RunChange(t.ctx, sink, t.node, plan)
	if err != nil || done.Deployment == nil {
		return err
	}
	t.show.finish()
	if done.Live {
		t.colon("Deployment %d runs now, and boots next\n", done.Deployment.Number)
		return nil
	}
	t.colon("Deployment %d is what boots next; the running system is as it was\n", done.Deployment.Number)
	for _, why := range done.NotLive {
		t.warnf("it was not applied at once: %s", why)
	}
	return nil
}
