// SPDX-License-Identifier: GPL-3.0-or-later

package trans

import (
	"context"
	"fmt"
	"os"
	"sync"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/extract"
	"github.com/rastos/rastos/alpm/hook"
	"github.com/rastos/rastos/alpm/localdb"
	"github.com/rastos/rastos/alpm/scriptlet"
	"github.com/rastos/rastos/alpm/trans/rootfs"
)

// Run carries out a plan, after finishing what an interrupted one left. The
// root is untouched when it fails before the first package.
//
// With Durable, everything is staged first; until that is done, and the
// PreTransaction hooks are, a failure or the end of ctx leaves the root as it
// was. After that it is carried through: the end of ctx ends the scriptlet or
// hook that is running, and what could not be done is told at the end. A disk
// that fails then leaves an *UnfinishedError, and the next command finishes.
//
// Without it, failures after the first package are *PackageError, and when ctx
// ends, the package at hand is finished and no other is begun.
func Run(ctx context.Context, env Env, plan *Plan, events Events) (err error) {
	tell := serial(events)
	lock, err := acquire(ctx, &env, tell)
	if err != nil {
		return err
	}
	defer func() { lock.releaseAfter(err) }()
	r := &runner{decoders: newDecoders(), env: &env, plan: plan, opt: plan.Options, tell: tell, total: len(plan.Install) + len(plan.Remove)}
	if err := r.ready(ctx); err != nil {
		return err
	}
	defer r.close()
	end, err := env.recorded(plan)
	if err != nil {
		return err
	}
	defer func() { end(err) }()
	if env.Durable {
		return r.journalled(ctx)
	}
	for _, stage := range []func(context.Context) error{
		r.preHooks, r.start, r.removeAll, r.installAll, r.settle, r.ldconfig, r.takeKeys, r.finish, r.postHooks,
	} {
		if err := stage(ctx); err != nil {
			_ = r.settle(ctx) // the packages that are in are to be whole
			return err
		}
	}
	return nil
}

// start tells that nothing was changed until here.
func (r *runner) start(context.Context) error {
	r.tell(Event{Kind: EventStart})
	return nil
}

// finish tells that everything is in its place.
func (r *runner) finish(context.Context) error {
	r.tell(Event{Kind: EventDone})
	return nil
}

// serial makes events come one at a time, and from nobody to nobody.
func serial(events Events) Events {
	if events == nil {
		return func(Event) {}
	}
	var mu sync.Mutex
	return func(e Event) {
		mu.Lock()
		defer mu.Unlock()
		events(e)
	}
}

// runner is one run of one plan.
type runner struct {
	env  *Env
	plan *Plan
	opt  Options
	tell Events

	local    *localdb.DB
	tree     *rootfs.Tree
	bare     *rootfs.Tree // for the hooks where there is no other
	root     *extract.Root
	archives []*archive
	decoders decoders
	old      map[string]*desc.Package // installed versions of what is upgraded
	check    *fileCheck
	staged   []*stagedPackage // of a journalled run, as archives
	change   hook.Change
	teachers []string // keyring packages whose keys the root's keyring is to get
	ran      bool     // a hook or a scriptlet, since it began
	restaged int      // files that were staged once more

	noUpgrade, noExtract patterns
	dirs                 *dirOwners
	warned               map[string]bool // hooks' warnings that were told
	pending              map[string]bool // removed packages whose entries wait for their replacement's

	mu    sync.Mutex
	done  int
	total int
}

func (r *runner) close() {
	if r.root != nil {
		_ = r.root.Close()
	}
	if r.tree != nil {
		r.tree.Close()
	}
	if r.bare != nil {
		r.bare.Close()
	}
}

// ready does everything that can fail without the root having been touched.
func (r *runner) ready(ctx context.Context) (err error) {
	open := openLocal
	if r.env.Durable {
		open = openLate
	}
	if r.local, err = open(r.env); err != nil {
		return err
	}
	if err := r.plan.Fits(r.version); err != nil {
		return err
	}
	if err := Download(ctx, *r.env, r.plan, r.tell); err != nil {
		return err
	}
	r.tell(Event{Kind: EventCheck, Name: CheckLoad, Total: int64(len(r.plan.Install))})
	if r.archives, err = readHeads(r.env, r.plan, r.decoders); err != nil {
		return err
	}
	if err := r.loadLists(); err != nil {
		return err
	}
	r.noUpgrade, r.noExtract = compilePatterns(r.env.NoUpgrade), compilePatterns(r.env.NoExtract)
	r.dirs = newDirOwners(r.local)
	r.pending, r.warned = map[string]bool{}, map[string]bool{}
	r.change = r.hookChange()
	for _, l := range r.plan.lessons {
		r.teachers = append(r.teachers, l.Package)
	}
	if r.opt.DBOnly {
		return nil
	}
	return r.openRoot()
}

func (r *runner) openRoot() (err error) {
	if err := os.MkdirAll(r.env.Root, 0o755); err != nil {
		return fmt.Errorf("open the root: %w", err)
	}
	if r.tree, err = rootfs.Open(r.env.Root); err != nil {
		return fmt.Errorf("open the root: %w", err)
	}
	defer func() {
		if err != nil {
			r.close()
		}
	}()
	r.tell(Event{Kind: EventCheck, Name: CheckFiles, Total: int64(len(r.archives))})
	r.check = &fileCheck{
		tree: r.tree, local: r.local, archives: r.archives, old: r.old,
		overwrite: compilePatterns(r.opt.Overwrite), noExtract: r.noExtract,
	}
	for _, rm := range r.plan.Remove {
		r.check.removed = append(r.check.removed, r.local.Package(rm.Package.Name))
	}
	if err := r.check.run(); err != nil {
		return err
	}
	r.tell(Event{Kind: EventCheck, Name: CheckSpace, Total: int64(len(r.archives))})
	if err := checkSpace(r.env, r.archives); err != nil {
		return err
	}
	r.root, err = extract.OpenRootWith(r.env.Root, extract.Options{LateTimes: true})
	return err
}

// version is that of an installed package.
func (r *runner) version(name string) string {
	if p := r.local.Package(name); p != nil {
		return p.Version
	}
	return ""
}

// loadLists loads the files of every installed package that changes.
func (r *runner) loadLists() error {
	r.old = map[string]*desc.Package{}
	for i := range r.plan.Install {
		name := r.plan.Install[i].Package.Name
		p := r.local.Package(name)
		if p == nil || r.plan.removes(name) {
			continue
		}
		if err := loadFileList(r.local, p); err != nil {
			return err
		}
		r.old[name] = p
	}
	for _, rm := range r.plan.Remove {
		if err := loadFileList(r.local, r.local.Package(rm.Package.Name)); err != nil {
			return err
		}
	}
	return nil
}

// finished counts a package and returns its number.
func (r *runner) finished() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done++
	return r.done
}

func (r *runner) failed(op, name string, err error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return &PackageError{Op: op, Package: name, Done: r.done, Total: r.total, Err: err}
}

// installAll installs packages side by side where nothing depends on their
// order, else one after the other.
func (r *runner) installAll(ctx context.Context) error {
	if r.sideBySide() {
		return r.installParallel(ctx)
	}
	for _, a := range r.archives {
		if err := r.installOne(ctx, a); err != nil {
			return err
		}
	}
	return nil
}

// sideBySide: nothing is upgraded or removed, no file of one package lies on
// the way of another's, and no scriptlet wants to run before its package.
func (r *runner) sideBySide() bool {
	if r.opt.DBOnly || len(r.archives) < 2 || len(r.plan.Remove) > 0 || len(r.old) > 0 || r.check.overlap {
		return false
	}
	for _, a := range r.archives {
		if r.scriptletsRun() && scriptlet.Defines(a.scriptlet(), scriptlet.PreInstall) {
			return false
		}
	}
	return true
}

// settle gives new directories their times, now that their content is there.
func (r *runner) settle(context.Context) error {
	if r.root == nil {
		return nil
	}
	r.tree.Forget()
	return r.root.SettleTimes()
}
