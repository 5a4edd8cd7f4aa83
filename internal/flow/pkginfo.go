// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/rastos/rastos/alpm/desc"
)

// PackageInfo is all that is known of one package, installed or in a
// repository.
type PackageInfo struct {
	Name        string `json:"name"`
	Version     string `json:"version"`
	Description string `json:"description"`
	Repository  string `json:"repository,omitempty"` // "": it is in none
	Installed   bool   `json:"installed"`            // this is what is installed
	// Other is the version in the repository of an installed package, and the
	// installed one of a package of a repository, where they differ.
	Other string `json:"other,omitempty"`

	Arch     string   `json:"arch"`
	URL      string   `json:"url,omitempty"`
	Licenses []string `json:"licenses,omitempty"`
	Groups   []string `json:"groups,omitempty"`
	Base     string   `json:"base,omitempty"`
	Packager string   `json:"packager,omitempty"`

	Depends     []string      `json:"depends,omitempty"`
	OptDepends  []OptionalDep `json:"optional,omitempty"`
	Provides    []string      `json:"provides,omitempty"`
	Conflicts   []string      `json:"conflicts,omitempty"`
	Replaces    []string      `json:"replaces,omitempty"`
	RequiredBy  []string      `json:"required_by,omitempty"`  // of what is installed
	OptionalFor []string      `json:"optional_for,omitempty"` // of what is installed

	Reason        string     `json:"reason,omitempty"` // explicit, depend
	InstalledSize int64      `json:"installed_size"`
	DownloadSize  int64      `json:"download_size,omitempty"`
	Built         *time.Time `json:"built,omitempty"`
	InstallDate   *time.Time `json:"install_date,omitempty"`
	File          string     `json:"file,omitempty"`
	SHA256        string     `json:"sha256,omitempty"`
	Validation    []string   `json:"validation,omitempty"` // how it was verified
	Signed        bool       `json:"signed,omitempty"`     // the database has a signature of it
	Backup        []string   `json:"backup,omitempty"`     // files whose changes are kept
}

// OptionalDep is an optional dependency.
type OptionalDep struct {
	Name      string `json:"name"`
	For       string `json:"for,omitempty"`
	Installed bool   `json:"installed"`
}

// PkgInfo tells of packages by name: what is installed, else what the first
// repository has; "repository/name" and available ask for the latter. The error
// joins one for each that is nowhere.
func (m *Machine) PkgInfo(ctx context.Context, w *World, names []string, available bool) ([]PackageInfo, error) {
	v, err := w.view(ctx, false)
	if err != nil {
		return nil, err
	}
	var out []PackageInfo
	var missing []error
	for _, name := range names {
		p := v.local.Package(name)
		repo, inRepo := v.available(name)
		switch {
		case p != nil && !available:
			info, err := v.installedInfo(p, inRepo)
			if err != nil {
				return nil, err
			}
			info.Repository = repo
			out = append(out, info)
		case inRepo != nil:
			out = append(out, v.repoInfo(repo, inRepo))
		default:
			missing = append(missing, v.unfound("there is no package %s", name))
		}
	}
	if err := v.damage(); err != nil {
		return nil, err
	}
	return out, errors.Join(missing...)
}

func (v *packageView) info(p *desc.Package) PackageInfo {
	i := PackageInfo{
		Name: p.Name, Version: p.Version, Description: p.Description,
		Arch: p.Arch, URL: p.URL, Licenses: p.Licenses, Groups: p.Groups, Base: p.Base, Packager: p.Packager,
		Depends: p.Depends, Provides: p.Provides, Conflicts: p.Conflicts, Replaces: p.Replaces,
		RequiredBy: v.requiredBy(p), OptionalFor: v.optionalFor(p),
		InstalledSize: p.InstalledSize, Built: date(p.BuildDate),
	}
	for _, text := range p.OptDepends {
		d := desc.ParseDep(text)
		opt := OptionalDep{For: d.Description}
		d.Description = ""
		opt.Name = d.String()
		for _, q := range v.installed {
			opt.Installed = opt.Installed || q.Satisfies(d)
		}
		i.OptDepends = append(i.OptDepends, opt)
	}
	return i
}

func (v *packageView) installedInfo(p, inRepo *desc.Package) (PackageInfo, error) {
	if err := v.local.LoadFiles(p); err != nil {
		return PackageInfo{}, err
	}
	i := v.info(p)
	i.Installed, i.Reason, i.InstallDate, i.Validation = true, p.Reason.String(), date(p.InstallDate), p.Validation
	if inRepo != nil && inRepo.Version != p.Version {
		i.Other = inRepo.Version
	}
	for _, b := range p.Backup {
		i.Backup = append(i.Backup, b.Path)
	}
	return i, nil
}

func (v *packageView) repoInfo(repo string, p *desc.Package) PackageInfo {
	i := v.info(p)
	i.Repository, i.DownloadSize, i.File, i.SHA256, i.Signed = repo, p.CompressedSize, p.Filename, p.SHA256, p.PGPSig != ""
	if q := v.local.Package(p.Name); q != nil {
		i.Installed = q.Version == p.Version
		if !i.Installed {
			i.Other = q.Version
		}
	}
	return i
}

func date(seconds int64) *time.Time {
	if seconds == 0 {
		return nil
	}
	t := time.Unix(seconds, 0).UTC()
	return &t
}

// joinNames is for errors that name several packages.
func joinNames(names []string) string { return strings.Join(names, ", ") }
