// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import "github.com/rastos/rastos/internal/node"

// TreeNode is a node with the deployments that run it.
type TreeNode struct {
	node.Node
	Deployments []DeploymentStatus `json:"deployments,omitempty"`
}

// SnapshotTree reads all nodes of the running machine, by number; Parent makes
// them a tree.
func (m *Machine) SnapshotTree() ([]TreeNode, error) {
	sys, err := m.Running()
	if err != nil {
		return nil, err
	}
	nodes, err := sys.Nodes.List()
	if err != nil {
		return nil, err
	}
	st, err := m.status(sys)
	if err != nil {
		return nil, err
	}
	known := map[int]bool{}
	for _, n := range nodes {
		known[n.Number] = true
	}
	out := make([]TreeNode, 0, len(nodes))
	for _, n := range nodes {
		if !known[n.Parent] {
			n.Parent = 0 // its parent was deleted: it stands as a root of its own
		}
		t := TreeNode{Node: n}
		for _, d := range st.Deployments {
			if d.Node == n.Number {
				t.Deployments = append(t.Deployments, d)
			}
		}
		out = append(out, t)
	}
	return out, nil
}

// Node reads one node of the running machine.
func (m *Machine) Node(number int) (TreeNode, error) {
	all, err := m.SnapshotTree()
	if err != nil {
		return TreeNode{}, err
	}
	for _, n := range all {
		if n.Number == number {
			return n, nil
		}
	}
	return TreeNode{}, &node.NotFoundError{Number: number}
}
