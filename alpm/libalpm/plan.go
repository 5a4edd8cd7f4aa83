// SPDX-License-Identifier: GPL-3.0-or-later

package libalpm

import (
	"slices"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/libalpm/wire"
	"github.com/rastos/rastos/alpm/solve"
	"github.com/rastos/rastos/alpm/trans"
)

// optionFlags are the flags that a plan carries.
func optionFlags(env *trans.Env, opt trans.Options) wire.Flags {
	return wire.Flags{
		DBOnly: opt.DBOnly, NoSave: opt.NoSave, NoHooks: opt.NoHooks || env.Chroot == nil, NoScriptlet: opt.NoScriptlet || env.Chroot == nil,
	}
}

// planOf is a plan of the library's as one of the native engine's.
func planOf(w wire.Plan, req trans.Request) *trans.Plan {
	p := &trans.Plan{Options: req.Options}
	for _, st := range w.Install {
		p.Install = append(p.Install, trans.Step{
			Package: st.Package, Repo: st.Repo, File: st.File, Remote: st.File != "" && slices.Contains(req.Remote, st.File),
			Old: st.Old, Reason: st.Reason, Target: st.Target, Replaces: st.Replaces, Download: st.Download,
			RequiredBy: requiredBy(w.Install, st.Package),
		})
	}
	for _, rm := range w.Remove {
		p.Remove = append(p.Remove, trans.Removal{Package: rm.Package, Cause: solve.Cause(rm.Cause), By: rm.By})
	}
	explain(p.Remove)
	p.Sum()
	return p
}

// requiredBy names the packages of a plan that depend on one.
func requiredBy(steps []wire.Step, p *desc.Package) []string {
	var out []string
	for _, st := range steps {
		needs := func(dep string) bool { return p.Satisfies(desc.ParseDep(dep)) }
		if st.Package.Name != p.Name && slices.ContainsFunc(st.Package.Depends, needs) {
			out = append(out, st.Package.Name)
		}
	}
	return out
}

// explain says of the packages that go along with others why they do: they
// need one that goes (a cascade), or only one that goes needs them.
func explain(list []trans.Removal) {
	for again := true; again; {
		again = false
		for i := range list {
			rm := &list[i]
			if rm.Cause != "" {
				continue
			}
			for _, other := range list {
				if other.Cause == "" || other.Cause == solve.CauseUnneeded || other.Package.Name == rm.Package.Name {
					continue
				}
				if dependsOn(rm.Package, other.Package) {
					rm.Cause, rm.By, again = solve.CauseCascade, other.Package.Name, true
					break
				}
			}
		}
	}
	for again := true; again; {
		again = false
		for i := range list {
			rm := &list[i]
			if rm.Cause != "" {
				continue
			}
			for _, other := range list {
				if other.Cause != "" && dependsOn(other.Package, rm.Package) {
					rm.Cause, rm.By, again = solve.CauseUnneeded, other.Package.Name, true
					break
				}
			}
		}
	}
}

func dependsOn(p, on *desc.Package) bool {
	return slices.ContainsFunc(p.Depends, func(dep string) bool { return on.Satisfies(desc.ParseDep(dep)) })
}

// hold asks about removals that HoldPkg names, which is no business of the
// library's.
func hold(env *trans.Env, req trans.Request, p *trans.Plan) error {
	for _, rm := range p.Remove {
		held := slices.ContainsFunc(env.HoldPkg, func(pattern string) bool { return solve.Match(pattern, rm.Package.Name) })
		if !held || rm.Cause == solve.CauseReplaced || rm.Cause == solve.CauseConflict {
			continue
		}
		if req.Answer == nil || req.Answer(solve.Question{Kind: solve.QuestionHold, Package: rm.Package, Default: solve.No}) != solve.Yes {
			return &solve.HoldError{Package: rm.Package.Name}
		}
	}
	return nil
}
