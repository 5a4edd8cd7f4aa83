// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/solve"
	"github.com/rastos/rastos/alpm/verify"
	"github.com/rastos/rastos/internal/report"
)

// VerifyRequest says which packages are held against what.
type VerifyRequest struct {
	Names []string // none: all that are installed
	Quick bool     // only whether the files are there
}

// Verified is what holding packages against their files found.
type Verified struct {
	Packages int           `json:"packages"`
	Files    int           `json:"files"`
	Altered  int           `json:"altered"` // files that are missing or not as they should be
	Findings []FileFinding `json:"findings"`
}

// FileFinding is one thing that is wrong with one file.
type FileFinding struct {
	Package string `json:"package"`
	Path    string `json:"path,omitempty"`
	Kind    string `json:"kind"`
	Digest  string `json:"digest,omitempty"`
	Backup  bool   `json:"backup,omitempty"` // a file that people are expected to change
	Text    string `json:"text"`
}

// Sound tells that nothing is altered, and that everything could be looked at.
func (v *Verified) Sound() bool {
	return v.Altered == 0 && !slices.ContainsFunc(v.Findings, func(f FileFinding) bool { return f.Kind == findingUnread })
}

// findingUnread is a package whose list of files cannot be read.
const findingUnread = "list unreadable"

// PkgVerify holds the files of installed packages against the database.
func (m *Machine) PkgVerify(ctx context.Context, sink report.Sink, w *World, r VerifyRequest) (*Verified, error) {
	v, err := w.installedView()
	if err != nil {
		return nil, err
	}
	packages := v.installed
	if len(r.Names) > 0 {
		if packages, err = v.named(r.Names); err != nil {
			return nil, err
		}
	}
	task := report.Begin(sink, "verify packages", int64(len(packages)), report.Items)
	out := &Verified{Findings: []FileFinding{}}
	err = verify.Check(ctx, v.local, packages, verify.Options{
		Root: w.Root, Local: v.local.Dir(), Full: !r.Quick,
		NoExtract: func(path string) bool { return solve.LastMatch(v.env.NoExtract, path) },
	}, func(res verify.Result) error {
		out.add(res)
		task.Progress(int64(out.Packages))
		return nil
	})
	task.End(err, fmt.Sprint(out.Packages))
	return out, err
}

func (v *Verified) add(r verify.Result) {
	v.Packages++
	v.Files += r.Files
	v.Altered += r.Altered
	if r.Err != nil {
		v.Findings = append(v.Findings, FileFinding{Package: r.Package.Name, Kind: findingUnread, Text: r.Package.Name + ": " + r.Err.Error()})
	}
	for _, f := range r.Findings {
		v.Findings = append(v.Findings, FileFinding{
			Package: f.Package, Path: "/" + f.Path, Kind: string(f.Kind), Digest: f.Digest, Backup: f.Backup, Text: f.String(),
		})
	}
}

// named are installed packages by name.
func (v *packageView) named(names []string) ([]*desc.Package, error) {
	var out []*desc.Package
	var missing []error
	for _, name := range names {
		p := v.local.Package(name)
		if p == nil {
			missing = append(missing, &unfoundError{what: "the package " + name + " is not installed"})
			continue
		}
		out = append(out, p)
	}
	return out, errors.Join(missing...)
}
