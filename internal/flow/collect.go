// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"cmp"
	"errors"
	"slices"

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
		if err := m.dropDeployment(sys, d); err != nil {
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
	claim, err := sys.claim(n)
	if err != nil {
		return err
	}
	if claim == "" {
		// After a cut, recovery knows by this that the node is to go too.
		if err := sys.Nodes.Own(n.Number); err != nil {
			return err
		}
	}
	d.State = deploy.Retired
	return sys.Deploys.Put(d)
}

// makeRoom makes the room for a new kernel on the ESP, or says that there is
// none and changes nothing. Where it is full, the boot entries of the bad and the
// oldest deployments go; the deployments stay, and rollback makes them bootable
// again. Otherwise a machine that keeps all of them could not upgrade one day.
func (m *Machine) makeRoom(sys *System, sink report.Sink, blobs ...[]byte) error {
	for {
		err := boot.Preflight(sys.ESP, blobs...)
		var full *boot.NoSpaceError
		if !errors.As(err, &full) {
			return err
		}
		victims, verr := sys.dispensable(full.Need - full.Free)
		if verr != nil || len(victims) == 0 {
			return errors.Join(err, verr)
		}
		for _, d := range victims {
			d.State = deploy.Retired
			if err := sys.Deploys.Put(d); err != nil {
				return err
			}
			if err := boot.RemoveEntry(sys.ESP, d.EntryName()); err != nil {
				return err
			}
			report.Notef(sink, "deployment %d has no boot entry any more: its room on the ESP was needed", d.Number)
		}
		if err := m.collectBlobs(sys, 0); err != nil {
			return err
		}
	}
}

// dispensable picks deployments whose kernels and initramfs images take so many
// bytes of the ESP: bad ones first, then the oldest; none where all would not do.
func (sys *System) dispensable(need int64) ([]deploy.Deployment, error) {
	all, err := sys.Deploys.List()
	if err != nil {
		return nil, err
	}
	candidates := slices.DeleteFunc(superfluous(all, sys.Booted, 1), func(d deploy.Deployment) bool {
		return d.State == deploy.Retired
	})
	slices.SortStableFunc(candidates, func(a, b deploy.Deployment) int {
		return cmp.Compare(rank(a), rank(b))
	})
	users := map[string]int{}
	for _, d := range all {
		if d.State != deploy.Retired {
			users[d.Kernel]++
			users[d.Initrd]++
		}
	}
	for i, d := range candidates {
		for _, sum := range []string{d.Kernel, d.Initrd} {
			if users[sum]--; users[sum] > 0 || sum == "" {
				continue
			}
			size, err := boot.BlobSize(sys.ESP, sum)
			if err != nil {
				return nil, err
			}
			need -= size
		}
		if need <= 0 {
			return candidates[:i+1], nil
		}
	}
	return nil, nil
}

func rank(d deploy.Deployment) int {
	if d.State == deploy.Bad {
		return 0
	}
	return 1
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
	if err != nil {
		return err
	}
	if claim, err := sys.claim(n); err != nil || claim != "" {
		return err
	}
	return sys.Nodes.Delete(number)
}
