// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/solve"
	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/internal/deploy"
	"github.com/rastos/rastos/internal/manifest"
	"github.com/rastos/rastos/internal/node"
	"github.com/rastos/rastos/internal/report"
)

// ChangeRequest is what is to become of a system's packages.
type ChangeRequest struct {
	trans.Request
	Verb    string   // "install", "upgrade": the reason that a new node gets
	Refresh bool     // bring the repositories' databases up to date first
	Ignore  []string // patterns of packages to leave alone, beside those of the settings
}

// ChangePlan says what a change of packages does, and where: on a machine that
// was booted from a node in a new node on top of Base, else in place.
type ChangePlan struct {
	Verb     string      `json:"verb"`
	Root     string      `json:"root"`
	Base     *node.Node  `json:"base,omitempty"` // the node of the head: what is staged is never dropped
	From     int         `json:"from,omitempty"` // deployment whose live /etc is carried over
	Packages *trans.Plan `json:"packages"`
	// Explicit names installed dependencies that are to count as asked for.
	Explicit []string `json:"explicit,omitempty"`
	Notes    []string `json:"notes,omitempty"`  // what a person should know of it
	Live     bool     `json:"live,omitempty"`   // apply it to the running system, too
	Staged   int      `json:"staged,omitempty"` // deployment that boots next and does not run yet
	Trial    bool     `json:"trial,omitempty"`  // let only this boot have it: RunTrial
	Undoes   string   `json:"undoes,omitempty"` // the transaction of the history that it takes back
}

// Empty tells that there is nothing to do.
func (p *ChangePlan) Empty() bool { return p.Unchanged() && (!p.Live || p.Staged == 0) }

// Unchanged tells that no package changes.
func (p *ChangePlan) Unchanged() bool { return p.Packages.Empty() && len(p.Explicit) == 0 }

// Reason names what the change does, for lists of nodes and the history.
func (p *ChangePlan) Reason() string {
	if p.Packages.Empty() && len(p.Explicit) > 0 {
		return p.Verb + ": count " + joinNames(p.Explicit) + " as asked for"
	}
	return p.Verb + ": " + summary(p.Packages)
}

// Changed is what a change led to.
type Changed struct {
	Reason     string             `json:"reason"`
	Deployment *deploy.Deployment `json:"deployment,omitempty"` // the one that boots next; nil: it was made in place
	// Live: it runs already. NotLive says why it does not, where that was asked for.
	Live    bool     `json:"live,omitempty"`
	NotLive []string `json:"not_live,omitempty"`
	// Keys are what keyring packages of the change taught the keyring.
	Keys []trans.Lesson `json:"keys,omitempty"`
}

// errNoHead: every deployment is bad, which only a person can mend.
var errNoHead = errors.New("no deployment of this machine is good or armed: there is nothing to build on")

// PlanChange works out what a request means to a system. It changes nothing but
// the databases of the repositories, where that was asked for.
func (m *Machine) PlanChange(ctx context.Context, sink report.Sink, w *World, r ChangeRequest) (*ChangePlan, error) {
	if err := m.needRootAt(w.Root, r.Verb); err != nil {
		return nil, err
	}
	if r.Refresh && !w.fresh {
		if _, err := m.Refresh(ctx, sink, w); err != nil {
			return nil, err
		}
	}
	env, err := w.HeadEnv()
	if err != nil {
		return nil, err
	}
	env.IgnorePkg = slices.Concat(env.IgnorePkg, r.Ignore)
	if err := recoverPackages(ctx, sink, env); err != nil {
		return nil, err
	}
	packages, err := w.engine.Prepare(ctx, env, r.Request)
	if err != nil {
		return nil, adviseKeyring(env, advise(err))
	}
	return w.Plan(r.Verb, packages), nil
}

// recoverPackages finishes or takes back what an interrupted transaction left,
// so that a plan is made for a system that is whole.
func recoverPackages(ctx context.Context, sink report.Sink, env trans.Env) error {
	cut, err := trans.Interrupted(env)
	if err != nil || !cut {
		return err
	}
	_, err = trans.Recover(ctx, env, packageEvents(sink))
	return err
}

// Plan is a change that was worked out over HeadEnv, to be run in this world.
func (w *World) Plan(verb string, packages *trans.Plan) *ChangePlan {
	p := &ChangePlan{Verb: verb, Root: w.Root, Packages: packages}
	if w.sys != nil {
		base := w.base
		p.Base, p.From = &base, w.sys.Live
	}
	return p
}

// events is who hears what the engine does.
func (w *World) events(sink report.Sink) trans.Events {
	if w.Watch != nil {
		return w.Watch
	}
	return packageEvents(sink)
}

// Refresh brings the databases of the repositories up to date, and names those
// that have changed. They are the machine's, whichever node it runs.
func (m *Machine) Refresh(ctx context.Context, sink report.Sink, w *World) (changed []string, err error) {
	if err := m.needRootAt(w.Root, "sync"); err != nil {
		return nil, err
	}
	env, err := w.Env()
	if err != nil {
		return nil, err
	}
	if w.sys != nil {
		env.DBPath = filepath.Dir(w.syncDir) // whose lock it is
	}
	changed, err = w.engine.Sync(ctx, env, packageEvents(sink))
	if err != nil {
		if head, headErr := w.HeadEnv(); headErr == nil {
			err = adviseKeyring(head, err)
		}
	}
	return changed, err
}

// needRootAt: this machine is root's; what another tree allows, its files say.
func (m *Machine) needRootAt(root, what string) error {
	if root != "/" {
		return nil
	}
	return m.needRoot(what)
}

// advise names the verb or the flag where the engine can only say what is
// missing.
func advise(err error) error {
	var declined *solve.HoldBackError
	switch {
	case errors.Is(err, trans.ErrNoDatabase):
		return report.WithHint(err, "`rastos pkg sync` fetches the databases")
	case errors.As(err, &declined):
		return report.WithHint(err, "%s; --hold-back does that", declined.Hint())
	}
	return err
}

// RunChange carries out a plan in the world that it was made for.
func (m *Machine) RunChange(ctx context.Context, sink report.Sink, w *World, p *ChangePlan) (Changed, error) {
	if err := m.needRootAt(w.Root, p.Verb); err != nil {
		return Changed{}, err
	}
	if p.Base == nil {
		return m.changeInPlace(ctx, sink, w, p)
	}
	if w.sys == nil {
		return Changed{}, fmt.Errorf("%s: the plan is for a machine booted from a node", p.Verb)
	}
	work, err := m.changeWork(p)
	if err != nil {
		return Changed{}, err
	}
	return m.changeOnMachine(ctx, sink, w, p, work, p.Unchanged())
}

// changeOnMachine makes the new node, unless only what is staged is to be applied
// at once, and applies it at once where the plan says so.
func (m *Machine) changeOnMachine(ctx context.Context, sink report.Sink, w *World, p *ChangePlan, work nodeWork, unchanged bool) (Changed, error) {
	var d deploy.Deployment
	var err error
	if unchanged && p.Live {
		d, err = w.sys.Deploys.Get(p.Staged)
	} else {
		d, err = m.changeInNode(ctx, sink, w, p, work)
	}
	done := Changed{Reason: work.reason, Deployment: &d, Keys: p.Packages.Learned()}
	if err != nil || !p.Live {
		return done, err
	}
	return done, m.applyAtOnce(ctx, sink, w.sys, &done)
}

// changeInPlace runs a plan on the root itself, in a way that a crash leaves
// something to go on from.
func (m *Machine) changeInPlace(ctx context.Context, sink report.Sink, w *World, p *ChangePlan) (Changed, error) {
	w.undoes = p.Undoes
	env, err := w.Env()
	if err != nil {
		return Changed{}, err
	}
	if !p.Packages.Empty() {
		events := w.events(sink)
		if err := download(ctx, w.engine, env, p.Packages, events); err != nil {
			return Changed{}, err
		}
		if err := w.engine.Run(ctx, env, p.Packages, events); err != nil {
			return Changed{Reason: p.Reason()}, err
		}
	}
	done := Changed{Reason: p.Reason(), Keys: p.Packages.Learned()}
	if err := p.setExplicit(ctx, env); err != nil || w.mf == nil {
		return done, err
	}
	t, err := m.Tree(w.Root)
	if err != nil {
		return Changed{}, err
	}
	defer t.Close()
	return done, m.pinChange(ctx, env, t, w.mf, p)
}

// changeWork is what a change of packages does to a new node beside them: it
// pins what came out.
func (m *Machine) changeWork(p *ChangePlan) (nodeWork, error) {
	mf, err := m.runningManifest()
	return nodeWork{mf: mf, reason: p.Reason(), tree: func(ctx context.Context, env trans.Env, t Tree) error {
		if err := p.setExplicit(ctx, env); err != nil {
			return err
		}
		return m.pinChange(ctx, env, t, mf, p)
	}}, err
}

// setExplicit lets installed dependencies count as asked for.
func (p *ChangePlan) setExplicit(ctx context.Context, env trans.Env) error {
	reasons := map[string]desc.Reason{}
	for _, name := range p.Explicit {
		reasons[name] = desc.Explicit
	}
	return trans.SetReasons(ctx, env, reasons)
}

func (m *Machine) pinChange(ctx context.Context, env trans.Env, t Tree, mf *manifest.Manifest, p *ChangePlan) error {
	old, _ := readLock(t.ReadFile, systemLockPath) // a broken one is written anew
	pins := pinner{env: env, mf: mf, tree: t, plan: p.Packages, old: old}
	_, err := pins.write(ctx)
	return err
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
