// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/rastos/rastos/internal/boot"
	"github.com/rastos/rastos/internal/deploy"
	"github.com/rastos/rastos/internal/manifest"
	"github.com/rastos/rastos/internal/node"
	"github.com/rastos/rastos/internal/report"
)

// Kinds of what a PrunePlan decides on.
const (
	PruneDeployment = "deployment"
	PruneNode       = "node"
	PruneBlob       = "blob"
)

// PrunePlan says of each deployment, each node, and each kernel and initramfs on
// the ESP whether it stays, and why.
type PrunePlan struct {
	Rules     node.Keep  `json:"rules"`
	Decisions []Decision `json:"decisions"`
}

// Decision is about one of them.
type Decision struct {
	Kind   string `json:"kind"`
	Number int    `json:"number,omitempty"`
	Digest string `json:"sha256,omitempty"` // of a blob
	Node   int    `json:"node,omitempty"`   // of a deployment
	Size   int64  `json:"size,omitempty"`   // bytes on the ESP
	Keep   bool   `json:"keep"`
	Why    string `json:"why"`
}

// Removed are the decisions to remove.
func (p *PrunePlan) Removed() []Decision {
	return slices.DeleteFunc(slices.Clone(p.Decisions), func(d Decision) bool { return d.Keep })
}

// removes lists the numbers of what goes of one kind.
func (p *PrunePlan) removes(kind string) []int {
	var out []int
	for _, d := range p.Decisions {
		if d.Kind == kind && !d.Keep {
			out = append(out, d.Number)
		}
	}
	return out
}

// keepRules are the rules of a manifest.
func keepRules(mf *manifest.Manifest) node.Keep {
	k := mf.Snapshots.Keep
	return node.Keep{Last: k.Last, Daily: k.Daily, Weekly: k.Weekly, Monthly: k.Monthly}
}

// PlanPrune works out what the rules of the machine's manifest, or others, mean to
// it. It changes nothing.
func (m *Machine) PlanPrune(rules *node.Keep) (*PrunePlan, error) {
	if err := m.needRoot("snapshot prune"); err != nil {
		return nil, err
	}
	sys, err := m.Running()
	if err != nil {
		return nil, err
	}
	defer sys.Close()
	if rules == nil {
		mf, err := m.runningManifest()
		if err != nil {
			return nil, err
		}
		k := keepRules(mf)
		rules = &k
	}
	return m.planPrune(sys, *rules)
}

func (m *Machine) planPrune(sys *System, rules node.Keep) (*PrunePlan, error) {
	j := judge{m: m, sys: sys, rules: rules, plan: &PrunePlan{Rules: rules}, runs: map[int]string{}}
	for _, step := range []func() error{j.deployments, j.nodes, j.blobs} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return j.plan, nil
}

// judge decides.
type judge struct {
	m     *Machine
	sys   *System
	rules node.Keep
	plan  *PrunePlan
	all   []deploy.Deployment
	runs  map[int]string // nodes of the deployments that stay, and of which
}

func (j *judge) add(d Decision) { j.plan.Decisions = append(j.plan.Decisions, d) }

// deployments: what runs, boots next or can be fallen back to stays in any case.
func (j *judge) deployments() (err error) {
	if j.all, _, err = j.sys.assessed(); err != nil {
		return err
	}
	var series []node.Dated
	for _, d := range j.all {
		series = append(series, node.Dated{Number: d.Number, At: d.Created, Passing: d.State == deploy.Bad})
	}
	kept := j.rules.Pick(series, j.m.Now().Location())
	for _, d := range j.all {
		why := cmp.Or(guardOf(j.all, d, j.sys.Booted, j.sys.Live), kept[d.Number])
		decision := Decision{Kind: PruneDeployment, Number: d.Number, Node: d.Node, Keep: why != "", Why: why}
		switch {
		case decision.Keep:
			j.runs[d.Node] = fmt.Sprintf("deployment %d runs it", d.Number)
		case d.State == deploy.Bad:
			decision.Why = "it is bad, and no rule keeps it"
		default:
			decision.Why = "no rule keeps it"
		}
		j.add(decision)
	}
	return nil
}

// nodes: those that were made for deployments go with them, pictures of the
// running system and versions that were replaced by the rules. What a person
// made, and nothing replaces, stays until it is deleted.
func (j *judge) nodes() error {
	list, err := j.sys.Nodes.List()
	if err != nil {
		return err
	}
	tree := node.NewTree(list)
	var series []node.Dated
	for _, n := range list {
		if j.bySeries(tree, n) {
			series = append(series, node.Dated{Number: n.Number, At: n.Created})
		}
	}
	kept := j.rules.Pick(series, j.m.Now().Location())
	for _, n := range list {
		claim, err := j.m.claim(j.sys, n)
		if err != nil {
			return err
		}
		d := Decision{Kind: PruneNode, Number: n.Number, Why: cmp.Or(j.runs[n.Number], claim, kept[n.Number])}
		d.Keep = d.Why != ""
		switch {
		case d.Keep:
		case n.Owned:
			d.Why = "no deployment that stays runs it"
		case j.bySeries(tree, n) && n.Taken:
			d.Why = "a picture of the running system that no rule keeps"
		case j.bySeries(tree, n):
			d.Why = fmt.Sprintf("node %d replaces it, and no rule keeps it", tree.Next(n.Number))
		default:
			d.Keep, d.Why = true, "nothing replaces it"
		}
		j.add(d)
	}
	return nil
}

// bySeries tells whether the rules decide on a node by itself.
func (j *judge) bySeries(tree *node.Tree, n node.Node) bool {
	return !n.Owned && j.runs[n.Number] == "" && (n.Taken || tree.Replaced(n.Number))
}

// blobs are the kernels and initramfs images that nothing boots any more.
func (j *judge) blobs() error {
	gone := map[int]bool{}
	for _, number := range j.plan.removes(PruneDeployment) {
		gone[number] = true
	}
	used := map[string]bool{}
	for _, d := range j.all {
		if !gone[d.Number] && d.State != deploy.Retired {
			used[d.Kernel], used[d.Initrd] = true, true
		}
	}
	unused, err := boot.UnusedBlobs(withoutEntries{j.sys.ESP, gone}, func(sum string) bool { return used[sum] })
	if err != nil {
		return err
	}
	for _, u := range unused {
		j.add(Decision{Kind: PruneBlob, Digest: u.Sum, Size: u.Size, Why: "no deployment that stays boots it"})
	}
	return nil
}

// staleDecisions stops a plan that does not hold any more.
type staleDecisions struct{ d Decision }

func (e *staleDecisions) Error() string {
	return fmt.Sprintf("%s %d would stay by now: %s", e.d.Kind, e.d.Number, e.d.Why)
}
func (e *staleDecisions) Hint() string { return "another change came between: start again" }

// RunPrune removes what the plan says.
func (m *Machine) RunPrune(sink report.Sink, p *PrunePlan) error {
	return m.changeNodes(sink, "snapshot prune", func(sys *System) error { return m.prune(sys, sink, p) })
}

func (m *Machine) prune(sys *System, sink report.Sink, p *PrunePlan) error {
	now, err := m.planPrune(sys, p.Rules)
	if err != nil {
		return err
	}
	nodes, deployments := p.removes(PruneNode), p.removes(PruneDeployment)
	for _, d := range now.Decisions {
		if d.Keep && (d.Kind == PruneNode && slices.Contains(nodes, d.Number) || d.Kind == PruneDeployment && slices.Contains(deployments, d.Number)) {
			return &staleDecisions{d}
		}
	}
	all, err := sys.Deploys.List()
	if err != nil {
		return err
	}
	with := map[int]deploy.Deployment{} // those whose node stays
	for _, d := range all {
		if slices.Contains(deployments, d.Number) && !slices.Contains(nodes, d.Node) {
			with[d.Number] = d
		}
	}
	for _, number := range slices.Sorted(maps.Keys(with)) {
		if err := m.dropDeployment(sys, with[number]); err != nil {
			return err
		}
		report.Notef(sink, "removed deployment %d (node %d stays)", number, with[number].Node)
	}
	for _, number := range nodes {
		if err := m.deleteNode(sys, number); err != nil {
			return err
		}
		report.Notef(sink, "removed node %d with its deployments", number)
	}
	return m.collectBlobs(sys, 0)
}
