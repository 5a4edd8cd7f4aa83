// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"maps"
	"slices"

	"github.com/rastos/rastos/internal/node"
)

// TreeNode is a node with the deployments that run it, and what else is said of
// it elsewhere than in its own record.
type TreeNode struct {
	node.Node
	Deployments []DeploymentStatus `json:"deployments,omitempty"`
	Aliases     []string           `json:"aliases,omitempty"`     // that lead to it
	ReplacedBy  int                `json:"replaced_by,omitempty"` // its next version
}

// SnapshotTree reads all nodes of the running machine, by number; Parent makes
// them a tree.
func (m *Machine) SnapshotTree() ([]TreeNode, error) {
	sys, err := m.Running()
	if err != nil {
		return nil, err
	}
	defer sys.Close()
	nodes, err := sys.Nodes.List()
	if err != nil {
		return nil, err
	}
	st, err := m.status(sys)
	if err != nil {
		return nil, err
	}
	counters, err := sys.Nodes.State()
	if err != nil {
		return nil, err
	}
	tree, aliases := node.NewTree(nodes), map[int][]string{}
	for _, name := range slices.Sorted(maps.Keys(counters.Aliases)) {
		to := tree.Newest(counters.Aliases[name])
		aliases[to] = append(aliases[to], name)
	}
	out := make([]TreeNode, 0, len(nodes))
	for _, n := range nodes {
		n.Parent = tree.Parent(n.Number)
		t := TreeNode{Node: n, Aliases: aliases[n.Number], ReplacedBy: tree.Next(n.Number)}
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
