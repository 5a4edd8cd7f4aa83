// SPDX-License-Identifier: GPL-3.0-or-later

package pacman

import (
	"fmt"
	"path/filepath"

	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/internal/flow"
	"github.com/rastos/rastos/internal/report"
)

// Where a tree that is being built has its own database and hooks.
const (
	treeDatabase = "var/lib/pacman"
	treeHooks    = "etc/pacman.d/hooks"
)

// world opens the root. On a machine that was booted from a node, that is the
// node that boots next: what is staged already is built on.
func (s *session) world() (*flow.World, error) {
	return s.Machine.WorldOf(filepath.Clean(s.conf.RootDir), s.envOf)
}

// envOf is the engine's view of the root, or of a tree that is being built
// from it, which has a database and hooks of its own.
func (s *session) envOf(root, syncDir string) (trans.Env, error) {
	env, err := s.env()
	if filepath.Clean(root) == filepath.Clean(s.conf.RootDir) {
		return env, err
	}
	env.Root, env.DBPath, env.SyncDir = root, filepath.Join(root, treeDatabase), syncDir
	env.HookDirs = []string{filepath.Join(root, systemHooks), filepath.Join(root, treeHooks)}
	env.Durable = false // it is thrown away if anything fails
	return env, err
}

// rebase makes the transaction one on the node that boots next, if changes of
// this root go into nodes.
func (t *transaction) rebase() error {
	w, err := t.world()
	if err != nil || !w.InNodes() {
		return err
	}
	if t.opt.Live {
		return errLive{}
	}
	w.Watch = t.show.event
	env, err := w.HeadEnv()
	if err != nil {
		return err
	}
	t.node, t.env = w, env
	t.local, err = trans.Installed(env)
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
