// SPDX-License-Identifier: GPL-3.0-or-later

package deploy

import (
	"errors"
	"fmt"
	"time"
)

// Entry is what the boot loader's folder says of a deployment: whether it has
// an entry, and how often that was and may still be tried.
type Entry struct {
	Found   bool
	Counted bool // the name carries counters; a blessed entry carries none
	Left    int  // tries left
	Done    int  // tries made
}

// Assess compares the records with the boot entries and returns the deployments
// that turned out bad, with State and Why set. Booted is the number of the
// running deployment, 0 if none runs. It changes nothing.
//
// A deployment is bad when its tries are at 0 and it is not the one that runs:
// an entry that a person picked by hand after that is not bad for it.
func Assess(all []Deployment, entries map[int]Entry, booted int) []Deployment {
	var bad []Deployment
	for _, d := range all {
		e := entries[d.Number]
		if d.State == Armed && e.Found && e.Counted && e.Left == 0 && d.Number != booted {
			d.State, d.Why = Bad, d.Failure
			if d.Why == "" {
				d.Why = fmt.Sprintf("it did not come up (tries: %d): the boot loader could not load it, or it panicked or hung before its health was checked", e.Done)
			}
			bad = append(bad, d)
		}
	}
	return bad
}

// ErrNoGood says that there is nothing to go back to.
var ErrNoGood = errors.New("no other deployment has booted well so far")

// LastGood is the newest good deployment other than one that the caller names
// (0: none).
func LastGood(all []Deployment, except int) (Deployment, error) {
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].State == Good && all[i].Number != except {
			return all[i], nil
		}
	}
	return Deployment{}, ErrNoGood
}

// Head is the deployment that the next change builds on: the newest one that is
// neither bad nor retired. A staged change is thus never dropped in silence.
func Head(all []Deployment) (Deployment, bool) {
	for i := len(all) - 1; i >= 0; i-- {
		switch all[i].State {
		case Armed, Good:
			return all[i], true
		}
	}
	return Deployment{}, false
}

// Bless records that the deployment booted and is healthy. A good one that had a
// bad day has its failure taken off the record.
func (s *Store) Bless(number int, now time.Time) (Deployment, error) {
	d, err := s.Get(number)
	if err != nil {
		return d, err
	}
	if d.State == Good && d.Failure == "" {
		return d, nil
	}
	if d.State != Good {
		d.BlessedAt = now.UTC()
	}
	d.State, d.Why, d.Failure, d.Refused = Good, "", "", 0
	return d, s.Put(d)
}

// Fail records what a try of a deployment died of. Only the boot entry's
// counter decides when it is bad.
func (s *Store) Fail(number int, why string) (Deployment, error) {
	d, err := s.Get(number)
	if err != nil {
		return d, err
	}
	d.Failure = why
	if d.State == Armed {
		d.Refused++
	}
	return d, s.Put(d)
}
