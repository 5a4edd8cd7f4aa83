// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
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
	for _, name := range append(removed, more...) {
		report.Notef(sink, "removed %s, left by an interrupted run", name)
	}
	return m.settle(sys, sink)
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
	var wanted []boot.Wanted
	for _, d := range all {
		name := boot.Good(d.EntryName())
		switch d.State {
		case deploy.Good:
		case deploy.Armed:
			name = boot.Armed(d.EntryName(), m.tries())
		default:
			continue
		}
		wanted = append(wanted, boot.Wanted{Name: name, Entry: entryOf(d)})
	}
	fixes, err := boot.Recover(sys.ESP, wanted)
	for _, f := range fixes {
		report.Notef(sink, "boot entries: %s %s: %s", f.Op, f.Path, f.Why)
	}
	return err
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
		number, err := strconv.Atoi(strings.TrimPrefix(l.Name.Base, "rastos-"))
		if err != nil {
			continue // somebody else's entry
		}
		out[number] = deploy.Entry{Found: true, Counted: l.Name.Counted, Left: l.Name.Left, Done: l.Name.Done}
	}
	return out, nil
}
