// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/solve"
	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/alpm/version"
	"github.com/rastos/rastos/internal/manifest"
	"github.com/rastos/rastos/internal/report"
)

// InstallRequest asks for packages.
type InstallRequest struct {
	// Targets are names, "repository/name", groups, what is provided, archives
	// and their URLs.
	Targets     []string
	AsDeps      bool // they count as dependencies
	Reinstall   bool // also what is there in the very version
	Refresh     bool
	Overwrite   []string // patterns of files that may be overwritten
	NoScriptlet bool
	Ask         Ask
}

// RemoveRequest asks for packages to go.
type RemoveRequest struct {
	Targets     []string
	Recursive   bool // and what only they needed
	Cascade     bool // and what needs them
	Unneeded    bool // but those that something needs
	Purge       bool // changed configuration files, too
	NoScriptlet bool
	Ask         Ask
}

// UpgradeRequest asks for newer packages.
type UpgradeRequest struct {
	Refresh   bool
	Downgrade bool     // take what the repositories have, older or not
	Ignore    []string // patterns of names to leave alone
	HoldBack  bool     // leave as they are, unasked, those that cannot be upgraded with the rest
	Ask       Ask
}

// PlanInstall works out what installing packages means.
func (m *Machine) PlanInstall(ctx context.Context, sink report.Sink, w *World, r InstallRequest) (*ChangePlan, error) {
	if err := m.needRootAt(w.Root, "install"); err != nil {
		return nil, err
	}
	req := trans.Request{Needed: !r.Reinstall, AsDeps: r.AsDeps, Answer: r.Ask.answer()}
	req.Overwrite, req.NoScriptlet = relative(r.Overwrite), r.NoScriptlet
	var urls []string
	for _, t := range r.Targets {
		switch {
		case strings.Contains(t, "://"):
			urls = append(urls, t)
		case isArchive(t):
			req.Files = append(req.Files, t)
		default:
			req.Targets = append(req.Targets, t)
		}
	}
	if len(urls) > 0 {
		env, err := w.Env()
		if err != nil {
			return nil, err
		}
		if req.Remote, err = trans.FetchURLs(ctx, env, urls, packageEvents(sink)); err != nil {
			return nil, err
		}
	}
	p, err := m.PlanChange(ctx, sink, w, ChangeRequest{Request: req, Verb: "install", Refresh: r.Refresh})
	if err != nil {
		return nil, err
	}
	if !r.AsDeps {
		if err := w.markExplicit(p, req.Targets); err != nil {
			return nil, err
		}
	}
	w.noteDeclared(p)
	return p, nil
}

// isArchive tells a file from the name of a package.
func isArchive(target string) bool {
	if strings.Contains(target, ".pkg.tar") {
		return true
	}
	info, err := os.Stat(target)
	return strings.Contains(target, "/") && err == nil && info.Mode().IsRegular()
}

// relative turns patterns of paths into those below a root.
func relative(patterns []string) []string {
	var out []string
	for _, p := range patterns {
		rest, not := strings.CutPrefix(p, "!")
		if rest = strings.TrimPrefix(rest, "/"); not {
			rest = "!" + rest
		}
		out = append(out, rest)
	}
	return out
}

// markExplicit finds targets that are there already, as dependencies: from now
// on they count as asked for.
func (w *World) markExplicit(p *ChangePlan, targets []string) error {
	env, err := w.HeadEnv()
	if err != nil {
		return err
	}
	db, err := trans.Installed(env)
	if err != nil {
		return err
	}
	for _, t := range targets {
		_, name, ok := strings.Cut(t, "/")
		if !ok {
			name = t
		}
		changes := slices.ContainsFunc(p.Packages.Install, func(st trans.Step) bool { return st.Package.Name == name })
		if q := db.Package(name); q != nil && q.Reason == desc.Depend && !changes {
			p.Explicit = append(p.Explicit, name)
		}
	}
	return nil
}

// noteDeclared says where a change and the manifest go different ways.
func (w *World) noteDeclared(p *ChangePlan) {
	if w.mf == nil {
		return
	}
	d := declaration(w.mf)
	declares := func(q *desc.Package) bool {
		return slices.Contains(d.Own, q.Name) || slices.Contains(d.Foreign, q.Name) || slices.ContainsFunc(d.Targets, func(t string) bool {
			return slices.Contains(q.Groups, t) || q.Satisfies(desc.ParseDep(t[strings.Index(t, "/")+1:]))
		})
	}
	for _, st := range p.Packages.Install {
		if st.Old == nil && st.Reason == desc.Explicit && !declares(st.Package) {
			p.note("%s does not declare %s: the next apply would remove it", manifest.SystemPath, st.Package.Name)
		}
	}
	for _, rm := range p.Packages.Remove {
		if rm.Cause == solve.CauseRequested && declares(rm.Package) {
			p.note("%s declares %s: the next apply would install it again", manifest.SystemPath, rm.Package.Name)
		}
	}
}

func (p *ChangePlan) note(format string, args ...any) {
	p.Notes = append(p.Notes, fmt.Sprintf(format, args...))
}

// PlanRemove works out what removing packages means.
func (m *Machine) PlanRemove(ctx context.Context, sink report.Sink, w *World, r RemoveRequest) (*ChangePlan, error) {
	if w.lenient {
		var err error
		if r.Targets, err = w.present(r.Targets); err != nil {
			return nil, err
		}
		if len(r.Targets) == 0 {
			return w.Plan("remove", &trans.Plan{}), nil
		}
	}
	req := trans.Request{
		Remove: r.Targets, Recursive: r.Recursive, Cascade: r.Cascade, Unneeded: r.Unneeded, Answer: r.Ask.answer(),
	}
	req.NoSave, req.NoScriptlet = r.Purge, r.NoScriptlet
	p, err := m.PlanChange(ctx, sink, w, ChangeRequest{Request: req, Verb: "remove"})
	if err == nil {
		w.noteDeclared(p)
	}
	return p, err
}

// present leaves out targets that name nothing that is installed.
func (w *World) present(targets []string) ([]string, error) {
	env, err := w.HeadEnv()
	if err != nil {
		return nil, err
	}
	db, err := trans.Installed(env)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(targets), func(t string) bool {
		return db.Package(t) == nil && !slices.ContainsFunc(db.Packages(), func(p *desc.Package) bool { return slices.Contains(p.Groups, t) })
	}), nil
}

// PlanPkgUpgrade works out what is newer.
func (m *Machine) PlanPkgUpgrade(ctx context.Context, sink report.Sink, w *World, r UpgradeRequest) (*ChangePlan, error) {
	return m.PlanChange(ctx, sink, w, ChangeRequest{
		Request: trans.Request{SysUpgrade: true, Downgrade: r.Downgrade, HoldBack: true, Answer: r.Ask.orHoldBack(r.HoldBack)},
		Verb:    "upgrade", Refresh: r.Refresh, Ignore: r.Ignore,
	})
}

// ChangeRow is one package of a plan, as a person reads it.
type ChangeRow struct {
	Action, Package, Old, New, Repository string
	Download                              int64 // bytes
	Why                                   string
}

// Rows lists what a plan does to packages.
func (p *ChangePlan) Rows() []ChangeRow {
	var rows []ChangeRow
	for i := range p.Packages.Install {
		st := &p.Packages.Install[i]
		r := ChangeRow{Action: "install", Package: st.Package.Name, New: st.Package.Version, Repository: st.Repo, Download: st.Download}
		if st.Old != nil {
			r.Old = st.Old.Version
			r.Action = [...]string{"upgrade", "reinstall", "downgrade"}[1+version.Compare(r.Old, r.New)]
		}
		switch {
		case len(st.Replaces) > 0:
			r.Why = "replaces " + joinNames(st.Replaces)
		case len(st.RequiredBy) > 0 && st.Target == "" && st.Old == nil:
			r.Why = "needed by " + st.RequiredBy[0]
		}
		rows = append(rows, r)
	}
	for _, rm := range p.Packages.Remove {
		r := ChangeRow{Action: "remove", Package: rm.Package.Name, Old: rm.Package.Version}
		switch rm.Cause {
		case solve.CauseReplaced:
			r.Why = "replaced by " + rm.By
		case solve.CauseConflict:
			r.Why = "conflicts with " + rm.By
		case solve.CauseCascade:
			r.Why = "needs " + rm.By
		case solve.CauseUnneeded:
			r.Why = "needed by nothing else"
		}
		rows = append(rows, r)
	}
	for _, h := range p.Packages.Held {
		rows = append(rows, ChangeRow{Action: "hold back", Package: h.Name, Old: h.Version, New: h.New, Repository: h.Repo, Why: h.Reason()})
	}
	for _, name := range p.Explicit {
		rows = append(rows, ChangeRow{Action: "keep", Package: name, Why: "counts as asked for"})
	}
	return rows
}
