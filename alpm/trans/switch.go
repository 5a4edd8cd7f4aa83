// SPDX-License-Identifier: GPL-3.0-or-later

package trans

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/journal"
	"github.com/rastos/rastos/alpm/scriptlet"
)

// maxBatch bounds how many packages share one record and its flush.
const maxBatch = 64

// switcher goes through the steps of a journalled transaction whose files are
// all staged: the same in the run that staged them and in a recovery, where
// the journal says how far the first try came.
type switcher struct {
	*runner
	head       *header
	log        *journal.Log
	steps      []step
	planned    map[int][]operation // by step: what an earlier try wrote down
	done       map[int]bool        // steps that an earlier try finished
	dropped    map[int]bool        // steps that no longer fit what is installed
	work       switching
	op         operator
	recovering bool    // it goes on from a journal
	begun      int     // the step that was told of last; -1: none
	errs       []error // what could not be done and does not stop the rest
}

func newSwitcher(r *runner, h *header, log *journal.Log, staged []*stagedPackage) *switcher {
	s := &switcher{runner: r, head: h, log: log, steps: h.steps(staged), planned: map[int][]operation{}, done: map[int]bool{}, dropped: map[int]bool{}, begun: -1}
	s.work = switching{runner: r, moved: map[string]bool{}, rmdirs: map[string]bool{}}
	for _, p := range h.Moved {
		s.work.moved[p] = true
	}
	s.pathsChanged()
	s.op = operator{env: r.env, tree: r.tree, tell: r.tell, temp: tempPrefix + h.ID + "-", fresh: map[string]bool{}}
	return s
}

// all switches everything and makes it last.
func (s *switcher) all(ctx context.Context) error {
	for i := 0; i < len(s.steps); {
		n := s.batch(i)
		if err := s.together(ctx, i, n); err != nil {
			return s.unfinished(err)
		}
		i += n
	}
	if err := s.place(); err != nil {
		return s.unfinished(err)
	}
	return nil
}

func (s *switcher) unfinished(err error) error {
	return &UnfinishedError{Done: s.runner.done, Total: s.total, Err: err}
}

// batch tells how many steps from i on can be worked out before the first of
// them is done: those that run nothing and do not touch each other's files.
func (s *switcher) batch(i int) int {
	n := 0
	for i+n < len(s.steps) && n < maxBatch {
		st := s.steps[i+n]
		alone := s.head.Overlap || s.planned[i+n] != nil || s.runs(st)
		if n > 0 && (alone || (st.remove == nil) != (s.steps[i].remove == nil)) {
			break
		}
		n++
		if alone {
			break
		}
	}
	return n
}

// runs tells whether a step has a scriptlet.
func (s *switcher) runs(st step) bool {
	if !s.scriptletsRun() {
		return false
	}
	if st.remove == nil {
		return slices.Contains(st.put.Extra, "install")
	}
	p := s.local.Package(st.remove.Name)
	if p == nil {
		return false
	}
	install, err := s.local.Install(p)
	return err != nil || install != nil
}

// together does n steps from first on, announced by one record.
func (s *switcher) together(ctx context.Context, first, n int) error {
	s.work.leaves = map[string]bool{}
	if s.planned[first] == nil && !s.dropped[first] {
		s.begin(first)
		if err := s.before(ctx, s.steps[first]); err != nil {
			return err
		}
		record := switchRecord{First: first}
		for i := first; i < first+n; i++ {
			ops, err := s.workOut(ctx, i)
			if err != nil {
				return err
			}
			s.planned[i] = ops
			record.Steps = append(record.Steps, ops)
		}
		if err := errors.Join(s.log.Append(kindSwitch, record), s.log.Sync()); err != nil {
			return err
		}
	} else if !s.dropped[first] {
		s.adopted(first)
	}
	for i := first; i < first+n; i++ {
		if s.dropped[i] {
			continue
		}
		if err := s.step(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

// adopted takes over what an earlier try worked out for a step.
func (s *switcher) adopted(i int) {
	s.count(s.steps[i])
	for _, op := range s.planned[i] {
		if op.Do == opRmdir {
			s.work.rmdirs[op.Path] = true
		}
	}
}

// workOut plans one step.
func (s *switcher) workOut(ctx context.Context, i int) (_ []operation, err error) {
	st := s.steps[i]
	switch {
	case s.opt.DBOnly:
	case st.remove == nil:
		switch {
		case s.recovering:
			err = s.regain(ctx, i, st.put)
		case s.ran:
			_, err = s.again(ctx, s.head, st.put)
		}
		if err == nil {
			err = s.work.put(st.put, s.oldOf(st.put))
		}
	default:
		if p := s.local.Package(st.remove.Name); p != nil {
			if err = loadFileList(s.local, p); err == nil {
				err = s.work.removal(p)
			}
		}
	}
	if err != nil {
		return nil, err
	}
	s.count(st)
	ops := s.work.take()
	if ops == nil {
		ops = []operation{}
	}
	return ops, nil
}

// count lets later steps see the directories of a step that is worked out.
func (s *switcher) count(st step) {
	if st.remove != nil {
		s.dirs.forget(st.remove.Name)
	} else {
		s.dirs.replace(st.put.entry)
	}
}

// oldOf is the installed version of a package that is upgraded.
func (s *switcher) oldOf(p *stagedPackage) *desc.Package {
	if p.Old == "" {
		return nil
	}
	return s.old[p.Name]
}

// before runs the scriptlet that comes before a step.
func (s *switcher) before(ctx context.Context, st step) error {
	if rm := st.remove; rm != nil {
		return s.tolerate(s.removeScript(ctx, rm, scriptlet.PreRemove))
	}
	p := st.put
	if !s.runs(st) {
		return nil
	}
	fn := scriptlet.PreInstall
	if p.Old != "" {
		fn = scriptlet.PreUpgrade
	}
	install, err := s.local.StagedInstall(p.entry)
	if err != nil {
		return err
	}
	return s.tolerate(s.script(ctx, p.Name, install, fn, p.versions()...))
}

// versions are the arguments of a scriptlet.
func (p *stagedPackage) versions() []string {
	if p.Old != "" {
		return []string{p.Version, p.Old}
	}
	return []string{p.Version}
}

// tolerate takes note of a scriptlet that was interrupted or could not run:
// the files are to be whole all the same.
func (s *switcher) tolerate(err error) error {
	if err != nil && !errors.Is(err, errStopped) {
		s.errs = append(s.errs, err)
		err = nil
	}
	return err
}

func (s *switcher) removeScript(ctx context.Context, rm *removalStep, fn string) error {
	p := s.local.Package(rm.Name)
	if p == nil || p.Version != rm.Version {
		return nil // its entry has gone: that was done before
	}
	install, err := s.local.Install(p)
	if err != nil {
		return err
	}
	return s.script(ctx, p.Name, install, fn, p.Version)
}

// begin tells of a step, once.
func (s *switcher) begin(i int) {
	if s.begun == i {
		return
	}
	s.begun = i
	st := s.steps[i]
	text := ""
	if st.put == nil {
		text = st.remove.Version
	} else {
		text = strings.Join(st.put.versions(), " ")
	}
	s.tell(Event{Kind: st.kind(), Name: st.name(), Text: text, Done: int64(s.runner.done + 1), Total: int64(s.total)})
	if st.put != nil {
		for _, e := range st.put.warnings {
			if e.About == AboutDirMode && s.work.rmdirs[strings.TrimSuffix(e.Path, "/")] {
				continue // gone since; if it is there all the same, who is to make it tells
			}
			s.tell(e)
		}
	}
}

// step does one step that is in the journal. An interruption comes too late to
// stop it, and ends the scriptlet alone that is running.
func (s *switcher) step(ctx context.Context, i int) error {
	st := s.steps[i]
	s.begin(i)
	if err := s.op.all(st.name(), s.planned[i]); err != nil {
		return err
	}
	s.pathsChanged()
	ended := func() {
		s.tell(Event{Kind: st.kind(), Name: st.name(), Done: int64(s.finished()), Total: int64(s.total), Finished: true})
	}
	var err error
	if st.remove != nil {
		err = s.remove(ctx, i, st.remove)
		ended()
	} else {
		if err = s.commit(st.put); err == nil {
			ended()
			err = s.after(ctx, i, st.put)
		}
	}
	if err != nil || s.done[i] {
		return err
	}
	return s.log.Append(kindDone, doneRecord{i})
}

// pathsChanged drops what is remembered of directories.
func (s *switcher) pathsChanged() {
	if s.tree != nil {
		s.tree.Forget()
	}
}

// remove ends a removal.
func (s *switcher) remove(ctx context.Context, i int, rm *removalStep) error {
	if !s.done[i] {
		if err := s.tolerate(s.removeScript(ctx, rm, scriptlet.PostRemove)); err != nil {
			return err
		}
	}
	if rm.Pending {
		return nil
	}
	return s.local.Drop(rm.Name, rm.Version)
}

// commit puts the entry of a package into the database.
func (s *switcher) commit(p *stagedPackage) error {
	if err := s.local.Commit(p.entry, p.Before, p.Extra); err != nil {
		return err
	}
	for _, rm := range p.Replaces {
		if rm.Name == p.Name {
			continue
		}
		if err := s.local.Drop(rm.Name, rm.Version); err != nil {
			return err
		}
	}
	return nil
}

// after runs the scriptlet that comes after a package.
func (s *switcher) after(ctx context.Context, i int, p *stagedPackage) error {
	if s.done[i] || !s.runs(s.steps[i]) {
		return nil
	}
	fn := scriptlet.PostInstall
	if p.Old != "" {
		fn = scriptlet.PostUpgrade
	}
	install, err := s.local.Install(p.entry)
	if err != nil {
		return err
	}
	return s.tolerate(s.script(ctx, p.Name, install, fn, p.versions()...))
}

// place gives new directories their times, and makes all of it last.
func (s *switcher) place() error {
	for _, d := range slices.Concat(s.head.Made, s.op.times) {
		if d.Time == 0 || s.tree == nil {
			continue
		}
		if err := s.tree.SetTime(d.Path, d.Time); err != nil {
			return fmt.Errorf("set the time of /%s: %w", d.Path, err)
		}
	}
	if err := s.sweep(); err != nil {
		return err
	}
	if err := s.env.step("flush"); err != nil {
		return err
	}
	if !s.env.unsynced {
		if err := flushAll(s.env, s.tree, s.local.Dir(), s.head.Dirs); err != nil {
			return err
		}
	}
	return errors.Join(s.log.Append(kindPlaced, struct{}{}), s.log.Sync())
}

// sweep removes what an interrupted run had staged again and not written down.
func (s *switcher) sweep() error {
	if s.tree == nil || !s.recovering {
		return nil
	}
	for _, dir := range s.head.Dirs {
		if err := removeTemps(s.env, s.tree, dir, s.op.temp); err != nil {
			return fmt.Errorf("remove what was staged: %w", err)
		}
	}
	return nil
}

// outcome is what is to be said when everything is done.
func (s *switcher) outcome() error {
	if errs := append(s.errs, s.op.stuck...); len(errs) > 0 {
		return &PackageError{Op: "switch", Package: "all packages", Done: s.runner.done, Total: s.total, Err: errors.Join(errs...)}
	}
	return nil
}
