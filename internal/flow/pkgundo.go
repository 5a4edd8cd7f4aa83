// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/history"
	"github.com/rastos/rastos/alpm/localdb"
	"github.com/rastos/rastos/alpm/pkgfile"
	"github.com/rastos/rastos/alpm/solve"
	"github.com/rastos/rastos/alpm/syncdb"
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
	u := &undoing{w: w, env: env, sink: sink, entry: e, entries: entries, reasons: map[string]desc.Reason{}}
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
	w       *World
	env     trans.Env
	sink    report.Sink
	entry   history.Entry
	entries []history.Entry
	local   *localdb.DB

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
	if err := u.supply(ctx, &req); err != nil {
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

// supply finds an archive for each package that is to come back.
func (u *undoing) supply(ctx context.Context, req *trans.Request) error {
	if len(u.back) == 0 {
		return nil
	}
	repos, err := trans.Lookup(ctx, u.env, false)
	if err != nil {
		return err
	}
	lists := map[string][]*desc.Package{} // of repositories that get older packages again
	lacking := &undoError{id: u.entry.ID, hint: "put the archives into " + u.env.CacheDir + ", or undo only what can be had by hand: `rastos pkg install`"}
	for _, c := range u.back {
		want := *c.Old
		if known, ok := history.Known(u.entries, c.Name, want.Version); ok && want.SHA256 == "" {
			want.Repo, want.File, want.SHA256, want.Size = known.Repo, known.File, known.SHA256, known.Size
		}
		reason := desc.Explicit
		if want.Reason == desc.Depend.String() {
			reason = desc.Depend
		}
		if want.Reason == "" && c.New != nil {
			reason = u.local.Package(c.Name).Reason
		}
		u.reasons[c.Name] = reason
		repo, pkg, file := u.find(ctx, repos, c.Name, want)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case pkg != nil:
			lists[repo] = append(lists[repo], pkg)
			req.Targets = append(req.Targets, repo+"/"+c.Name)
		case file != "":
			req.Files = append(req.Files, file)
		default:
			lacking.reasons = append(lacking.reasons, fmt.Sprintf("the archive of %s %s is neither in a repository nor in the cache", c.Name, want.Version))
		}
	}
	if len(lacking.reasons) > 0 {
		return lacking
	}
	u.offer(repos, lists)
	return nil
}

// offer lets repositories have what is to come back, in place of what they
// have of those names.
func (u *undoing) offer(repos []*syncdb.DB, lists map[string][]*desc.Package) {
	env := &u.env
	env.Repos = slices.Clone(env.Repos)
	for i := range env.Repos {
		r := &env.Repos[i]
		packages := slices.Clone(lists[r.Name])
		if repos[i] != nil {
			for _, p := range repos[i].Packages() {
				if !slices.ContainsFunc(lists[r.Name], func(q *desc.Package) bool { return q.Name == p.Name }) {
					packages = append(packages, p)
				}
			}
		}
		r.DB = syncdb.New(r.Name, packages)
		if len(lists[r.Name]) > 0 && !r.Usage.Allows(solve.UseInstall) {
			r.Usage |= solve.UseInstall
		}
	}
}

// find looks for one version: in the repositories, for the archive that the
// history names in the cache or on the servers, for one in the cache by its
// name, and where it was given as a file.
func (u *undoing) find(ctx context.Context, repos []*syncdb.DB, name string, want history.Version) (repo string, p *desc.Package, file string) {
	for _, db := range repos {
		if db == nil {
			continue
		}
		if q := db.Package(name); q != nil && q.Version == want.Version && (want.SHA256 == "" || want.SHA256 == q.SHA256) {
			return db.Name, q, ""
		}
	}
	if want.Repo != "" && want.SHA256 != "" && slices.ContainsFunc(u.env.Repos, func(r trans.Repo) bool { return r.Name == want.Repo }) {
		q, err := trans.LoadPin(ctx, u.env, trans.Pin{
			Repo: want.Repo, Name: name, Version: want.Version, Filename: want.File, SHA256: want.SHA256, Size: want.Size,
		}, packageEvents(u.sink))
		if _, native := u.w.engine.(trans.Native); err == nil && !native {
			return "", nil, filepath.Join(u.env.CacheDir, want.File) // it reads databases by itself
		}
		if err == nil {
			return want.Repo, q, ""
		}
		report.Notef(u.sink, "%s %s from %s: %v", name, want.Version, want.Repo, err)
	}
	for _, file := range u.archives(name, want) {
		if q, err := pkgfile.LoadInfo(file); err == nil && q.Name == name && q.Version == want.Version {
			return "", nil, file
		} else if err != nil && !errors.Is(err, os.ErrNotExist) {
			report.Notef(u.sink, "%s: %v", file, err)
		}
	}
	return "", nil, ""
}

// archives are files that may be it.
func (u *undoing) archives(name string, want history.Version) []string {
	var files []string
	if filepath.IsAbs(want.File) {
		files = append(files, want.File)
	}
	for _, dir := range slices.Concat([]string{u.env.CacheDir}, u.env.Caches) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), name+"-"+want.Version+"-") && strings.Contains(e.Name(), ".pkg.tar") && !strings.HasSuffix(e.Name(), ".sig") && !strings.HasSuffix(e.Name(), ".part") {
				files = append(files, filepath.Join(dir, e.Name()))
			}
		}
	}
	return files
}
