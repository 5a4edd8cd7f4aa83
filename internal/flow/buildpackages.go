// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/rastos/rastos/alpm/keyring"
	"github.com/rastos/rastos/alpm/solve"
	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/internal/manifest"
	"github.com/rastos/rastos/internal/report"
	"github.com/rastos/rastos/internal/selfpkg"
)

// packages opens a work tree and installs the manifest's packages into it.
func (b *build) packages(ctx context.Context) error {
	var err error
	if b.work, err = b.sys.Nodes.Begin(0, "image build"); err != nil {
		return err
	}
	if b.tree, err = b.FastTree(b.work.Root()); err != nil {
		return err
	}
	b.scope.Defer("close the tree", func(context.Context) error { return b.closeTree() })
	if err := skeleton(b.tree); err != nil {
		return err
	}
	env, err := b.packageEnv(b.mf, b.r.Settings, b.work.Root(), filepath.Join(b.r.CacheDir, "sync"), pacmanHome)
	if err != nil {
		return err
	}
	engine, err := b.engine(b.mf)
	if err != nil {
		return err
	}
	events := packageEvents(b.sink)
	if _, err := engine.Sync(ctx, env, events); err != nil {
		return err
	}
	p, err := b.plan(ctx, engine, &env)
	if err != nil {
		return err
	}
	report.Notef(b.sink, "%d packages, %s to download, %s installed", len(p.Install), report.Size(p.Sizes.Download), report.Size(p.Sizes.Installed))
	if err := b.room(p); err != nil {
		return err
	}
	if err := download(ctx, engine, env, p, events); err != nil {
		return err
	}
	return engine.Run(ctx, env, p, events)
}

// plan resolves the manifest's packages.
func (b *build) plan(ctx context.Context, engine PackageEngine, env *trans.Env) (*trans.Plan, error) {
	return b.planSystem(ctx, engine, env, b.mf, b.dir, trans.Options{})
}

// planSystem resolves a manifest's packages for an empty tree, with its kernel and
// rastos itself. A repository that has a package "rastos" provides it; else it is
// made of the binaries that run, in a folder that goes away.
func (m *Machine) planSystem(ctx context.Context, engine PackageEngine, env *trans.Env, mf *manifest.Manifest, dir string, o trans.Options) (*trans.Plan, error) {
	req := trans.Request{Targets: slices.Clone(mf.Packages.Official), Options: o}
	if !slices.Contains(req.Targets, mf.Kernel.Package) {
		req.Targets = append(req.Targets, mf.Kernel.Package)
	}
	// Asked for alone, so that the mistakes of the manifest's own list are told
	// apart from the lack of this package.
	_, err := engine.Prepare(ctx, *env, trans.Request{Targets: []string{selfpkg.Name}})
	var none *solve.NotFoundError
	switch {
	case err == nil && !slices.Contains(req.Targets, selfpkg.Name):
		req.Targets = append(req.Targets, selfpkg.Name)
	case errors.As(err, &none):
		file, err := m.ownPackage(dir)
		if err != nil {
			return nil, err
		}
		req.Files = []string{file}
		// It is this very process's own binary, made a moment ago: no signature
		// could say more about it.
		env.FileSigLevel.Package.Check = keyring.Never
	}
	return engine.Prepare(ctx, *env, req)
}

// ownPackage makes the package of the running binaries.
func (m *Machine) ownPackage(dir string) (string, error) {
	exe, err := m.Executable()
	if err != nil {
		return "", err
	}
	tool, err := os.ReadFile(exe)
	if err != nil {
		return "", err
	}
	init, err := findInit(exe)
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	err = selfpkg.Write(&out, selfpkg.Content{Version: m.Version, Tool: tool, Init: init, Epoch: m.Now()})
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "rastos.pkg.tar.zst")
	return path, os.WriteFile(path, out.Bytes(), 0o600)
}

// findInit looks for rastos-init beside the binary (a build) and where the
// package puts it.
func findInit(exe string) ([]byte, error) {
	if real, err := filepath.EvalSymlinks(exe); err == nil {
		exe = real
	}
	places := []string{filepath.Join(filepath.Dir(exe), "rastos-init"), "/" + initPath}
	for _, p := range places {
		data, err := os.ReadFile(p)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return data, err
		}
	}
	return nil, report.WithHint(fmt.Errorf("rastos-init is neither %s nor %s", places[0], places[1]), "build both with `make build`")
}
