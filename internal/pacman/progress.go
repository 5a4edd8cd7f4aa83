// SPDX-License-Identifier: GPL-3.0-or-later

package pacman

import (
	"fmt"
	"strings"
	"sync"

	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/alpm/version"
)

// progress shows what the engine does, and writes the log.
//
// The engine may install packages side by side and run their scriptlets after
// all of them. Off a terminal the lines come in the order of the plan, each
// package's own below its name, as pacman's do; on one, each package gets its
// bar when it is in.
type progress struct {
	t  *transaction
	mu sync.Mutex // of the output

	plan             *trans.Plan
	started          bool // something of the root may have changed
	done             bool
	hooks            bool   // those of the present half are running
	removed, arrived int    // packages
	leaving          string // the package that is being removed

	place  map[string]int // of a package in the plan's installs
	next   int            // the first of them that was not shown yet
	shown  int            // the one whose lines are being shown; -1: none
	isIn   map[string]bool
	queue  map[string][]func() // lines of packages whose turn has not come
	load   *downloads
	behind []string // warnings that wait for a bar's end
}

func newProgress(t *transaction) *progress {
	return &progress{t: t, shown: -1, place: map[string]int{}, isIn: map[string]bool{}, queue: map[string][]func(){}, load: newDownloads(t.session)}
}

// begin takes the plan that is about to be carried out.
func (p *progress) begin(plan *trans.Plan) {
	p.plan = plan
	for i, st := range plan.Install {
		p.place[st.Package.Name] = i
	}
}

// event shows one event of the engine.
func (p *progress) event(e trans.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e.Kind {
	case trans.EventSync, trans.EventRetrieve, trans.EventDownload:
		p.load.event(e)
		if e.Kind == trans.EventRetrieve && e.Finished {
			p.flushBehind()
		}
	case trans.EventCheck:
		p.check(e)
	case trans.EventHook:
		p.hook(e)
	case trans.EventStart:
		p.start()
	case trans.EventDone:
		p.flushInstalls(len(p.plan.Install))
		p.done, p.hooks = true, false
		p.t.log(byEngine, "transaction completed")
	case trans.EventRemove:
		p.remove(e)
	case trans.EventInstall, trans.EventUpgrade:
		p.install(e)
	case trans.EventScriptlet, trans.EventOutput, trans.EventPacnew, trans.EventPacsave, trans.EventWarning:
		p.ofPackage(e)
	}
	_ = p.t.out.Flush()
}

func (p *progress) start() {
	p.started, p.hooks = true, false
	p.t.log(byEngine, "transaction started")
	p.t.colon("Processing package changes...\n")
}

// interrupt says that a person's ^C was seen.
func (p *progress) interrupt() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.load.finish()
	p.t.stderr("\nInterrupt signal received\n")
}

// finish ends what is being drawn.
func (p *progress) finish() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.load.finish()
	p.flushBehind()
}

// end is after the last event.
func (p *progress) end(err error, interrupted bool) {
	p.finish()
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil || !p.started || p.done {
		return
	}
	p.flushInstalls(len(p.plan.Install))
	if interrupted {
		p.t.log(byEngine, "transaction interrupted")
		return
	}
	p.t.log(byEngine, "transaction failed")
}

// checks words the stages before the first change.
func (p *progress) check(e trans.Event) {
	text, ok := map[string][2]string{
		trans.CheckKeyring:   {"checking keyring", "checking keys in keyring"},
		trans.CheckIntegrity: {"checking package integrity", "checking package integrity"},
		trans.CheckLoad:      {"loading package files", "loading package files"},
		trans.CheckFiles:     {"checking for file conflicts", "checking for file conflicts"},
		trans.CheckSpace:     {"checking available disk space", "checking available disk space"},
	}[e.Name]
	switch {
	case !ok, len(p.plan.Install) == 0, e.Name == trans.CheckSpace && !p.t.conf.CheckSpace:
	case e.Name == trans.CheckLoad && p.t.opt.DownloadOnly:
	case p.bars():
		p.bar(text[1], len(p.plan.Install), len(p.plan.Install))
	default:
		p.t.print(text[0], "...\n")
	}
}

// bars tells whether bars are drawn.
func (p *progress) bars() bool { return !p.t.conf.NoProgressBar && p.t.columns() > 0 }

// bar draws a whole bar: the engine tells of a package when it is in.
func (p *progress) bar(text string, n, of int) {
	p.t.print(barLine(text, n, of, p.t.columns()), barFill(100, barWidth(p.t.columns()), p.t.conf.ILoveCandy), "\n")
	p.flushBehind()
}

func (p *progress) hook(e trans.Event) {
	if !p.hooks {
		half := "pre"
		if p.done {
			half = "post"
		}
		p.t.colon("Running %s-transaction hooks...\n", half)
		p.hooks = true
	}
	digits := len(fmt.Sprint(e.Total))
	p.t.printf("(%*d/%*d) %s\n", digits, e.Done, digits, e.Total, e.Text)
	p.t.log(byEngine, "running '"+strings.TrimSuffix(e.Name, ".hook")+".hook'...")
}

func (p *progress) remove(e trans.Event) {
	p.leaving = ""
	if !e.Finished {
		p.leaving = e.Name
		if !p.bars() {
			p.t.print("removing ", e.Name, "...\n")
		}
		return
	}
	p.removed++
	for _, rm := range p.plan.Remove {
		if rm.Package.Name == e.Name {
			p.t.log(byEngine, "removed "+e.Name+" ("+rm.Package.Version+")")
		}
	}
	if p.bars() {
		p.bar("removing "+e.Name, p.removed, len(p.plan.Remove))
	}
}

// install handles the begin and the end of one package.
func (p *progress) install(e trans.Event) {
	at, ok := p.place[e.Name]
	if !ok {
		return
	}
	switch {
	case e.Finished:
		p.isIn[e.Name] = true
		p.arrived++
		st := &p.plan.Install[at]
		p.t.log(byEngine, logged(st))
		if p.bars() {
			p.bar(doing(st)+" "+e.Name, p.arrived, len(p.plan.Install))
		}
	case e.Done > 0: // one after the other
		p.flushInstalls(at)
		p.turn(at)
	}
}

// doing says what happens to a package.
func doing(st *trans.Step) string {
	if st.Old == nil {
		return "installing"
	}
	switch c := version.Compare(st.Package.Version, st.Old.Version); {
	case c == 0:
		return "reinstalling"
	case c < 0:
		return "downgrading"
	}
	return "upgrading"
}

// logged is the line of the log for a package that is in.
func logged(st *trans.Step) string {
	p := st.Package
	switch what := doing(st); what {
	case "installing", "reinstalling":
		return strings.TrimSuffix(what, "ing") + "ed " + p.Name + " (" + p.Version + ")"
	case "downgrading":
		return "downgraded " + p.Name + " (" + st.Old.Version + " -> " + p.Version + ")"
	}
	return "upgraded " + p.Name + " (" + st.Old.Version + " -> " + p.Version + ")"
}

// turn begins the lines of an installed package.
func (p *progress) turn(at int) {
	if p.shown == at {
		return
	}
	p.shown = at
	st := &p.plan.Install[at]
	if !p.bars() {
		p.t.print(doing(st), " ", st.Package.Name, "...\n")
	}
	for _, show := range p.queue[st.Package.Name] {
		show()
	}
	delete(p.queue, st.Package.Name)
}

// flushInstalls ends the lines of all packages before one.
func (p *progress) flushInstalls(before int) {
	for ; p.next < before; p.next++ {
		if !p.isIn[p.plan.Install[p.next].Package.Name] {
			continue
		}
		p.turn(p.next)
		p.optional(&p.plan.Install[p.next])
	}
}

// ofPackage shows what concerns one package, when its turn has come.
func (p *progress) ofPackage(e trans.Event) {
	at, ok := p.place[e.Name]
	ok = ok && p.leaving != e.Name // else it is removed before it is installed again
	if e.Kind == trans.EventScriptlet {
		if ok {
			p.flushInstalls(at)
			p.turn(at)
		}
		return
	}
	p.logLine(e)
	if ok && p.started && p.shown != at && !p.bars() {
		p.queue[e.Name] = append(p.queue[e.Name], func() { p.line(e) })
		return
	}
	p.line(e)
}

// logLine puts into the log what belongs there.
func (p *progress) logLine(e trans.Event) {
	switch e.Kind {
	case trans.EventOutput:
		p.t.log("ALPM-SCRIPTLET", e.Text)
	case trans.EventPacnew, trans.EventPacsave:
		p.t.log(byEngine, "warning: "+p.besides(e))
	case trans.EventWarning:
		if e.About == trans.AboutDirMode {
			p.t.log(byEngine, "warning: "+p.warning(e))
		}
	}
}

func (p *progress) line(e trans.Event) {
	switch e.Kind {
	case trans.EventOutput:
		p.t.print(e.Text, "\n")
	case trans.EventPacnew, trans.EventPacsave:
		p.later(e, p.t.tint.Warn+"warning: "+p.t.tint.Off, p.besides(e))
	case trans.EventWarning:
		switch e.About {
		case trans.AboutMirror:
			if len(p.t.conf.XferArgv) > 0 {
				return // what the program had to say it said itself
			}
			p.later(e, p.t.tint.Err+"error: "+p.t.tint.Off, p.mirror(e))
			return
		case trans.AboutHookDepends:
			p.later(e, p.t.tint.Err+"error: "+p.t.tint.Off, "unable to run hook "+e.Name+": could not satisfy dependencies")
			return
		case trans.AboutProgram:
			p.later(e, p.t.tint.Err+"error: "+p.t.tint.Off, "command failed to execute correctly")
			return
		}
		if text := p.warning(e); text != "" {
			p.later(e, p.t.tint.Warn+"warning: "+p.t.tint.Off, text)
		}
	}
}

// later writes a message to standard error, after the bar that is being drawn
// or that its package is still to get.
func (p *progress) later(e trans.Event, prefix, text string) {
	if p.load.drawing() || p.bars() && p.awaited(e.Name) {
		p.behind = append(p.behind, prefix+text+"\n")
		return
	}
	p.t.stderr("%s%s\n", prefix, text)
}

// awaited tells whether a package of the plan is not done yet.
func (p *progress) awaited(name string) bool {
	if !p.started || p.done {
		return false
	}
	if _, ok := p.place[name]; ok {
		return !p.isIn[name]
	}
	return p.removed < len(p.plan.Remove)
}

func (p *progress) flushBehind() {
	for _, text := range p.behind {
		p.t.stderr("%s", text)
	}
	p.behind = nil
}

// besides words a file that was put beside the one that is there.
func (p *progress) besides(e trans.Event) string {
	path := p.t.conf.RootDir + e.Path
	if e.Kind == trans.EventPacnew {
		return strings.TrimSuffix(path, ".pacnew") + " installed as " + path
	}
	return strings.TrimSuffix(path, ".pacsave") + " saved as " + path
}

// warning words a warning as pacman has it; what it has not is the engine's.
func (p *progress) warning(e trans.Event) string {
	path := p.t.conf.RootDir + strings.TrimSuffix(e.Path, "/") + "/"
	switch {
	case e.About == trans.AboutDirMode && len(e.Args) == 2:
		return fmt.Sprintf("directory permissions differ on %s\nfilesystem: %s  package: %s", path, e.Args[0], e.Args[1])
	case e.About == trans.AboutDirOwner:
		return "" // pacman says nothing of it: packages give directories to users that they make
	case e.About == trans.AboutBlocked:
		return "warning given when extracting " + p.t.conf.RootDir + e.Path + " (Could not unlink)"
	case e.About == trans.AboutHardLink && len(e.Args) == 1:
		return fmt.Sprintf("warning given when extracting %s%s (Hard-link target '%s' does not exist.)", p.t.conf.RootDir, e.Path, e.Args[0])
	case e.About == trans.AboutBanned && len(e.Args) == 1:
		return "too many errors from " + e.Args[0] + ", skipping for the remainder of this transaction"
	}
	return e.Text
}
