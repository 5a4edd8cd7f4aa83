// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"errors"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/rastos/rastos/internal/boot"
	"github.com/rastos/rastos/internal/deploy"
	"github.com/rastos/rastos/internal/manifest"
	"github.com/rastos/rastos/internal/report"
)

// recover makes the disk and the ESP agree again after a cut: it is a function
// of what is on them alone, and doing it twice changes nothing more. The caller
// holds the lock.
func (m *Machine) recover(sys *System, sink report.Sink) error {
	if err := m.recoverExchange(sys, sink); err != nil {
		return err
	}
	if err := m.endTrials(sys); err != nil {
		return err
	}
	removed, err := sys.Nodes.Recover()
	if err != nil {
		return err
	}
	all, err := sys.Deploys.List()
	if err != nil {
		return err
	}
	// A staged deployment never got its boot entry: its story was cut before
	// the person was told that it is done.
	for _, d := range all {
		if d.State == deploy.Staged {
			if err := sys.Deploys.Delete(d.Number); err != nil {
				return err
			}
			removed = append(removed, "deployment "+strconv.Itoa(d.Number))
		}
	}
	more, err := sys.Deploys.Recover()
	if err != nil {
		return err
	}
	removed = append(removed, more...)
	if more, err = m.takeBack(sys); err != nil {
		return err
	}
	removed = append(removed, more...)
	if more, err = m.doomed(sys); err != nil {
		return err
	}
	removed = append(removed, more...)
	if more, err = m.tidyIncoming(sys); err != nil {
		return err
	}
	removed = append(removed, more...)
	if more, err = m.ownerless(sys); err != nil {
		return err
	}
	for _, name := range append(removed, more...) {
		report.Notef(sink, "removed %s, left by an unfinished run", name)
	}
	if err := m.settle(sys, sink); err != nil {
		return err
	}
	// What nothing refers to would fill the ESP, a little more with each run
	// that is cut; but room is no reason to stop.
	if err := m.collectBlobs(sys, 0); err != nil {
		report.Warnf(sink, "%v", err)
	}
	return nil
}

// takeBack removes the nodes that came with a deployment which did not get as far as
// its boot entry. Where it did, they stand by themselves from then on.
func (m *Machine) takeBack(sys *System) (removed []string, err error) {
	nodes, err := sys.Nodes.List()
	if err != nil {
		return nil, err
	}
	for _, n := range nodes {
		if n.With == 0 {
			continue
		}
		d, err := sys.Deploys.Get(n.With)
		var none *deploy.NotFoundError
		switch {
		case errors.As(err, &none) || err == nil && d.State == deploy.Staged:
			if err = sys.Nodes.Delete(n.Number); err == nil {
				removed = append(removed, "node "+strconv.Itoa(n.Number))
			}
		case err == nil:
			err = sys.Nodes.Stand(n.Number)
		}
		if err != nil {
			return removed, err
		}
	}
	return removed, nil
}

// ownerless removes the nodes that were made for a deployment which never came
// to be, or has gone. What a person named, or works on, stays.
func (m *Machine) ownerless(sys *System) (removed []string, err error) {
	nodes, err := sys.Nodes.List()
	if err != nil {
		return nil, err
	}
	all, err := sys.Deploys.List()
	if err != nil {
		return nil, err
	}
	for _, n := range nodes {
		runs := func(d deploy.Deployment) bool { return d.Node == n.Number }
		if !n.Owned || slices.ContainsFunc(all, runs) {
			continue
		}
		if claim, err := m.claim(sys, n); err != nil {
			return removed, err
		} else if claim != "" {
			continue
		}
		if err := sys.Nodes.Delete(n.Number); err != nil {
			return removed, err
		}
		removed = append(removed, "node "+strconv.Itoa(n.Number))
	}
	return removed, nil
}

// settle brings the records in line with the boot entries, and the entries in
// line with the records.
func (m *Machine) settle(sys *System, sink report.Sink) error {
	all, err := sys.Deploys.List()
	if err != nil {
		return err
	}
	entries, err := sys.entries()
	if err != nil {
		return err
	}
	for _, d := range deploy.Assess(all, entries, sys.Booted) {
		if err := sys.Deploys.Put(d); err != nil {
			return err
		}
		report.Warnf(sink, "deployment %d is bad: %s", d.Number, d.Why)
	}
	if all, err = sys.Deploys.List(); err != nil {
		return err
	}
	for _, d := range all {
		if err := m.settleEntry(sys, sink, d); err != nil {
			return err
		}
	}
	return nil
}

// settleEntry makes the boot entry of a deployment what its record says.
func (m *Machine) settleEntry(sys *System, sink report.Sink, d deploy.Deployment) error {
	name := boot.Good(d.EntryName())
	switch d.State {
	case deploy.Good:
	case deploy.Armed:
		name = boot.Armed(d.EntryName(), m.tries())
	case deploy.Retired:
		return boot.RemoveEntry(sys.ESP, d.EntryName())
	default:
		return nil
	}
	fixes, err := boot.Recover(sys.ESP, []boot.Wanted{{Name: name, Entry: entryOf(d)}})
	for _, f := range fixes {
		report.Notef(sink, "boot entries: %s %s: %s", f.Op, f.Path, f.Why)
	}
	var corrupt *boot.CorruptError
	if !errors.As(err, &corrupt) && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// Its kernel or initramfs is damaged. That must stop no change of the others,
	// nor the blessing of the one that runs; and nothing may fall back to it.
	report.Warnf(sink, "deployment %d: %v", d.Number, err)
	if d.Number == sys.Booted {
		return nil
	}
	if err := boot.RemoveEntry(sys.ESP, d.EntryName()); err != nil {
		return err
	}
	d.State, d.Why = deploy.Bad, err.Error()
	return sys.Deploys.Put(d)
}

// tries is how often the machine's manifest lets a deployment try.
func (m *Machine) tries() int {
	mf, err := m.runningManifest()
	if err != nil {
		return (&manifest.Manifest{}).WithDefaults().Snapshots.Tries
	}
	return mf.Snapshots.Tries
}

// entries reads the boot entries of all deployments.
func (sys *System) entries() (map[int]deploy.Entry, error) {
	found, err := boot.ListEntries(sys.ESP)
	if err != nil {
		return nil, err
	}
	out := map[int]deploy.Entry{}
	for _, l := range found {
		number := deploymentOf(l.Name.Base)
		if number == 0 {
			continue // somebody else's entry
		}
		out[number] = deploy.Entry{Found: true, Counted: l.Name.Counted, Left: l.Name.Left, Done: l.Name.Done}
	}
	return out, nil
}

// deploymentOf is the deployment that a boot entry is of, 0 for another's.
func deploymentOf(base string) int {
	number, err := strconv.Atoi(strings.TrimPrefix(base, "rastos-"))
	if err != nil {
		return 0
	}
	return number
}
