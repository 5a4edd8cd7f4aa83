// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/history"
	"github.com/rastos/rastos/alpm/localdb"
	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/internal/node"
	"github.com/rastos/rastos/internal/report"
)

// lackingError says which archives a sync cannot do without.
type lackingError struct {
	reasons []string
	hint    string
}

func (e *lackingError) Error() string { return joinLines(e.reasons) }
func (e *lackingError) Hint() string  { return e.hint }
func (e *lackingError) ExitCode() int { return exitUnfound }

func joinLines(lines []string) string {
	text := lines[0]
	for _, l := range lines[1:] {
		text += "\n  " + l
	}
	return text
}

// PlanSync works out how the nodes that came from an older version of a node get
// what changed in it since: by the same transaction of packages over each of them,
// and what changed beside packages merged three ways.
func (m *Machine) PlanSync(ctx context.Context, sink report.Sink, s Settings, ref string) (*World, *TreePlan, error) {
	if err := m.needRoot("snapshot sync"); err != nil {
		return nil, nil, err
	}
	if _, err := m.Running(); err != nil {
		return nil, nil, err
	}
	w, err := m.World(s, Place{})
	if err != nil {
		return nil, nil, err
	}
	n, err := w.sys.find(ref)
	if err != nil {
		return nil, nil, err
	}
	all, err := w.sys.Nodes.List()
	if err != nil {
		return nil, nil, err
	}
	tree := node.NewTree(all)
	newest, behind := tree.Behind(n.Number)
	p := &TreePlan{Verb: "sync", Root: newest, sync: true}
	for _, b := range behind {
		c, err := m.planSync(ctx, sink, w, tree, newest, b)
		if err != nil {
			return nil, nil, fmt.Errorf("node %d: %w", b.Node.Number, err)
		}
		p.Nodes = append(p.Nodes, c)
	}
	return w, p, nil
}

// planSync does it for one node.
func (m *Machine) planSync(ctx context.Context, sink report.Sink, w *World, tree *node.Tree, newest int, b node.Behind) (c NodeChange, err error) {
	on := w.onNode(b.Node, false)
	r := replay{w: on, reasons: map[string]desc.Reason{}}
	for i, number := range []int{b.Base, newest, b.Node.Number} {
		if r.dbs[i], err = nodePackages(w.sys, number); err != nil {
			return c, err
		}
	}
	r.compare(newest)
	packages, err := r.plan(ctx, sink)
	if err != nil {
		return c, advise(err)
	}
	c = NodeChange{Node: b.Node, Plan: on.Plan("sync", packages), Conflicts: r.conflicts}
	for i := range c.Conflicts {
		c.Conflicts[i].Node = b.Node.Number
	}
	work, err := m.syncWork(w.sys, c.Plan, &r, b.Base, newest, tree.Files(b.Base, newest))
	if err != nil {
		return c, err
	}
	if c.Files = work.files; c.Files || !c.Plan.Packages.Empty() || len(r.reasons) > 0 {
		c.work = work
	}
	return c, nil
}

func nodePackages(sys *System, number int) (*localdb.DB, error) {
	return localdb.Open(sys.Nodes.Root(number) + "/" + nodeDB)
}

// replay is the change of packages from one node to its newer version, for a third
// one that has gone its own way since.
type replay struct {
	w         *World
	dbs       [3]*localdb.DB // of the older and the newer version, and of the node
	remove    []string
	install   []wanted
	reasons   map[string]desc.Reason // of what stays in its version
	delta     []string               // names of all that changed
	conflicts []NodeConflict
}

// version is that of a package in one of the three, "" where it is absent.
func (r *replay) version(i int, name string) string {
	if p := r.dbs[i].Package(name); p != nil {
		return p.Version
	}
	return ""
}

// compare decides on each package by the rule of three.
func (r *replay) compare(newest int) {
	names := map[string]bool{}
	for _, db := range r.dbs[:2] {
		for _, p := range db.Packages() {
			names[p.Name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		was, is, here := r.version(0, name), r.version(1, name), r.version(2, name)
		if was != is {
			r.delta = append(r.delta, name)
		}
		switch {
		case was == is || here == is:
			r.reason(name)
		case here != was:
			r.conflicts = append(r.conflicts, NodeConflict{
				What: "package " + name,
				Why:  fmt.Sprintf("it went from %s to %s in node %d, and is %s here, which stays", orAbsent(was), orAbsent(is), newest, orAbsent(here)),
			})
		case is == "":
			r.remove = append(r.remove, name)
		default:
			p := r.dbs[1].Package(name)
			r.install = append(r.install, wanted{name: name, Version: history.Version{Version: is, Arch: p.Arch, Reason: p.Reason.String()}, reason: p.Reason})
		}
	}
}

func orAbsent(version string) string {
	if version == "" {
		return "absent"
	}
	return version
}

// reason carries over why a package is there.
func (r *replay) reason(name string) {
	was, is, here := r.dbs[0].Package(name), r.dbs[1].Package(name), r.dbs[2].Package(name)
	if is != nil && here != nil && here.Reason != is.Reason && (was == nil || was.Reason == here.Reason) {
		r.reasons[name] = is.Reason
	}
}

// plan lets the engine work out the transaction. What the node needs is not
// removed from it.
func (r *replay) plan(ctx context.Context, sink report.Sink) (*trans.Plan, error) {
	if len(r.remove)+len(r.install) == 0 {
		return &trans.Plan{}, nil
	}
	env, err := r.w.HeadEnv()
	if err != nil {
		return nil, err
	}
	log := r.w.historyLog("")
	entries, _, err := log.Read()
	if err != nil {
		return nil, err
	}
	s := supplier{w: r.w, env: env, sink: sink, entries: entries}
	req := trans.Request{Remove: r.remove, Unneeded: len(r.remove) > 0}
	lacking, err := s.supply(ctx, r.install, &req)
	if err != nil {
		return nil, err
	}
	if len(lacking) > 0 {
		return nil, &lackingError{lacking, s.lackingHint()}
	}
	packages, err := r.w.engine.Prepare(ctx, s.env, req)
	if err != nil {
		return nil, err
	}
	reasons := map[string]desc.Reason{}
	for _, w := range r.install {
		reasons[w.name] = w.reason
	}
	takeReasons(packages, reasons)
	for _, name := range r.remove {
		if !slices.ContainsFunc(packages.Remove, func(rm trans.Removal) bool { return rm.Package.Name == name }) {
			r.conflicts = append(r.conflicts, NodeConflict{What: "package " + name, Why: "it was removed there, and something needs it here: it stays"})
		}
	}
	return packages, nil
}
