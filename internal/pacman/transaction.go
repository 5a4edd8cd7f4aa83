// SPDX-License-Identifier: GPL-3.0-or-later

package pacman

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rastos/rastos/alpm/localdb"
	"github.com/rastos/rastos/alpm/solve"
	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/internal/flow"
	"github.com/rastos/rastos/internal/pacman/cmdline"
)

// transaction is one change of the system: locked, prepared, shown, agreed to
// and carried out.
type transaction struct {
	*session
	ctx  context.Context
	ask  *asker
	env  trans.Env
	held *trans.Lock // of this machine's database, which no other pacman then changes
	plan *trans.Plan
	// local is what is installed where the transaction takes place.
	local *localdb.DB
	// node is where changes go into a new node; nil: they happen in place.
	node *flow.World
	// told are archives of which it was said what is wrong.
	told map[*trans.VerifyError]string
	// given is what each file was called by the person.
	given map[string]string
	// unusable says what is wrong with the databases of repositories, if
	// something is.
	unusable string
	doomed   bool // by that, so that there is nothing to say or to ask any more
	show     *progress
}

// errNoAnswer is a question whose answer did not come.
var errNoAnswer = errors.New("no answer")

// begin makes ready for a transaction over the databases of list and takes the
// lock; what only prints takes none.
func (s *session) begin(ctx context.Context, list repos) (*transaction, bool) {
	env, err := s.env()
	if err != nil {
		s.errorf("%v", err)
		return nil, false
	}
	t := &transaction{session: s, ctx: ctx, ask: s.asker(ctx), env: env, local: s.conf.Local,
		given: map[string]string{}, told: map[*trans.VerifyError]string{}}
	t.show = newProgress(t)
	if err := t.rebase(); err != nil {
		s.errorf("failed to init transaction (%v)", err)
		return nil, false
	}
	for i := range list {
		for j := range t.env.Repos {
			if t.env.Repos[j].Name == list[i].Name {
				t.env.Repos[j].DB = list[i].DB
			}
		}
		if _, err := os.Stat(filepath.Join(s.conf.DBPath, "sync", list[i].Name+packageDB)); err != nil && s.opt.Op == cmdline.OpSync {
			t.unusable = "could not find database"
		}
	}
	t.env.Corrupt = t.corrupt
	if s.opt.Print {
		return t, true
	}
	if t.held, err = trans.Acquire(ctx, env, s.recovery); err != nil {
		s.lockFailed(err)
		return nil, false
	}
	if t.held.Recovered() != nil && !t.reopen() {
		return nil, false
	}
	t.env.Held = t.held
	return t, true
}

// reopen reads the database once more, since an interrupted transaction was
// finished or taken back.
func (t *transaction) reopen() bool {
	if !t.openLocal() {
		t.release()
		return false
	}
	if t.node == nil {
		t.local = t.conf.Local
	}
	return true
}

// release ends the transaction.
func (t *transaction) release() {
	if t.held != nil {
		t.held.Release()
	}
	t.held = nil
}

// request is what the options say, for targets to be filled in.
func (t *transaction) request() trans.Request {
	o := t.opt
	return trans.Request{
		Needed: o.Needed, AsDeps: o.AllDeps, AsExplicit: o.AllExplicit,
		Recursive: o.Recursive, RecursiveAll: o.RecursiveAll, Cascade: o.Cascade, Unneeded: o.Unneeded,
		NoVersions: o.NoVersions, NoDeps: o.NoDeps, NoConflicts: o.Print || o.DownloadOnly,
		Assume: o.Assume,
		Answer: t.answer, Select: t.ask.members, Tell: t.note, Lost: t.lost,
		Options: trans.Options{
			Overwrite: t.overwrite(), NoScriptlet: o.NoScriptlet, DBOnly: o.DBOnly, NoSave: o.NoSave,
		},
	}
}

func (t *transaction) answer(q solve.Question) int {
	if t.doomed {
		return q.Default
	}
	return t.ask.answer(q)
}

// overwrite turns patterns of paths on this machine into those below the root.
func (t *transaction) overwrite() []string {
	var out []string
	for _, pattern := range t.opt.Overwrite {
		plain, not := strings.CutPrefix(pattern, "!")
		plain = strings.TrimPrefix(plain, t.conf.RootDir)
		if not {
			plain = "!" + plain
		}
		out = append(out, plain)
	}
	return out
}

// prepare works the plan out; code is an exit code if it cannot be done.
func (t *transaction) prepare(req trans.Request) (code int, ok bool) {
	plan, err := trans.Prepare(t.ctx, t.env, req)
	switch {
	case t.ctx.Err() != nil:
		return t.interrupted(), false
	case t.doomed:
		t.errorf("failed to prepare transaction (%s)", t.unusable)
		return 1, false
	case err != nil:
		t.prepareFailed(err)
		return 1, false
	}
	t.plan = plan
	return 0, true
}

// interrupted is how a person's ^C ends what changed nothing yet.
func (t *transaction) interrupted() int {
	t.release()
	t.stderr("\nInterrupt signal received\n")
	t.print("\n")
	return exitInterrupted
}

// exitInterrupted is 128 and the number of SIGINT.
const exitInterrupted = 130

// install carries a prepared installation through: it shows the plan, asks,
// and commits.
func (t *transaction) install() int {
	if len(t.plan.Install) == 0 {
		if !t.opt.Print {
			t.print(" there is nothing to do\n")
		}
		return 0
	}
	if t.unusable != "" { // of which no stage told, since nothing was to be resolved
		t.errorf("failed to prepare transaction (%s)", t.unusable)
		return 1
	}
	if t.opt.Print {
		for i := range t.plan.Install {
			t.printStep(&t.plan.Install[i])
		}
		return 0
	}
	t.showPlan()
	t.print("\n")
	agreed := false
	if t.opt.DownloadOnly {
		agreed = t.ask.yesno("Proceed with download?")
	} else {
		agreed = t.ask.yesno("Proceed with installation?")
	}
	if t.ctx.Err() != nil {
		return t.interrupted()
	}
	if !agreed {
		return 1
	}
	return t.commit("Errors occurred, no packages were upgraded.\n")
}

// commit does what was agreed to; epitaph is what follows an error.
func (t *transaction) commit(epitaph string) int {
	t.show.begin(t.plan)
	if len(t.plan.Install) > 0 {
		t.env.CacheDir = t.makeCache()
	}
	stop := context.AfterFunc(t.ctx, t.show.interrupt)
	defer stop()
	var err error
	switch {
	case t.opt.DownloadOnly:
		err = trans.Download(t.ctx, t.env, t.plan, t.show.event)
	case t.node != nil:
		err = t.runInNode()
	default:
		err = trans.Run(t.ctx, t.env, t.plan, t.show.event)
	}
	t.show.end(err, t.ctx.Err() != nil)
	switch {
	case err == nil:
		return 0
	case t.ctx.Err() != nil && !t.show.started:
		t.release()
		t.print("\n")
		return exitInterrupted
	case t.ctx.Err() != nil:
		return exitInterrupted
	}
	t.commitFailed(err)
	t.print(epitaph)
	return 1
}

// explicit tells whether a person asked for a step, if only by its name: what
// takes the place of a file need not be one. An upgrade of the system is the
// target of steps, too, but nobody named those.
func (t *transaction) explicit(st *trans.Step) bool {
	return st.Target != "" && (t.opt.Op == cmdline.OpUpgrade || slices.Contains(t.opt.Targets, st.Target))
}

// note words what the engine tells while it works the plan out.
func (t *transaction) note(n solve.Note) {
	if n.Kind == solve.NoteStage {
		t.stage(n.Text)
		return
	}
	if t.doomed {
		return
	}
	switch n.Kind {
	case solve.NoteUpToDate:
		t.warnf("%s-%s is up to date -- skipping", n.Package, n.Version)
	case solve.NoteReinstall:
		if !t.opt.DownloadOnly {
			t.warnf("%s-%s is up to date -- reinstalling", n.Package, n.Version)
		}
	case solve.NoteDowngrade:
		if !t.opt.DownloadOnly {
			t.warnf("downgrading package %s (%s => %s)", n.Package, n.Version, n.OtherVersion)
		}
	case solve.NoteSysDowngrade:
		t.warnf("%s: downgrading from version %s to version %s", n.Package, n.Version, n.OtherVersion)
	case solve.NoteIgnoredUpgrade:
		t.warnf("%s: ignoring package upgrade (%s => %s)", n.Package, n.Version, n.OtherVersion)
	case solve.NoteIgnoredDowngrade:
		t.warnf("%s: ignoring package downgrade (%s => %s)", n.Package, n.Version, n.OtherVersion)
	case solve.NoteNewer:
		t.warnf("%s: local (%s) is newer than %s (%s)", n.Package, n.Version, n.Repo, n.OtherVersion)
	case solve.NoteSkipped:
		t.warnf("skipping target: %s", n.Package)
	default:
		t.noteRelation(n)
	}
}

// noteRelation words what concerns two packages.
func (t *transaction) noteRelation(n solve.Note) {
	switch n.Kind {
	case solve.NoteIgnoredReplace:
		t.warnf("ignoring package replacement (%s-%s => %s-%s)", n.Package, n.Version, n.Other, n.OtherVersion)
	case solve.NoteNotReplaced:
		t.warnf("cannot replace %s by %s", n.Package, n.Other)
	case solve.NoteIgnored:
		t.warnf("ignoring package %s-%s", n.Package, n.Version)
	case solve.NoteUnresolved:
		t.warnf("cannot resolve \"%s\", a dependency of \"%s\"", n.Dep, n.Package)
	case solve.NoteDropped:
		t.warnf("removing '%s' from target list because it conflicts with '%s'", n.Package, n.Other)
	case solve.NoteCycle:
		t.warnf("dependency cycle detected:")
		t.warnf("%s will be installed before its %s dependency", n.Package, n.Other)
	case solve.NoteRemoveCycle:
		t.warnf("dependency cycle detected:")
		t.warnf("%s will be removed after its %s dependency", n.Package, n.Other)
	case solve.NoteKept:
		t.warnf("removing %s from target list", n.Package)
	case solve.NoteOptional:
		if !t.opt.Print {
			t.colon("%s optionally requires %s\n", n.Other, n.Dep)
		}
	}
}

func (t *transaction) stage(name string) {
	t.doomed = t.doomed || t.unusable != "" && name != solve.StageUpgrade
	if t.doomed {
		return
	}
	if t.opt.Print {
		return
	}
	switch name {
	case solve.StageUpgrade:
		t.colon("Starting full system upgrade...\n")
		t.log(byPacman, "starting full system upgrade")
	case solve.StageResolve:
		t.print("resolving dependencies...\n")
	case solve.StageConflicts:
		t.print("looking for conflicting packages...\n")
	case solve.StageDependencies:
		t.print("checking dependencies...\n")
	}
	_ = t.out.Flush()
}
