// SPDX-License-Identifier: GPL-3.0-or-later

package trans

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/journal"
	"github.com/rastos/rastos/alpm/localdb"
	"github.com/rastos/rastos/alpm/trans/rootfs"
)

// Recovered says what became of an interrupted transaction.
type Recovered struct {
	// Finished: it was carried through. Otherwise it had not begun to change
	// anything, and what it had brought was taken away again.
	Finished bool     `json:"finished"`
	Packages []string `json:"packages"` // of the transaction, in their order
}

func (r *Recovered) String() string {
	what := "1 package"
	if n := len(r.Packages); n != 1 {
		what = fmt.Sprintf("%d packages", n)
	}
	if r.Finished {
		return "finished an interrupted transaction of " + what
	}
	return "took back what an interrupted transaction of " + what + " had prepared"
}

// Interrupted tells whether a transaction of the Env's tree was cut off, or is
// going on. It needs no lock.
func Interrupted(env Env) (bool, error) { return journal.Exists(env.journalPath()) }

// Recover finishes or takes back a transaction that was cut off; nil is none.
// Whatever takes the lock does the same, so that it is needed only by those who
// want to know.
func Recover(ctx context.Context, env Env, events Events) (*Recovered, error) {
	tell := serial(events)
	if env.Held != nil {
		return recoverJournal(ctx, &env, tell)
	}
	lock, rec, err := lockAndRecover(ctx, &env, tell)
	if err == nil {
		lock.release()
	}
	return rec, err
}

// recoverJournal does it; the lock is held.
func recoverJournal(ctx context.Context, env *Env, tell Events) (*Recovered, error) {
	log, records, err := journal.Open(env.journalPath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, &UnfinishedError{Err: err}
	}
	log.Step = env.fault
	c, err := readCut(records)
	if err != nil {
		return nil, errors.Join(&UnfinishedError{Err: err}, log.Close())
	}
	rec := &Recovered{Finished: c.committed, Packages: c.names()}
	tell(Event{Kind: EventRecover, Total: int64(len(rec.Packages)), Text: "an interrupted transaction is found"})
	if err := c.resolve(ctx, *env, log, tell); err != nil {
		return nil, err
	}
	tell(Event{Kind: EventRecover, Total: int64(len(rec.Packages)), Text: rec.String(), Finished: true})
	return rec, nil
}

// cut is what the journal of an interrupted transaction says.
type cut struct {
	head              *header // nil: it was cut off before anything
	staged            []*stagedPackage
	planned           map[int][]operation
	done              map[int]bool
	committed, placed bool
}

func readCut(records []journal.Record) (*cut, error) {
	c := &cut{planned: map[int][]operation{}, done: map[int]bool{}}
	for _, r := range records {
		if err := c.take(r); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (c *cut) take(r journal.Record) error {
	switch r.Kind {
	case kindBegin:
		c.head = &header{}
		if err := r.Decode(c.head); err != nil {
			return err
		}
		if c.head.Version != journalVersion {
			return fmt.Errorf("the journal has the format %d of another rastos, which alone can finish it", c.head.Version)
		}
	case kindStaged:
		p := &stagedPackage{}
		if err := r.Decode(p); err != nil {
			return err
		}
		// One that was staged again takes the place of the first.
		c.staged = append(slices.DeleteFunc(c.staged, func(q *stagedPackage) bool { return q.Step == p.Step }), p)
	case kindCommit:
		c.committed = true
	case kindSwitch:
		var w switchRecord
		if err := r.Decode(&w); err != nil {
			return err
		}
		for i, ops := range w.Steps {
			if ops == nil {
				ops = []operation{}
			}
			c.planned[w.First+i] = ops
		}
	case kindDone:
		var d doneRecord
		if err := r.Decode(&d); err != nil {
			return err
		}
		c.done[d.Step] = true
	case kindPlaced:
		c.placed = true
	}
	return nil
}

func (c *cut) names() []string {
	var names []string
	if c.head != nil {
		for _, s := range c.head.steps(c.staged) {
			names = append(names, s.name())
		}
	}
	return names
}

// resolve takes the transaction back or carries it through.
func (c *cut) resolve(ctx context.Context, env Env, log *journal.Log, tell Events) error {
	if c.head == nil {
		return log.Remove()
	}
	env.NoUpgrade, env.NoExtract = c.head.NoUpgrade, c.head.NoExtract
	r, err := c.runner(&env, tell)
	if err != nil {
		return errors.Join(&UnfinishedError{Err: err}, log.Close())
	}
	defer r.close()
	switch {
	case !c.committed:
		if err := undo(&env, r.tree, r.local, log, c.head); err != nil {
			return errors.Join(&UnfinishedError{Total: r.total, Err: err}, log.Close())
		}
		return nil
	case c.placed:
		return r.conclude(ctx, log, nil)
	}
	s := newSwitcher(r, c.head, log, c.staged)
	s.planned, s.done, s.recovering = c.planned, c.done, true
	if err := s.adopt(); err != nil {
		return errors.Join(&UnfinishedError{Total: r.total, Err: err}, log.Close())
	}
	return r.complete(ctx, s)
}

// runner is that of the interrupted run, as far as the journal needs it.
func (c *cut) runner(env *Env, tell Events) (*runner, error) {
	dir, err := localDir(env)
	if err != nil {
		return nil, err
	}
	if c.committed {
		for _, p := range c.staged {
			if p.Before != "" {
				if err := localdb.Reconcile(dir, p.entryName(p.Version), p.entryName(p.Before)); err != nil {
					return nil, err
				}
			}
		}
	}
	r := &runner{env: env, plan: &Plan{Options: c.head.Options}, opt: c.head.Options, tell: tell,
		total: len(c.head.Remove) + c.head.Packages, change: c.head.Change, teachers: c.head.Teachers, noUpgrade: compilePatterns(c.head.NoUpgrade),
		noExtract: compilePatterns(c.head.NoExtract),
		old:       map[string]*desc.Package{}, warned: map[string]bool{}}
	if r.local, err = openLate(env); err != nil {
		return nil, err
	}
	r.dirs = newDirOwners(r.local)
	if r.opt.DBOnly {
		return r, nil
	}
	r.tree, err = rootfs.Open(env.Root)
	return r, err
}

func (p *stagedPackage) entryName(version string) string {
	return (&desc.Package{Name: p.Name, Version: version}).Entry()
}

// adopt finds what the database has of each step. A package that somebody else
// changed in the meantime is left to them.
func (s *switcher) adopt() error {
	for i, st := range s.steps {
		now := s.local.Package(st.name())
		if st.remove != nil {
			if now != nil && now.Version != st.remove.Version && !s.comesBack(st.remove.Name, now.Version) {
				s.drop(i, st)
			}
			continue
		}
		p := st.put
		if now != nil && now.Version != p.Version && now.Version != p.Before {
			s.drop(i, st)
			continue
		}
		var err error
		if p.entry, err = s.local.Staged(p.entryName(p.Version)); errors.Is(err, localdb.ErrNotFound) {
			s.drop(i, st)
			continue
		} else if err != nil {
			return err
		}
		if p.entry.Files == nil {
			p.entry.Files = []string{}
		}
		if now != nil && p.Old != "" && now.Version == p.Old {
			if err := loadFileList(s.local, now); err != nil {
				return err
			}
			s.old[p.Name] = now
		}
	}
	return nil
}

// comesBack tells whether a removed package is installed again, in that version.
func (s *switcher) comesBack(name, version string) bool {
	for _, st := range s.steps {
		if st.put != nil && st.put.Name == name {
			return st.put.Version == version
		}
	}
	return false
}

// drop gives up one step: what was staged for it goes.
func (s *switcher) drop(i int, st step) {
	s.tell(Event{Kind: EventWarning, Name: st.name(), Text: "was changed by somebody else after the interruption, and is left as it is"})
	s.dropped[i], s.planned[i] = true, []operation{}
	if st.put == nil || s.tree == nil {
		return
	}
	for _, f := range st.put.Files {
		if f.Temp != "" {
			_ = s.tree.Remove(f.Temp)
		}
	}
}
