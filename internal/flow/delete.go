// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"fmt"
	"maps"
	"slices"

	"github.com/rastos/rastos/internal/boot"
	"github.com/rastos/rastos/internal/deploy"
	"github.com/rastos/rastos/internal/node"
	"github.com/rastos/rastos/internal/report"
)

// DeletePlan says which nodes go, children before parents, and which deployments
// of theirs go with them.
type DeletePlan struct {
	Nodes       []node.Node         `json:"nodes"`
	Deployments []deploy.Deployment `json:"deployments,omitempty"`
}

// guardedError refuses to delete what the machine needs.
type guardedError struct {
	number int
	why    string
	hint   string
}

func (e *guardedError) Error() string { return fmt.Sprintf("node %d stays: %s", e.number, e.why) }
func (e *guardedError) Hint() string  { return e.hint }

// heldError refuses to delete a node that somebody works on.
type heldError struct {
	number int
	by     node.Journal
}

func (e *heldError) Error() string { return fmt.Sprintf("node %d stays: %s", e.number, heldBy(e.by)) }
func (e *heldError) Hint() string  { return "it is free when that has ended" }
func (e *heldError) ExitCode() int { return exitLocked }

func heldBy(j node.Journal) string {
	who := "somebody"
	if j.User != "" {
		who = j.User
	}
	return fmt.Sprintf("%s works on it since %s (%s, process %d)", who, j.Began.Local().Format("2006-01-02 15:04"), j.Reason, j.PID)
}

// guards tells why nodes must not be deleted: the running one, the one that
// boots next, and those that the machine would fall back to.
func (sys *System) guards() (map[int]string, error) {
	all, _, err := sys.assessed()
	if err != nil {
		return nil, err
	}
	out := map[int]string{}
	for _, d := range all {
		if why := guardOf(all, d, sys.Booted, sys.Live); why != "" && out[d.Node] == "" {
			out[d.Node] = why
		}
	}
	return out, nil
}

// guardOf tells why a deployment must not go; "": it may.
func guardOf(all []deploy.Deployment, d deploy.Deployment, booted, live int) string {
	head, _ := deploy.Head(all)
	good, _ := deploy.LastGood(all, 0)
	before, _ := deploy.LastGood(all, good.Number)
	switch d.Number {
	case booted, live:
		return fmt.Sprintf("deployment %d runs", d.Number)
	case head.Number:
		return fmt.Sprintf("deployment %d boots next", d.Number)
	case good.Number:
		return fmt.Sprintf("deployment %d is the last good one", d.Number)
	case before.Number:
		return fmt.Sprintf("deployment %d is the good one before the last", d.Number)
	}
	return ""
}

// claim tells why a node stays although no deployment runs it: a person named or
// pinned it, it is mounted, somebody works on it, or it is what another one has in common with its
// newer version. "": nothing keeps it.
func (m *Machine) claim(sys *System, n node.Node) (string, error) {
	switch {
	case n.Pinned:
		return "it is pinned", nil
	case n.Label != "":
		return fmt.Sprintf("it is labelled %q", n.Label), nil
	}
	st, err := sys.Nodes.State()
	if err != nil {
		return "", err
	}
	for _, name := range slices.Sorted(maps.Keys(st.Aliases)) {
		if st.Aliases[name] == n.Number {
			return "it has the alias " + name, nil
		}
	}
	// To delete what is mounted would empty it under whoever uses it.
	if where, err := m.Btrfs.MountedAt(sys.Nodes.Root(n.Number)); err != nil || where != "" {
		return "it is mounted at " + where, err
	}
	who, err := sys.Nodes.Holders(n.Number)
	if err != nil {
		return "", err
	}
	if len(who) > 0 {
		return heldBy(who[0]), nil
	}
	all, err := sys.Nodes.List()
	if err != nil {
		return "", err
	}
	_, behind := node.NewTree(all).Behind(n.Number)
	for _, b := range behind {
		if b.Base == n.Number {
			return fmt.Sprintf("node %d came from it, and a sync would need it", b.Node.Number), nil
		}
	}
	return "", nil
}

// PlanDelete works out what deleting nodes means. recursive takes along all that
// is below them.
func (m *Machine) PlanDelete(refs []string, recursive bool) (*DeletePlan, error) {
	if err := m.needRoot("snapshot delete"); err != nil {
		return nil, err
	}
	sys, err := m.Running()
	if err != nil {
		return nil, err
	}
	defer sys.Close()
	all, err := sys.Nodes.List()
	if err != nil {
		return nil, err
	}
	tree, chosen := node.NewTree(all), map[int]bool{}
	for _, ref := range refs {
		n, err := sys.find(ref)
		if err != nil {
			return nil, err
		}
		chosen[n.Number] = true
		if recursive {
			for _, below := range tree.Below(n.Number) {
				chosen[below.Number] = true
			}
		}
	}
	p := &DeletePlan{}
	for _, n := range slices.Backward(all) {
		if chosen[n.Number] {
			p.Nodes = append(p.Nodes, n)
		}
	}
	if err := m.mayDelete(sys, p.Nodes); err != nil {
		return nil, err
	}
	deployments, err := sys.Deploys.List()
	if err != nil {
		return nil, err
	}
	for _, d := range deployments {
		if chosen[d.Node] {
			p.Deployments = append(p.Deployments, d)
		}
	}
	return p, nil
}

// mayDelete checks that nothing needs the nodes. Deleting a mounted subvolume
// would empty it under whoever uses it, without an error.
func (m *Machine) mayDelete(sys *System, nodes []node.Node) error {
	guards, err := sys.guards()
	if err != nil {
		return err
	}
	for _, n := range nodes {
		if why := guards[n.Number]; why != "" {
			return &guardedError{n.Number, why, "`rastos deploy` boots another one; when it has proven itself, this one can go"}
		}
		if n.Pinned {
			return &guardedError{n.Number, "it is pinned", fmt.Sprintf("`rastos snapshot pin %d --off` lets go of it", n.Number)}
		}
		if where, err := m.Btrfs.MountedAt(sys.Nodes.Root(n.Number)); err != nil || where != "" {
			return orGuarded(err, n.Number, where)
		}
		who, err := sys.Nodes.Holders(n.Number)
		if err != nil {
			return err
		}
		if len(who) > 0 {
			return &heldError{n.Number, who[0]}
		}
	}
	return nil
}

func orGuarded(err error, number int, where string) error {
	if err != nil {
		return err
	}
	return &guardedError{number, "it is mounted at " + where, "unmount it first"}
}

// RunDelete deletes the planned nodes with their deployments.
func (m *Machine) RunDelete(sink report.Sink, p *DeletePlan) error {
	return m.changeNodes(sink, "snapshot delete", func(sys *System) error {
		// What was true of the plan may not be by now.
		if err := m.mayDelete(sys, p.Nodes); err != nil {
			return err
		}
		for _, n := range p.Nodes {
			if err := m.deleteNode(sys, n.Number); err != nil {
				return err
			}
			report.Notef(sink, "deleted node %d", n.Number)
		}
		return nil
	})
}

// deleteNode deletes a node with its deployments. The node's record says first
// that it goes: from then on recovery finishes it.
func (m *Machine) deleteNode(sys *System, number int) error {
	if err := sys.Nodes.Doom(number); err != nil {
		return err
	}
	return m.finishDoomed(sys, number)
}

func (m *Machine) finishDoomed(sys *System, number int) error {
	all, err := sys.Deploys.List()
	if err != nil {
		return err
	}
	for _, d := range all {
		if d.Node != number {
			continue
		}
		if err := m.dropDeployment(sys, d); err != nil {
			return err
		}
	}
	return sys.Nodes.Delete(number)
}

// dropDeployment removes a deployment in the order entry, blobs, deployment, so
// that a cut in between never leaves a boot entry that leads nowhere. The record
// says first that it is retired: recovery would make the entry again, for blobs
// that may be gone.
func (m *Machine) dropDeployment(sys *System, d deploy.Deployment) error {
	if d.State != deploy.Retired {
		d.State = deploy.Retired
		if err := sys.Deploys.Put(d); err != nil {
			return err
		}
	}
	if err := boot.RemoveEntry(sys.ESP, d.EntryName()); err != nil {
		return err
	}
	if err := m.collectBlobs(sys, d.Number); err != nil {
		return err
	}
	return sys.Deploys.Delete(d.Number)
}

// doomed finishes the deletions that a cut left.
func (m *Machine) doomed(sys *System) (removed []string, err error) {
	nodes, err := sys.Nodes.List()
	if err != nil {
		return nil, err
	}
	for _, n := range nodes {
		if !n.Doomed {
			continue
		}
		if err := m.finishDoomed(sys, n.Number); err != nil {
			return removed, err
		}
		removed = append(removed, fmt.Sprintf("node %d", n.Number))
	}
	return removed, nil
}
