// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/rastos/rastos/internal/account"
	"github.com/rastos/rastos/internal/boot"
	"github.com/rastos/rastos/internal/deploy"
	"github.com/rastos/rastos/internal/disk"
	"github.com/rastos/rastos/internal/manifest"
	"github.com/rastos/rastos/internal/node"
	"github.com/rastos/rastos/internal/plan"
	"github.com/rastos/rastos/internal/report"
)

// BuildRequest says which image is built.
type BuildRequest struct {
	Manifest     *manifest.Manifest
	ManifestFile string // where it came from; a copy goes into the image
	Output       string // path without its ending
	Formats      []string
	Force        bool // replace what is there
	Settings
}

// BuildResult is what a build left behind.
type BuildResult struct {
	Files    []BuiltFile `json:"files"`
	Packages int         `json:"packages"`
	Kernel   string      `json:"kernel"`
}

// BuiltFile is one image.
type BuiltFile struct {
	Path   string `json:"path"`
	Format string `json:"format"`
	Size   int64  `json:"size"` // bytes that it takes on the disk
}

// existsError says that an image is already there.
type existsError struct{ path string }

func (e *existsError) Error() string { return e.path + " is already there" }
func (e *existsError) Hint() string  { return "--force replaces it" }

// formatError is a word that is no image format.
type formatError struct{ word string }

func (e *formatError) Error() string { return fmt.Sprintf("there is no image format %q", e.word) }
func (e *formatError) Hint() string {
	return "the formats are " + strings.Join(formats(), " and ")
}
func (e *formatError) ExitCode() int { return 2 }

// aurError refuses an image that would lack what its manifest declares.
type aurError struct{ names []string }

func (e *aurError) Error() string {
	return "this version of rastos builds no packages from the AUR, and the manifest wants " + strings.Join(e.names, ", ")
}
func (e *aurError) Hint() string {
	return "build them yourself into a repository (`rastos repo add`), and list them in official"
}
func (e *aurError) ExitCode() int { return 3 }

// build is one run: what it works with, and what has to be given back.
type build struct {
	*Machine
	r     BuildRequest
	mf    *manifest.Manifest
	sink  report.Sink
	scope plan.Scope

	dir     string      // working folder
	image   *disk.Image // the raw image being made
	layout  disk.Layout
	esp     boot.ESP
	disks   disks
	mounted bool
	sys     *System
	work    *node.Work
	tree    Tree
	homes   []account.Home
	node    node.Node
}

// BuildImage makes a disk image from a manifest. The image appears under its
// name when it is whole; whatever ends the build before leaves no mount, loop
// device or file.
func (m *Machine) BuildImage(ctx context.Context, sink report.Sink, r BuildRequest) (res BuildResult, err error) {
	if err := m.needRoot("image build"); err != nil {
		return res, err
	}
	b := &build{Machine: m, r: r, mf: r.Manifest, sink: sink}
	if len(r.Formats) > 0 {
		b.mf.Disk.Formats = slices.Compact(slices.Sorted(slices.Values(r.Formats)))
	}
	if err := b.preflight(ctx); err != nil {
		return res, err
	}
	defer b.scope.Close(&err)
	for _, step := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"", b.claim},
		{"partition and format", b.disk},
		{"", b.packages},
		{"configure", b.configure},
		{"seal node and deployment", b.deployment},
		{"fill shared volumes", b.volumes},
		{"", b.bootable},
		{"close the file systems", b.unmount},
		{"", func(ctx context.Context) error { res.Files, err = b.publish(ctx); return err }},
	} {
		if err := context.Cause(ctx); err != nil {
			return res, err
		}
		if err := b.step(ctx, step.name, step.do); err != nil {
			return res, b.explain(ctx, err)
		}
	}
	res.Packages, res.Kernel = b.node.Count, b.node.Kernel
	return res, nil
}

// step runs one step as a task; one without a name tells its own.
func (b *build) step(ctx context.Context, name string, do func(context.Context) error) error {
	if name == "" {
		return do(ctx)
	}
	task := report.Begin(b.sink, name, 0, report.Items)
	err := do(ctx)
	task.End(err, "")
	return err
}

// preflight finds what is missing before anything is downloaded or written.
func (b *build) preflight(ctx context.Context) error {
	for _, f := range b.mf.Disk.Formats {
		if !slices.Contains(formats(), f) {
			return &formatError{f}
		}
	}
	if aur := b.mf.Packages.AUR; len(aur) > 0 {
		return &aurError{aur}
	}
	if _, err := repositoryKeys(b.mf.Repositories, pacmanHome); err != nil {
		return err
	}
	programs := [][]string{{"mkfs.btrfs", "--version"}}
	if b.mf.Disk.Swap > 0 {
		programs = append(programs, []string{"btrfs", "--version"})
	}
	for _, p := range programs {
		if _, err := b.Programs.Output(ctx, p...); err != nil {
			return err
		}
	}
	return nil
}

// configure writes what the manifest says into the tree.
func (b *build) configure(ctx context.Context) error {
	text, err := os.ReadFile(b.r.ManifestFile)
	if err != nil {
		return err
	}
	c := &configurator{Machine: b.Machine, mf: b.mf, text: text, tree: b.tree, root: b.work.Root(), fresh: true, disks: b.disks}
	err = c.configure(ctx)
	b.homes = c.homes
	return err
}

// deployment seals the tree and makes the first deployment of it.
func (b *build) deployment(context.Context) error {
	var err error
	b.node, err = b.seal(b.sys, b.work, b.tree, node.Node{Reason: "image build", Manifest: b.mf.SHA256, Owned: true}, b.mf.Kernel.Package)
	if err != nil {
		return err
	}
	_, err = b.sys.Deploys.Create(deploy.Request{Node: b.node, Reason: "image build"})
	return err
}

// bootable fills the ESP.
func (b *build) bootable(ctx context.Context) error {
	d, err := b.sys.Deploys.Get(1)
	if err != nil {
		return err
	}
	root := os.DirFS(b.sys.Nodes.Root(d.Node))
	if err := boot.InstallLoader(b.sys.ESP, root, boot.LoaderOptions{Timeout: 0}); err != nil {
		return err
	}
	opt := optionsOf(b.mf)
	if err := b.fillESP(b.sink, b.sys, &d, b.node, opt.kernelPackage); err != nil {
		return err
	}
	if _, err := b.arm(b.sink, b.sys, d, opt); err != nil {
		return err
	}
	return b.sys.ESP.Sync()
}

func optionsOf(mf *manifest.Manifest) bootOptions {
	return bootOptions{
		kernelPackage: mf.Kernel.Package, cmdline: mf.Kernel.Cmdline, compress: mf.Disk.Compress,
		title: mf.System.Hostname, tries: mf.Snapshots.Tries,
	}
}
