// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"cmp"
	"errors"
	"io/fs"
	"slices"

	"github.com/rastos/rastos/internal/boot"
	"github.com/rastos/rastos/internal/deploy"
	"github.com/rastos/rastos/internal/node"
	"github.com/rastos/rastos/internal/report"
)

// collect prunes by rules where there are any.
func (m *Machine) collect(sys *System, sink report.Sink, rules node.Keep) error {
	if rules.Everything() {
		return nil
	}
	p, err := m.planPrune(sys, rules)
	if err != nil {
		return err
	}
	return m.prune(sys, sink, p)
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
	candidates := slices.DeleteFunc(superfluous(all, sys.Booted, sys.Live, 1), func(d deploy.Deployment) bool {
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

// superfluous picks deployments past so many that the machine could do without,
// oldest first.
func superfluous(all []deploy.Deployment, booted, live, keep int) []deploy.Deployment {
	if keep <= 0 || len(all) <= keep {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(all[:len(all)-keep]), func(d deploy.Deployment) bool {
		return guardOf(all, d, booted, live) != ""
	})
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

// withoutEntries is a partition from which the boot entries of some deployments
// are gone.
type withoutEntries struct {
	boot.ESP
	gone map[int]bool
}

func (w withoutEntries) ReadDir(dir string) ([]fs.FileInfo, error) {
	list, err := w.ESP.ReadDir(dir)
	if dir != boot.EntriesDir {
		return list, err
	}
	return slices.DeleteFunc(slices.Clone(list), func(info fs.FileInfo) bool {
		name, ok := boot.ParseName(info.Name())
		return ok && w.gone[deploymentOf(name.Base)]
	}), err
}
