// SPDX-License-Identifier: GPL-3.0-or-later

package trans

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/hook"
	"github.com/rastos/rastos/alpm/scriptlet"
)

// scriptletsRun tells whether scriptlets run at all.
func (r *runner) scriptletsRun() bool {
	return r.env.Chroot != nil && !r.opt.NoScriptlet && !r.opt.DBOnly
}

// script runs one function of a scriptlet, if there is one. What it does with
// its exit code is the package's affair, as with pacman: it is reported.
func (r *runner) script(ctx context.Context, pkg string, text []byte, fn string, versions ...string) error {
	if !r.scriptletsRun() || !scriptlet.Defines(text, fn) {
		return nil
	}
	r.tell(Event{Kind: EventScriptlet, Name: pkg, Text: fn})
	out := &lines{emit: func(line string) { r.tell(Event{Kind: EventOutput, Name: pkg, Text: line}) }}
	r.ran = true
	res, err := scriptlet.Run(ctx, r.env.Chroot, r.env.Root, text, out, fn, versions...)
	out.flush()
	if r.tree != nil {
		r.tree.Forget()
	}
	switch {
	case err != nil && (ctx.Err() != nil || isEnvironment(err)):
		return err
	case err != nil: // no shell in the tree
		r.tell(Event{Kind: EventWarning, Name: pkg, Text: fmt.Sprintf("%s did not run: %v", fn, err)})
	case res.Code != 0:
		r.tell(Event{Kind: EventWarning, Name: pkg, About: AboutProgram, Text: fmt.Sprintf("%s ended with exit code %d", fn, res.Code)})
	}
	return nil
}

// isEnvironment tells a machine on which nothing can be run in a tree (no
// privilege, no namespaces) from a tree in which this program cannot.
func isEnvironment(err error) bool {
	var class interface{ ExitCode() int }
	return errors.As(err, &class)
}

// ldconfigProgram is run once at the end if the tree has it.
const ldconfigProgram = "/sbin/ldconfig"

func (r *runner) ldconfig(ctx context.Context) error {
	if r.env.Chroot == nil || r.tree == nil {
		return nil
	}
	for _, path := range []string{"etc/ld.so.conf", strings.TrimPrefix(ldconfigProgram, "/")} {
		if _, err := r.tree.Lstat(path); err != nil {
			return nil
		}
	}
	r.tell(Event{Kind: EventLdconfig})
	out := &lines{emit: func(line string) { r.tell(Event{Kind: EventOutput, Name: "ldconfig", Text: line}) }}
	code, err := r.env.Chroot.Run(ctx, r.env.Root, []string{ldconfigProgram}, nil, out)
	out.flush()
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("run ldconfig: %w", context.Cause(ctx))
	case err != nil:
		r.tell(Event{Kind: EventWarning, Name: "ldconfig", Text: err.Error()})
	case code != 0:
		r.tell(Event{Kind: EventWarning, Name: "ldconfig", About: AboutProgram, Text: fmt.Sprintf("exit code %d", code)})
	}
	return nil
}

// preHooks runs the hooks that come before. A mistake in a hook file ends the
// transaction here, while nothing has happened.
func (r *runner) preHooks(ctx context.Context) error {
	hooks, err := r.loadHooks()
	if err != nil {
		return &HookError{err}
	}
	if err := r.runHooks(ctx, hooks, hook.PreTransaction); err != nil {
		return &HookError{err}
	}
	return nil
}

// postHooks reads the hooks anew: the packages brought some. Nothing can be
// taken back here, so that mistakes are warnings.
func (r *runner) postHooks(ctx context.Context) error {
	hooks, err := r.loadHooks()
	if err != nil {
		r.tell(Event{Kind: EventWarning, Name: "hooks", Text: err.Error()})
	}
	return r.runHooks(ctx, hooks, hook.PostTransaction)
}

func (r *runner) hooksRun() bool {
	return r.env.Chroot != nil && !r.opt.NoHooks
}

// loadHooks reads the directories in rising priority: a file shadows those of
// the same name before it.
func (r *runner) loadHooks() ([]*hook.Hook, error) {
	if !r.hooksRun() || len(r.env.HookDirs) == 0 {
		return nil, nil
	}
	var set dirSet
	var names []string
	for i, dir := range r.env.HookDirs {
		fsys, err := r.hookDir(dir)
		if err != nil {
			return nil, fmt.Errorf("read hooks: %w", err)
		}
		set, names = append(set, fsys), append(names, strconv.Itoa(i))
	}
	hooks, err := hook.Load(set, names...)
	for _, h := range hooks {
		for _, text := range h.Warnings {
			if !r.warned[text] {
				r.tell(Event{Kind: EventWarning, Name: h.Name, Text: text})
			}
			r.warned[text] = true
		}
	}
	return hooks, err
}

func (r *runner) runHooks(ctx context.Context, hooks []*hook.Hook, when hook.When) error {
	runs := hook.Select(hooks, when, r.change)
	if len(runs) == 0 {
		return nil
	}
	r.ran = true
	current := ""
	out := &lines{emit: func(line string) { r.tell(Event{Kind: EventOutput, Name: current, Text: line}) }}
	e := hook.Executor{
		Chroot: r.env.Chroot, Root: r.env.Root, Satisfied: r.satisfied, Output: out,
		Start: func(position, total int, h *hook.Hook) {
			out.flush()
			current = h.Name
			text := h.Description
			if text == "" {
				text = h.Name
			}
			r.tell(Event{Kind: EventHook, Name: h.Name, Text: text, Done: int64(position), Total: int64(total)})
		},
	}
	if r.env.Networked != nil {
		e.Networked = r.env.Networked
	}
	outcomes, err := e.Execute(ctx, runs)
	out.flush()
	for _, o := range outcomes {
		switch {
		case errors.Is(o.Err, hook.ErrDependency):
			r.tell(Event{Kind: EventWarning, Name: o.Hook.Name, About: AboutHookDepends, Text: fmt.Sprintf("hook %s: %v", o.Hook.Name, o.Err)})
		case o.Err != nil:
			r.tell(Event{Kind: EventWarning, Name: o.Hook.Name, Text: fmt.Sprintf("hook %s: %v", o.Hook.Name, o.Err)})
		case o.Code != 0:
			r.tell(Event{Kind: EventWarning, Name: o.Hook.Name, About: AboutProgram, Text: fmt.Sprintf("hook %s: exit code %d", o.Hook.Name, o.Code)})
		}
	}
	if r.tree != nil {
		r.tree.Forget()
	}
	return err
}

func (r *runner) satisfied(dep string) bool {
	d := desc.ParseDep(dep)
	for _, p := range r.local.Packages() {
		if p.Satisfies(d) {
			return true
		}
	}
	return false
}

// hookChange is the plan as hooks see it.
func (r *runner) hookChange() hook.Change {
	var c hook.Change
	for _, a := range r.archives {
		pc := hook.PackageChange{Name: a.info.Name, NewFiles: a.files}
		if len(r.noExtract.list) > 0 {
			pc.NewFiles = nil
			for _, f := range a.files {
				if !r.noExtract.match(f) {
					pc.NewFiles = append(pc.NewFiles, f)
				}
			}
		}
		old := r.old[a.info.Name]
		if r.plan.removes(a.info.Name) { // and comes back
			old = r.local.Package(a.info.Name)
		}
		if old != nil {
			pc.OldFiles = old.Files
			c.Upgraded = append(c.Upgraded, pc)
		} else {
			c.Installed = append(c.Installed, pc)
		}
	}
	for _, rm := range r.plan.Remove {
		p := r.local.Package(rm.Package.Name)
		if slices.ContainsFunc(r.archives, func(a *archive) bool { return a.info.Name == p.Name }) {
			continue
		}
		c.Removed = append(c.Removed, hook.PackageChange{Name: p.Name, OldFiles: p.Files})
	}
	return c
}

// lines hands what a program writes on line by line.
type lines struct {
	mu   sync.Mutex
	rest []byte
	emit func(string)
}

// maxLine ends a line that has no end.
const maxLine = 4096

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = append(l.rest, p...)
	for {
		i := bytes.IndexByte(l.rest, '\n')
		if i < 0 && len(l.rest) < maxLine {
			return len(p), nil
		}
		if i < 0 {
			i = len(l.rest) - 1
			l.emit(string(l.rest))
		} else {
			l.emit(strings.TrimSuffix(string(l.rest[:i]), "\r"))
		}
		l.rest = l.rest[i+1:]
	}
}

func (l *lines) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.rest) > 0 {
		l.emit(string(l.rest))
		l.rest = nil
	}
}
