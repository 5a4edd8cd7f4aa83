// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/internal/deploy"
	"github.com/rastos/rastos/internal/node"
	"github.com/rastos/rastos/internal/report"
)

// Where says which nodes a change is about. The zero value is the head, the node
// that this machine boots next, and what comes of it boots next in its place.
type Where struct {
	Node string // a node, which stays; what comes of it is a node and not deployed
	Tree bool   // and all that is below it
}

// Given tells whether it is anything else than the head alone.
func (w Where) Given() bool { return w.Node != "" || w.Tree }

// TreePlan says what a change does to one or more nodes: each gets a new version,
// and all of them come to be at once.
type TreePlan struct {
	Verb   string       `json:"verb"`
	Root   int          `json:"root"`   // the node that was named
	Deploy bool         `json:"deploy"` // its new version boots next
	Nodes  []NodeChange `json:"nodes"`  // parents before children
	Notes  []string     `json:"notes,omitempty"`

	sync bool // it brings the nodes up to the root, which is there already
}

// NodeChange is what happens to one node.
type NodeChange struct {
	Node node.Node   `json:"node"`
	Keep bool        `json:"keep"` // nothing: it stays in its place
	Plan *ChangePlan `json:"plan"`
	// Files tells that more than packages changes: files are merged three ways.
	Files bool `json:"files,omitempty"`
	// Conflicts are what the node and the change want differently: the node's
	// stays.
	Conflicts []NodeConflict `json:"conflicts,omitempty"`
	work      *nodeWork      // beside the packages; nil: a change of packages has its own
}

// NodeConflict is something that a node keeps against a change.
type NodeConflict struct {
	Node   int    `json:"node"`
	What   string `json:"what"` // "package NAME" or a path
	Why    string `json:"why"`
	Beside string `json:"beside,omitempty"` // where the change's version lies
}

// Empty tells that there is nothing to do.
func (p *TreePlan) Empty() bool {
	return !slices.ContainsFunc(p.Nodes, func(c NodeChange) bool { return !c.Keep })
}

// TreeDone is what came of it.
type TreeDone struct {
	Nodes      []node.Node        `json:"nodes"`                // the new ones
	Deployment *deploy.Deployment `json:"deployment,omitempty"` // the one that boots next
	Conflicts  []NodeConflict     `json:"conflicts,omitempty"`
}

// onNode is the same world with another node to build on.
func (w *World) onNode(n node.Node, root bool) *World {
	c := *w
	c.base, c.side = n, true
	if !root {
		c.fresh, c.lenient = true, true
	}
	return &c
}

// selected are the nodes that a change is about.
func (sys *System) selected(at Where) (root node.Node, list []node.Node, err error) {
	if root, err = sys.find(at.Node); err != nil {
		return root, nil, err
	}
	if !at.Tree {
		return root, []node.Node{root}, nil
	}
	all, err := sys.Nodes.List()
	if err != nil {
		return root, nil, err
	}
	return root, node.NewTree(all).Current(root.Number), nil
}

// PlanTree works out what a change means to each of the nodes; plan does so for
// one.
func (m *Machine) PlanTree(w *World, at Where, plan func(*World) (*ChangePlan, error)) (*TreePlan, error) {
	if err := m.needRootAt(w.Root, "changing nodes"); err != nil {
		return nil, err
	}
	if w.sys == nil {
		return nil, &notRunningError{errors.New("--node and --tree are about the nodes of a machine that was booted from one")}
	}
	root, list, err := w.sys.selected(at)
	if err != nil {
		return nil, err
	}
	p := &TreePlan{Root: root.Number, Deploy: at.Node == ""}
	for _, n := range list {
		change, err := plan(w.onNode(n, n.Number == root.Number))
		if err != nil {
			return nil, fmt.Errorf("node %d: %w", n.Number, err)
		}
		p.Verb = change.Verb
		p.Nodes = append(p.Nodes, NodeChange{Node: n, Plan: change})
	}
	return p, p.settle(w.sys)
}

// settle finds the nodes that stay in their place: those that do not change and
// have no ancestor that does.
func (p *TreePlan) settle(sys *System) error {
	all, err := sys.Nodes.List()
	if err != nil {
		return err
	}
	tree, made := node.NewTree(all), map[int]int{}
	if newer := tree.Newest(p.Root); newer != p.Root && !p.Deploy {
		p.Notes = append(p.Notes, fmt.Sprintf("node %d has a newer version, node %d; this builds on the older one", p.Root, newer))
	}
	for i := range p.Nodes {
		c := &p.Nodes[i]
		seat := tree.Seat(p.Root, c.Node.Number, made)
		c.Keep = c.Plan.Empty() && c.work == nil && (c.Node.Number == p.Root || !isNew(seat))
		made[c.Node.Number] = c.Node.Number
		if !c.Keep {
			made[c.Node.Number] = -c.Node.Number // it has no number yet
		}
	}
	return nil
}

func isNew(number int) bool { return number < 0 }

// overtakenNodes stops a plan for nodes that are not the newest any more.
type overtakenNodes struct{ root int }

func (e *overtakenNodes) Error() string {
	return fmt.Sprintf("what is below node %d has changed since this plan was made", e.root)
}
func (e *overtakenNodes) Hint() string { return "another change came between: start again" }

// RunTree carries out a plan in the world that it was made for.
func (m *Machine) RunTree(ctx context.Context, sink report.Sink, w *World, p *TreePlan) (done TreeDone, err error) {
	if err := m.needRoot(p.Verb); err != nil {
		return done, err
	}
	record := w.recorder(trans.Env{})
	if !p.Deploy {
		record = nil
	}
	err = m.locked(w.sys, sink, func() error {
		all, err := w.sys.Nodes.List()
		if err != nil {
			return err
		}
		tree := node.NewTree(all)
		if err := p.current(w.sys, tree); err != nil {
			return err
		}
		b := treeBuild{m: m, w: w, p: p, tree: tree, record: record, made: map[int]int{}}
		if err := b.run(ctx, sink); err != nil {
			return err
		}
		if err := b.commit(ctx, sink); err != nil {
			return err
		}
		done = b.done
		return nil
	})
	if record != nil {
		var d deploy.Deployment
		if done.Deployment != nil {
			d = *done.Deployment
		}
		record.deployed(d, err)
	}
	return done, err
}

// current checks, under the lock, that the plan is about the newest nodes.
func (p *TreePlan) current(sys *System, tree *node.Tree) error {
	if p.Deploy {
		head := &ChangePlan{Base: &node.Node{Number: p.Root}}
		if err := head.current(sys); err != nil {
			return err
		}
	}
	if newest, _ := tree.Behind(p.Root); p.sync && newest != p.Root {
		return &overtakenNodes{p.Root}
	}
	for i, c := range p.Nodes {
		if _, ok := tree.Node(c.Node.Number); !ok || (i > 0 || p.sync) && tree.Replaced(c.Node.Number) {
			return &overtakenNodes{p.Root}
		}
	}
	return nil
}

// treeBuild makes the new versions.
type treeBuild struct {
	m      *Machine
	w      *World
	p      *TreePlan
	tree   *node.Tree
	record *recorder // of the root's change; nil: it is in no history
	made   map[int]int
	batch  *node.Batch
	late   []NodeConflict // of the node just built
	done   TreeDone
}

// run builds them; none of them exists before commit.
func (b *treeBuild) run(ctx context.Context, sink report.Sink) (err error) {
	if b.batch, err = b.w.sys.Nodes.Batch(b.p.Verb); err != nil {
		return err
	}
	if b.p.sync {
		b.made[b.p.Root] = b.p.Root
	}
	for _, c := range b.p.Nodes {
		if err := context.Cause(ctx); err != nil {
			return errors.Join(err, b.batch.Discard())
		}
		if c.Keep {
			b.made[c.Node.Number] = c.Node.Number
			continue
		}
		n, err := b.one(ctx, sink, c)
		if err != nil {
			return errors.Join(fmt.Errorf("node %d: %w", c.Node.Number, err), b.batch.Discard())
		}
		b.made[c.Node.Number] = n.Number
		b.done.Nodes = append(b.done.Nodes, n)
		for _, conflict := range append(c.Conflicts, b.late...) {
			conflict.Node = n.Number
			b.done.Conflicts = append(b.done.Conflicts, conflict)
		}
	}
	return nil
}

// commit makes the new versions exist. Where that of the head is to boot next, they
// come when its deployment is there but for the boot entry, and go again if that
// fails: a head whose tree has moved on without it would find nothing below it.
func (b *treeBuild) commit(ctx context.Context, sink report.Sink) error {
	i := slices.IndexFunc(b.done.Nodes, func(n node.Node) bool { return n.Number == b.made[b.p.Root] })
	if !b.p.Deploy || i < 0 {
		return b.batch.Commit() // only what is below the head changed
	}
	mf, err := b.m.runningManifest()
	if err != nil {
		return errors.Join(err, b.batch.Discard())
	}
	n, sys := b.done.Nodes[i], b.w.sys
	begun, there := false, false
	d, err := b.m.stageWith(ctx, sink, sys, deploy.Request{Node: n, From: sys.Live, Reason: n.Reason}, nodeWork{mf: mf, ready: func(d deploy.Deployment) error {
		begun = true
		err := b.batch.CommitWith(d.Number)
		there = err == nil
		return err
	}})
	switch {
	case there:
		_, takeErr := b.m.takeBack(sys)
		err = errors.Join(err, takeErr)
	case !begun:
		err = errors.Join(err, b.batch.Discard())
	}
	b.done.Deployment = &d
	return err
}

// one makes the new version of one node.
func (b *treeBuild) one(ctx context.Context, sink report.Sink, c NodeChange) (node.Node, error) {
	seat := b.tree.Seat(b.p.Root, c.Node.Number, b.made)
	if c.Plan.Empty() && c.work == nil {
		return b.batch.Copy(c.Node.Number, node.Node{
			Parent: seat, Replaces: c.Node.Number, Reason: fmt.Sprintf("follows its parent, node %d", seat),
		})
	}
	b.late = nil
	do := c.work
	if do == nil {
		work, err := b.m.changeWork(c.Plan)
		if err != nil {
			return node.Node{}, err
		}
		do = &work
	}
	var err error
	if do.kernelPackage, err = b.m.kernelPackage(b.w.sys, c.Node); err != nil {
		return node.Node{}, err
	}
	var record *recorder
	if c.Node.Number == b.p.Root {
		record = b.record
	}
	on := b.w.onNode(c.Node, c.Node.Number == b.p.Root)
	work, n, err := b.m.buildWork(ctx, sink, on, c.Plan, *do, record)
	if err != nil {
		return n, err
	}
	n.Parent, n.Files = seat, do.files
	if do.conflicts != nil {
		b.late = *do.conflicts
	}
	if n, err = b.batch.Seal(work, n); err != nil {
		err = errors.Join(err, work.Discard())
	}
	return n, err
}

// kernelPackage is the package of the kernel that a node was sealed with: it may
// be another one than the running manifest's.
func (m *Machine) kernelPackage(sys *System, n node.Node) (string, error) {
	t, err := m.Tree(sys.Nodes.Root(n.Number))
	if err != nil {
		return "", err
	}
	defer t.Close()
	base, err := t.ReadFile(path.Join(modulesDir, n.Kernel, "pkgbase"))
	if err != nil {
		return "", nil // the manifest's has to do
	}
	return strings.TrimSpace(string(base)), nil
}
