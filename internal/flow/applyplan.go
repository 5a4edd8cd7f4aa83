// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/solve"
	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/internal/declare"
	"github.com/rastos/rastos/internal/deploy"
	"github.com/rastos/rastos/internal/lockfile"
	"github.com/rastos/rastos/internal/manifest"
	"github.com/rastos/rastos/internal/report"
	"github.com/rastos/rastos/internal/selfpkg"
)

// ApplyRequest says which system is compared with which manifest.
type ApplyRequest struct {
	Place
	File    string // the manifest; "": the one that the system has
	Upgrade bool   // bring packages up to date, too
	Refresh bool   // bring the repositories' databases up to date first
	Locked  bool   // take exactly what the manifest's lock pins
	// HoldBack leaves packages as they are that Upgrade cannot upgrade with
	// the rest; where it is not set, Ask is asked.
	HoldBack bool
	Ask      Ask
}

// ReasonChange is a package that is to count as asked for, or no longer.
type ReasonChange struct {
	Package string `json:"package"`
	Old     string `json:"old"`
	New     string `json:"new"`
}

// ApplyPlan says what makes a system what its manifest says: what happens to
// packages, which of them count as asked for, and what is set beside them.
type ApplyPlan struct {
	ChangePlan
	Manifest string         `json:"manifest"` // SHA-256
	Reasons  []ReasonChange `json:"reasons"`
	Settings []Setting      `json:"settings"`
	Pins     bool           `json:"pins"` // the lock is written anew
	Notes    []declare.Note `json:"notes"`
	State    string         `json:"state"` // digest of the installed packages that it was made for

	declared *declared
	reasons  map[string]desc.Reason
	locked   *lockfile.Lock // what has to come out; nil: whatever does
}

// Empty tells that there is nothing to do.
func (p *ApplyPlan) Empty() bool { return p.Unchanged() && (!p.Live || p.Staged == 0) }

// Unchanged tells that the system is what its manifest says.
func (p *ApplyPlan) Unchanged() bool {
	return p.Packages.Empty() && len(p.Reasons) == 0 && len(p.Settings) == 0 && !p.Pins
}

// Reason names what the change does, for lists of nodes and the history.
func (p *ApplyPlan) Reason() string {
	if p.Packages.Empty() {
		return p.Verb + ": settings"
	}
	return p.ChangePlan.Reason()
}

// declared is a manifest as a system is compared with it.
type declared struct {
	*manifest.Manifest
	text []byte
	file string // where a person gave it; "": it is the system's own
}

// lockPath is where its lock lies.
func (d *declared) lockPath(root string) string {
	if d.file != "" {
		return lockfile.PathFor(d.file)
	}
	return filepath.Join(root, systemLockPath)
}

// declaredFor reads the manifest that a request is about.
func (m *Machine) declaredFor(r ApplyRequest) (root string, d *declared, err error) {
	if root, err = rootOf(r.Place); err != nil {
		return "", nil, err
	}
	d = &declared{file: r.File}
	path := r.File
	if path == "" {
		path = m.systemManifestFile(root)
		d.Manifest, err = systemManifest(path, root)
	} else {
		d.Manifest, err = manifest.Load(path)
	}
	if err != nil {
		return "", nil, err
	}
	d.text, err = manifest.ReadFile(path)
	return root, d, err
}

// systemManifestFile is where a system has its manifest.
func (m *Machine) systemManifestFile(root string) string {
	path := filepath.Join(root, manifest.SystemPath)
	if root == "/" {
		return cmp.Or(m.manifestPath, path)
	}
	return path
}

// worldFor opens the system that a manifest is about.
func (m *Machine) worldFor(root string, d *declared, s Settings) (*World, error) {
	w, err := m.WorldOf(root, m.manifestEnv(d.Manifest, s, m.gpgDirFor(root)))
	if err != nil {
		return nil, err
	}
	w.mf = d.Manifest
	w.engine, err = m.engine(d.Manifest)
	return w, err
}

// declaration is what a manifest says of packages. The kernel's is declared by
// its own key; the package rastos is the system's own where it is installed.
func declaration(mf *manifest.Manifest) declare.Declaration {
	d := declare.Declaration{
		Targets: slices.Clone(mf.Packages.Official), Foreign: mf.Packages.AUR,
		Own: []string{selfpkg.Name}, Hold: mf.Packages.Hold,
	}
	if !slices.Contains(d.Targets, mf.Kernel.Package) {
		d.Targets = append(d.Targets, mf.Kernel.Package)
	}
	return d
}

// PlanApply compares a system with its manifest. RunApply carries the plan out.
func (m *Machine) PlanApply(ctx context.Context, sink report.Sink, s Settings, r ApplyRequest) (*World, *ApplyPlan, error) {
	root, d, err := m.declaredFor(r)
	if err != nil {
		return nil, nil, err
	}
	w, err := m.worldFor(root, d, s)
	if err != nil {
		return nil, nil, err
	}
	if r.Refresh || r.Upgrade {
		if _, err := m.Refresh(ctx, sink, w); err != nil {
			return nil, nil, err
		}
	}
	p := &ApplyPlan{ChangePlan: ChangePlan{Verb: "apply", Root: root}, Manifest: d.SHA256, declared: d}
	if w.sys != nil {
		p.Base, p.From = &w.base, w.sys.Live
	}
	env, err := w.HeadEnv()
	if err != nil {
		return nil, nil, err
	}
	if err := recoverPackages(ctx, sink, env); err != nil {
		return nil, nil, err
	}
	db, err := trans.Installed(env)
	if err != nil {
		return nil, nil, err
	}
	installed := db.Packages()
	p.State = installedState(installed)
	if err := m.planPackages(ctx, sink, w, p, &env, installed, r); err != nil {
		return nil, nil, advise(err)
	}
	return w, p, m.planSettings(w, p, installed)
}

// installedState sums up what is installed and why.
func installedState(installed []*desc.Package) string {
	h := sha256.New()
	for _, p := range installed {
		fmt.Fprintf(h, "%s %s %d\n", p.Name, p.Version, p.Reason)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// planPackages fills in what happens to packages and their reasons.
func (m *Machine) planPackages(ctx context.Context, sink report.Sink, w *World, p *ApplyPlan, env *trans.Env, installed []*desc.Package, r ApplyRequest) error {
	u := declare.Universe{
		Installed: installed, IgnorePkg: env.IgnorePkg, Arch: []string{env.Arch},
		Repos: func() ([]solve.Repo, error) { return trans.Databases(ctx, *env) },
	}
	decl := declaration(p.declared.Manifest)
	var change *declare.Change
	var err error
	if r.Locked {
		change, err = m.planLocked(ctx, sink, w, p, env, u, decl)
	} else {
		change, err = declare.Work(u, decl, declare.Options{Upgrade: r.Upgrade, HoldBack: holdingBack(r.HoldBack, r.Ask)})
	}
	if err != nil {
		return err
	}
	p.Notes, p.reasons, p.Packages = change.Notes, change.Reasons, &trans.Plan{}
	if change.Engine() {
		p.Packages, err = w.engine.Prepare(ctx, *env, trans.Request{
			Targets: change.Targets, Remove: change.Remove, SysUpgrade: change.Upgrade, HoldBack: change.HoldBack, Needed: true, Answer: change.Answer,
		})
		if err != nil {
			return err
		}
	}
	takeReasons(p.Packages, p.reasons)
	for _, pkg := range installed {
		if now, ok := p.reasons[pkg.Name]; ok {
			p.Reasons = append(p.Reasons, ReasonChange{pkg.Name, pkg.Reason.String(), now.String()})
		}
	}
	return nil
}

// takeReasons lets packages be installed with the reasons that they are to
// have; what remains is to be changed of others.
func takeReasons(plan *trans.Plan, reasons map[string]desc.Reason) {
	for i := range plan.Install {
		st := &plan.Install[i]
		if r, ok := reasons[st.Package.Name]; ok {
			st.Reason = r
			delete(reasons, st.Package.Name)
		}
	}
}

// planLocked asks for exactly what the lock pins.
func (m *Machine) planLocked(ctx context.Context, sink report.Sink, w *World, p *ApplyPlan, env *trans.Env, u declare.Universe, decl declare.Declaration) (*declare.Change, error) {
	if err := nativeOnly(w.mf); err != nil {
		return nil, err
	}
	var err error
	if p.locked, err = lockFor(w.mf, p.declared.lockPath(w.Root)); err != nil {
		return nil, err
	}
	have := map[string]string{}
	for _, pkg := range u.Installed {
		have[pkg.Name] = pkg.Version
	}
	if err := pinned(ctx, sink, env, p.locked, have); err != nil {
		return nil, err
	}
	return declare.Exact(u, decl, pinsOf(p.locked, true))
}

// nativeOnly: the host's libalpm reads its databases itself.
func nativeOnly(mf *manifest.Manifest) error {
	if mf.Packages.Engine == engineLibalpm {
		return report.WithHint(errors.New("--locked cannot be had from the engine libalpm"), `use engine = "native"`)
	}
	return nil
}

// planSettings fills in what differs beside packages.
func (m *Machine) planSettings(w *World, p *ApplyPlan, installed []*desc.Package) error {
	t, err := m.headTree(w)
	if err != nil {
		return err
	}
	defer t.Close()
	c := m.configuratorOf(p.declared.Manifest, p.declared.text, t, w.Root)
	if p.Settings, err = m.differences(c, len(p.Packages.Install) > 0); err != nil {
		return err
	}
	lock, err := readLock(t.ReadFile, systemLockPath)
	p.Pins = err != nil || !pinsHold(lock, p.declared.Manifest, installed)
	return nil
}

// headTree is the tree that a change builds on: of a machine that was booted
// from a node, the head's, with its own /etc.
func (m *Machine) headTree(w *World) (Tree, error) {
	if w.sys == nil {
		return m.Tree(w.Root)
	}
	all, _, err := w.sys.assessed()
	if err != nil {
		return nil, err
	}
	head, ok := deploy.Head(all)
	if !ok {
		return nil, errNoHead
	}
	return m.deployedTree(w.sys, head)
}

// deployedTree is a deployment as it boots: its node's tree with its /etc.
func (m *Machine) deployedTree(sys *System, d deploy.Deployment) (Tree, error) {
	t, err := m.Tree(sys.Nodes.Root(d.Node))
	if err != nil {
		return nil, err
	}
	etc, err := m.Tree(sys.Deploys.EtcPath(d))
	if err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return splitTree{t, etc}, nil
}
