// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"

	"github.com/rastos/rastos/internal/deploy"
	"github.com/rastos/rastos/internal/node"
	"github.com/rastos/rastos/internal/report"
)

// NodeRecord is what is known of a node.
type NodeRecord = node.Node

// find reads the node that a person means: by its number, by an alias, "booted"
// for the one that runs, "head" or "" for the one that the next change builds on.
func (sys *System) find(ref string) (node.Node, error) {
	if number, err := strconv.Atoi(ref); err == nil {
		return sys.Nodes.Get(number)
	}
	switch ref {
	case node.Booted:
		d, err := sys.Deploys.Get(sys.Booted)
		if err != nil {
			return node.Node{}, err
		}
		return sys.Nodes.Get(d.Node)
	case "", node.Head:
		all, _, err := sys.assessed()
		if err != nil {
			return node.Node{}, err
		}
		head, ok := deploy.Head(all)
		if !ok {
			return node.Node{}, errNoHead
		}
		return sys.Nodes.Get(head.Node)
	}
	number, err := sys.Nodes.Lookup(ref)
	if err != nil {
		return node.Node{}, err
	}
	return sys.Nodes.Get(number)
}

// NodeNumber is the number of the node that a person means.
func (m *Machine) NodeNumber(ref string) (int, error) {
	if number, err := strconv.Atoi(ref); err == nil && number > 0 {
		return number, nil
	}
	sys, err := m.Running()
	if err != nil {
		return 0, err
	}
	defer sys.Close()
	n, err := sys.find(ref)
	return n.Number, err
}

// Naming is what people call a new node.
type Naming struct{ Label, Alias string }

// check finds a name that cannot be given before anything is done.
func (n Naming) check() error {
	if err := node.CheckLabel(n.Label); err != nil || n.Alias == "" {
		return err
	}
	return node.CheckAlias(n.Alias)
}

// changeNodes runs one change of the tree that leaves deployments alone.
func (m *Machine) changeNodes(sink report.Sink, what string, change func(sys *System) error) error {
	if err := m.needRoot(what); err != nil {
		return err
	}
	sys, err := m.Running()
	if err != nil {
		return err
	}
	defer sys.Close()
	return m.locked(sys, sink, func() error { return change(sys) })
}

// Branch makes a node with the tree of another one, as its child.
func (m *Machine) Branch(sink report.Sink, ref string, name Naming) (n node.Node, err error) {
	if err := name.check(); err != nil {
		return n, err
	}
	err = m.changeNodes(sink, "snapshot branch", func(sys *System) error {
		base, err := sys.find(ref)
		if err != nil {
			return err
		}
		n, err = sys.Nodes.Copy(base.Number, node.Node{
			Parent: base.Number, Label: name.Label, Alias: name.Alias, Reason: fmt.Sprintf("branch of node %d", base.Number),
		})
		return err
	})
	return n, err
}

// CloneRequest says what is cloned, and where the clone stands.
type CloneRequest struct {
	Node      string
	Under     string // the clone's parent; "": the clone stands as a tree of its own
	Recursive bool   // and all that is below it
	Naming
}

// Clone makes copies of a node, and of its descendants where that was asked for,
// elsewhere in the tree: all of them, or none. It returns the copies, the one of
// the node itself first.
func (m *Machine) Clone(sink report.Sink, r CloneRequest) (made []node.Node, err error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	err = m.changeNodes(sink, "snapshot clone", func(sys *System) error {
		from, err := sys.find(r.Node)
		if err != nil {
			return err
		}
		under := 0
		if r.Under != "" {
			parent, err := sys.find(r.Under)
			if err != nil {
				return err
			}
			under = parent.Number
		}
		made, err = sys.clone(from, under, r)
		return err
	})
	return made, err
}

func (sys *System) clone(from node.Node, under int, r CloneRequest) ([]node.Node, error) {
	list := []node.Node{from}
	all, err := sys.Nodes.List()
	if err != nil {
		return nil, err
	}
	tree := node.NewTree(all)
	if r.Recursive {
		list = tree.Current(from.Number)
	}
	batch, err := sys.Nodes.Batch("snapshot clone")
	if err != nil {
		return nil, err
	}
	var out []node.Node
	made := map[int]int{}
	for _, n := range list {
		parent, name := under, Naming{cmp.Or(r.Label, n.Label), r.Alias}
		if n.Number != from.Number {
			parent, name = tree.Seat(from.Number, n.Number, made), Naming{Label: n.Label}
		}
		c, err := batch.Copy(n.Number, node.Node{Parent: parent, Label: name.Label, Alias: name.Alias, Reason: fmt.Sprintf("clone of node %d", n.Number)})
		if err != nil {
			return nil, errors.Join(err, batch.Discard())
		}
		made[n.Number] = c.Number
		out = append(out, c)
	}
	return out, batch.Commit()
}

// Take makes a node of the running system: its node, with /etc as it is now but
// for what says which machine this is. It stays as long as [snapshots] keep says,
// or where a person named or pinned it, until it is deleted.
func (m *Machine) Take(sink report.Sink, name Naming) (n node.Node, err error) {
	if err := name.check(); err != nil {
		return n, err
	}
	err = m.changeNodes(sink, "snapshot create", func(sys *System) error {
		n, err = m.take(sys, name)
		return err
	})
	return n, err
}

func (m *Machine) take(sys *System, name Naming) (n node.Node, err error) {
	d, err := sys.Deploys.Get(sys.Live)
	if err != nil {
		return n, err
	}
	base, err := sys.Nodes.Get(d.Node)
	if err != nil {
		return n, err
	}
	work, err := sys.Nodes.Begin(base.Number, "snapshot create")
	if err != nil {
		return n, err
	}
	if err := sys.Deploys.Capture(d, work.Root()); err != nil {
		return n, errors.Join(err, work.Discard())
	}
	return work.Seal(node.Node{
		Label: name.Label, Alias: name.Alias, Reason: fmt.Sprintf("the system as it ran, deployment %d", d.Number), Taken: true, Files: true,
		Manifest: base.Manifest, Packages: base.Packages, Count: base.Count, Kernel: base.Kernel,
	})
}

// LabelRequest says what people are to call a node.
type LabelRequest struct {
	Node  string
	Label *string // nil: as it is
	Alias string  // "": none is given
	// Forget takes the alias away in place of giving it.
	Forget bool
}

// Label names a node for people.
func (m *Machine) Label(sink report.Sink, r LabelRequest) (n node.Node, err error) {
	err = m.changeNodes(sink, "snapshot label", func(sys *System) error {
		if n, err = sys.find(r.Node); err != nil {
			return err
		}
		if r.Label != nil {
			if err := sys.Nodes.SetLabel(n.Number, *r.Label); err != nil {
				return err
			}
		}
		if r.Alias != "" {
			to := n.Number
			if r.Forget {
				to = 0
			}
			if err := sys.Nodes.SetAlias(r.Alias, to); err != nil {
				return err
			}
		}
		n, err = sys.Nodes.Get(n.Number)
		return err
	})
	return n, err
}

// Pin keeps a node from being deleted to make room, or no longer does.
func (m *Machine) Pin(sink report.Sink, ref string, pinned bool) (n node.Node, err error) {
	err = m.changeNodes(sink, "snapshot pin", func(sys *System) error {
		if n, err = sys.find(ref); err != nil {
			return err
		}
		if err := sys.Nodes.Pin(n.Number, pinned); err != nil {
			return err
		}
		n, err = sys.Nodes.Get(n.Number)
		return err
	})
	return n, err
}
