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
	if t.opt.Live {
		return errLive{}
	}
	w.Watch = t.show.event
	t.node = w
	t.local, err = trans.Installed(t.env)
	return err
}

// errLive is a change that would have to be made to a sealed tree.
type errLive struct{}

func (errLive) Error() string {
	return "the running system is a sealed node, to which a change cannot be applied at once"
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
	done, err := t.Machine.RunChange(t.ctx, sink, t.node, t.node.Plan(fmt.Sprintf("pacman -%s", t.opt.Op), t.plan))
	if err == nil && done.Deployment != nil {
		t.show.finish()
		t.colon("Deployment %d is what boots next; the running system is as it was\n", done.Deployment.Number)
	}
	return err
}
