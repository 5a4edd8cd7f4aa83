// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/internal/report"
)

// Trial is packages that only this boot sees: a read-write snapshot of the node
// that runs, with them in it, whose folders take the place of that node's. It
// stays in its work folder, which is garbage as soon as the machine has gone
// down, however that came.
type Trial struct {
	Reason string `json:"reason"`
	Work   string `json:"work"` // its folder
	// Etc: it has an /etc of its own, and what is written there goes with it.
	Etc bool `json:"etc"`
	// Points are the folders and files of its own below /var and its like.
	Points []string `json:"points"`
}

func (m *Machine) trialMark() string { return m.thisBoot("trial") }

// trial is the one that runs; nil: none does.
func (m *Machine) trial() (*Trial, error) {
	data, err := os.ReadFile(m.trialMark())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	t := &Trial{}
	if err := json.Unmarshal(data, t); err != nil {
		return nil, fmt.Errorf("read %s: %w", m.trialMark(), err)
	}
	return t, nil
}

// trialError says what keeps packages from being tried.
type trialError struct{ obstacles []string }

func (e *trialError) Error() string {
	return "this cannot be tried in the running system\n  " + strings.Join(e.obstacles, "\n  ")
}
func (e *trialError) Hint() string {
	return "without --try it is made in a new node, which a boot tries and `rastos rollback` takes back"
}

// trialRuns refuses a second one.
type trialRuns struct{ reason string }

func (e *trialRuns) Error() string { return "a trial runs already: " + e.reason }
func (e *trialRuns) Hint() string {
	return "it ends when the machine goes down; try all of it at once then"
}

// ForTrial is the world to plan a trial in: what is built on is what runs, not
// what boots next.
func (w *World) ForTrial() (*World, error) {
	if w.sys == nil {
		return nil, &notRunningError{errors.New("--try is about a machine that was booted from a node")}
	}
	if t, err := w.machine.trial(); err != nil {
		return nil, err
	} else if t != nil {
		return nil, &trialRuns{t.Reason}
	}
	d, err := w.sys.Deploys.Get(w.sys.Live)
	if err != nil {
		return nil, err
	}
	n, err := w.sys.Nodes.Get(d.Node)
	if err != nil {
		return nil, err
	}
	return w.onNode(n, true), nil
}

// RunTrial carries out a plan that was made in a world for trials.
func (m *Machine) RunTrial(ctx context.Context, sink report.Sink, w *World, p *ChangePlan) (t *Trial, err error) {
	if err := m.needRoot("pkg install --try"); err != nil {
		return nil, err
	}
	err = m.locked(w.sys, sink, func() error {
		if other, err := m.trial(); err != nil {
			return err
		} else if other != nil {
			return &trialRuns{other.Reason}
		}
		if live, err := m.liveDeployment(w.sys.Booted); err != nil {
			return err
		} else if live != p.From {
			return &overtakenError{w.Root}
		}
		t, err = m.try(ctx, sink, w, p)
		return err
	})
	if err == nil {
		m.rereadServices(ctx, sink)
	}
	return t, err
}

func (m *Machine) try(ctx context.Context, sink report.Sink, w *World, p *ChangePlan) (*Trial, error) {
	do, err := m.trialWork(w, p)
	if err != nil {
		return nil, err
	}
	work, _, err := m.buildWork(ctx, sink, w, p, do, nil)
	if err != nil {
		return nil, err
	}
	t := &Trial{Reason: p.Reason(), Work: filepath.Dir(work.Root()), Points: []string{}}
	if err = m.showTrial(sink, w.sys, p, t); err != nil && !exists(m.exchangeJournal()) {
		return nil, errors.Join(err, work.Discard())
	}
	// Either the machine works with it from now on, or what is mounted of it could
	// not be taken back: recovery tries that again before it collects the folder.
	work.Leave()
	return t, err
}

// trialWork is what a trial does beside its packages: nothing that stays.
func (m *Machine) trialWork(w *World, p *ChangePlan) (do nodeWork, err error) {
	do = nodeWork{reason: p.Reason(), tree: func(ctx context.Context, env trans.Env, _ Tree) error {
		return p.setExplicit(ctx, env)
	}}
	if do.mf, err = m.runningManifest(); err != nil {
		return do, err
	}
	do.kernelPackage, err = m.kernelPackage(w.sys, *p.Base)
	return do, err
}

// showTrial lets what was built take the place of what runs.
func (m *Machine) showTrial(sink report.Sink, sys *System, p *ChangePlan, t *Trial) error {
	d, err := sys.Deploys.Get(p.From)
	if err != nil {
		return err
	}
	node, root, etc := sys.Nodes.Root(p.Base.Number), filepath.Join(t.Work, "root"), filepath.Join(t.Work, "etc")
	if t.Etc, err = sys.Deploys.Trial(d, root, etc); err != nil {
		return err
	}
	x := &exchange{m: m, Trial: t.Work}
	if err := x.replace(node, root); err != nil {
		return err
	}
	if t.Etc {
		if err := x.add("/etc", etc, "rw"); err != nil {
			return err
		}
	}
	points, err := x.points(node, root, sys.Nodes.Top)
	if err != nil {
		return err
	}
	if len(x.obstacles) > 0 {
		return &trialError{x.obstacles}
	}
	for _, pt := range points {
		t.Points = append(t.Points, pt.volume)
	}
	data, err := json.Marshal(t)
	if err != nil {
		return err
	}
	if err := m.makePoints(sys, t, points); err != nil {
		return errors.Join(err, m.dropPoints(sys, t.Work))
	}
	task := report.Begin(sink, "let this boot see it", 0, "")
	err = x.run(func() error { return writeMark(m.trialMark(), string(data)) }, func() error { return m.dropPoints(sys, t.Work) })
	task.End(err, strings.Join(x.folders(), " "))
	return err
}

// trialUses tells whether a path is in the folder of the trial that runs.
func (m *Machine) trialUses(path string) (bool, error) {
	t, err := m.trial()
	return t != nil && strings.HasPrefix(path, t.Work+"/"), err
}
