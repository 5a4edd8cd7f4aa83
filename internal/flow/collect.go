// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"github.com/rastos/rastos/internal/boot"
	"github.com/rastos/rastos/internal/deploy"
	"github.com/rastos/rastos/internal/report"
)

// collect removes deployments past keep.last, each in the order entry, blobs,
// deployment, node, so that a cut in between never leaves a boot entry that
// leads nowhere. The record says first that it is retired: recovery would make
// the entry again, for blobs that may be gone. Never the booted one, the head, the last good one, a labelled
// node, or a node that another deployment runs. keep 0 keeps all.
func (m *Machine) collect(sys *System, sink report.Sink, keep int) error {
	all, err := sys.Deploys.List()
	if err != nil {
		return err
	}
	for _, d := range superfluous(all, sys.Booted, keep) {
		if err := m.retire(sys, d); err != nil {
			return err
		}
		if err := boot.RemoveEntry(sys.ESP, d.EntryName()); err != nil {
			return err
		}
		if err := m.collectBlobs(sys, d.Number); err != nil {
			return err
		}
		if err := sys.Deploys.Delete(d.Number); err != nil {
			return err
		}
		if err := m.collectNode(sys, d.Node); err != nil {
			return err
		}
		report.Notef(sink, "removed deployment %d (node %d), past the %d that are kept", d.Number, d.Node, keep)
	}
	return nil
}

// retire takes the first step of a removal, after which there is no way back.
func (m *Machine) retire(sys *System, d deploy.Deployment) error {
	n, err := sys.Nodes.Get(d.Node)
	if err != nil {
		return err
	}
	if n.Label == "" {
		// After a cut, recovery knows by this that the node is to go too.
		if err := sys.Nodes.Own(n.Number); err != nil {
			return err
		}
	}
	d.State = deploy.Retired
	return sys.Deploys.Put(d)
}

// superfluous picks the deployments to remove, oldest first.
func superfluous(all []deploy.Deployment, booted, keep int) []deploy.Deployment {
	if keep <= 0 || len(all) <= keep {
		return nil
	}
	head, _ := deploy.Head(all)
	good, _ := deploy.LastGood(all, 0)
	before, _ := deploy.LastGood(all, good.Number)
	var out []deploy.Deployment
	for _, d := range all[:len(all)-keep] {
		switch d.Number {
		case booted, head.Number, good.Number, before.Number:
			continue
		}
		out = append(out, d)
	}
	return out
}

// collectBlobs removes kernels and initramfs images that no deployment other
// than the one that goes (0: none) refers to. A retired one needs none.
func (m *Machine) collectBlobs(sys *System, going int) error {
	all, err := sys.Deploys.List()
	if err != nil {
		return err
	}
	used := map[string]bool{}
	for _, d := range all {
		if d.Number != going && d.State != deploy.Retired {
			used[d.Kernel], used[d.Initrd] = true, true
		}
	}
	_, err = boot.CollectBlobs(sys.ESP, func(sum string) bool { return used[sum] })
	return err
}

// collectNode deletes a node that no deployment runs and no person named.
func (m *Machine) collectNode(sys *System, number int) error {
	all, err := sys.Deploys.List()
	if err != nil {
		return err
	}
	for _, d := range all {
		if d.Node == number {
			return nil
		}
	}
	n, err := sys.Nodes.Get(number)
	if err != nil || n.Label != "" {
		return err
	}
	return sys.Nodes.Delete(number)
}
