// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"context"
	"fmt"
	"strings"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/history"
	"github.com/rastos/rastos/alpm/localdb"
	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/internal/report"
)

// UndoRequest says which transaction is taken back.
type UndoRequest struct {
	ID  string
	Ask Ask
}

// undoError names all that keeps a transaction from being taken back.
type undoError struct {
	id      string
	reasons []string
	hint    string
}

func (e *undoError) Error() string {
	return "transaction " + e.id + " cannot be undone\n  " + strings.Join(e.reasons, "\n  ")
}
func (e *undoError) Hint() string  { return e.hint }
func (e *undoError) ExitCode() int { return exitUnfound }

// PlanUndo works out what takes a transaction back: what it installed goes,
// what it removed or replaced by another version comes back, with the reason
// that it had. Archives come from the repositories, from the cache, or from
// where they were given as files.
func (m *Machine) PlanUndo(ctx context.Context, sink report.Sink, w *World, r UndoRequest) (*ChangePlan, error) {
	if err := m.needRootAt(w.Root, "undo"); err != nil {
		return nil, err
	}
	entries, err := w.history(sink)
	if err != nil {
		return nil, err
	}
	e, ok := history.Find(entries, r.ID)
	if !ok {
		return nil, &unfoundError{what: "the history has no transaction " + r.ID, hint: "`rastos pkg history` lists them"}
	}
	env, err := w.HeadEnv()
	if err != nil {
		return nil, err
	}
	if err := recoverPackages(ctx, sink, env); err != nil {
		return nil, err
	}
	u := &undoing{supplier: supplier{w: w, env: env, sink: sink, entries: entries}, entry: e, reasons: map[string]desc.Reason{}}
	if u.local, err = trans.Installed(env); err != nil {
		return nil, err
	}
	if err := u.invert(); err != nil {
		return nil, err
	}
	return u.plan(ctx, r.Ask)
}

// undoing works one undo out.
type undoing struct {
	supplier
	entry history.Entry
	local *localdb.DB

	remove  []string
	back    []history.Change // whose Old is to be installed again
	reasons map[string]desc.Reason
	notes   []string
}

func (u *undoing) installed(name string) string {
	if p := u.local.Package(name); p != nil {
		return p.Version
	}
	return ""
}

// invert sorts the changes into what has to go and what has to come back.
func (u *undoing) invert() error {
	e := &undoError{id: u.entry.ID}
	for _, c := range u.entry.Changes {
		now, before, after := u.installed(c.Name), versionText(c.Old), versionText(c.New)
		switch {
		case before == after: // it was reinstalled
		case now == before:
			u.notes = append(u.notes, c.Name+" is as it was before already")
		case now != after:
			reason, by := u.since(c, now)
			e.reasons = append(e.reasons, reason)
			if by != "" && e.hint == "" {
				e.hint = fmt.Sprintf("undo transaction %s first", by)
			}
		case before == "":
			u.remove = append(u.remove, c.Name)
		default:
			u.back = append(u.back, c)
		}
	}
	if len(e.reasons) > 0 {
		return e
	}
	return nil
}

// since says what happened to a package after the transaction, and by which
// other one.
func (u *undoing) since(c history.Change, now string) (reason, by string) {
	after := false
	for _, e := range u.entries {
		if after && e.Result != history.Failed && e.Touches(c.Name) {
			by = e.ID
		}
		after = after || e.ID == u.entry.ID
	}
	state := "is not installed any more"
	if now != "" {
		state = "is " + now + " now"
	}
	left := "removed it"
	if c.New != nil {
		left = "made it " + c.New.Version
	}
	reason = fmt.Sprintf("%s %s, and this transaction %s", c.Name, state, left)
	if by != "" {
		return reason + ": transaction " + by + " changed it since", by
	}
	return reason + ": it was changed in a way that the history does not tell, perhaps by a rollback", ""
}

func versionText(v *history.Version) string {
	if v == nil {
		return ""
	}
	return v.Version
}

// plan finds the archives and has the engine work the rest out.
func (u *undoing) plan(ctx context.Context, ask Ask) (*ChangePlan, error) {
	req := trans.Request{Remove: u.remove, Answer: ask.answer()}
	if err := u.bringBack(ctx, &req); err != nil {
		return nil, err
	}
	packages := &trans.Plan{}
	if len(req.Remove)+len(req.Targets)+len(req.Files) > 0 {
		var err error
		if packages, err = u.w.engine.Prepare(ctx, u.env, req); err != nil {
			return nil, err
		}
	}
	takeReasons(packages, u.reasons)
	p := u.w.Plan("undo "+u.entry.ID, packages)
	p.Notes, p.Undoes = u.notes, u.entry.ID
	u.w.noteDeclared(p)
	return p, nil
}

// bringBack finds an archive for each package that is to come back.
func (u *undoing) bringBack(ctx context.Context, req *trans.Request) error {
	var wants []wanted
	for _, c := range u.back {
		want := wanted{name: c.Name, Version: *c.Old, reason: desc.Explicit}
		if want.Reason == desc.Depend.String() {
			want.reason = desc.Depend
		}
		if want.Reason == "" && c.New != nil {
			want.reason = u.local.Package(c.Name).Reason
		}
		u.reasons[c.Name] = want.reason
		wants = append(wants, want)
	}
	lacking, err := u.supply(ctx, wants, req)
	if err == nil && len(lacking) > 0 {
		err = &undoError{id: u.entry.ID, reasons: lacking, hint: u.lackingHint() + ", or undo only what can be had by hand: `rastos pkg install`"}
	}
	return err
}
