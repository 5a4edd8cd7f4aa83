// SPDX-License-Identifier: GPL-3.0-or-later

package manifest

import (
	"cmp"
	"maps"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Defaults of the manifest; the "default" tags say the same to people, and a
// test compares the two.
const (
	defaultDisk     Size     = 8 << 30
	defaultESP      Size     = 512 << 20
	defaultTimeout  Duration = Duration(60 * time.Second)
	defaultTries             = 3
	defaultDeadline          = Duration(10 * time.Minute)
)

// WithDefaults returns a copy of m in which every default stands.
func (m *Manifest) WithDefaults() *Manifest {
	out := m.clone()
	s := &out.System
	s.Timezone = cmp.Or(s.Timezone, "UTC")
	s.Locale = cmp.Or(s.Locale, "C.UTF-8")
	s.Keymap = cmp.Or(s.Keymap, "us")
	s.Init = cmp.Or(s.Init, "systemd")
	if s.Agent == nil {
		s.Agent = new(bool)
		*s.Agent = true
	}
	out.Packages.Engine = cmp.Or(out.Packages.Engine, "native")
	out.Kernel.Package = cmp.Or(out.Kernel.Package, "linux")
	d := &out.Disk
	d.Size = cmp.Or(d.Size, defaultDisk)
	d.ESP = cmp.Or(d.ESP, defaultESP)
	d.Compress = cmp.Or(d.Compress, "zstd:3")
	d.Label = cmp.Or(d.Label, "rastos")
	if len(d.Formats) == 0 {
		d.Formats = []string{"raw"}
	}
	out.Snapshots.Tries = cmp.Or(out.Snapshots.Tries, defaultTries)
	out.Snapshots.Deadline = cmp.Or(out.Snapshots.Deadline, defaultDeadline)
	for i := range out.Repositories {
		out.Repositories[i].defaults()
	}
	for i := range out.Users {
		out.Users[i].Shell = cmp.Or(out.Users[i].Shell, "/bin/bash")
	}
	for i := range out.Services {
		out.Services[i].defaults()
	}
	for i := range out.Health {
		out.Health[i].Timeout = cmp.Or(out.Health[i].Timeout, defaultTimeout)
	}
	return out
}

func (r *Repository) defaults() {
	r.SigLevel = cmp.Or(r.SigLevel, "required")
	if len(r.Usage) == 0 {
		r.Usage = []string{"all"}
	}
}

func (s *Service) defaults() {
	if s.Command == "" {
		return
	}
	s.Enable = !s.Disable
	s.Type = cmp.Or(s.Type, "simple")
	s.Restart = cmp.Or(s.Restart, "no")
	s.User = cmp.Or(s.User, "root")
}

// Defined says that the service is defined in the manifest, not by a package.
func (s Service) Defined() bool { return s.Command != "" }

// SigLevelWords is the signature level in pacman's spelling, one word each.
func (r Repository) SigLevelWords() []string {
	var words []string
	for w := range strings.FieldsSeq(r.SigLevel) {
		words = append(words, canonicalSigWord(w))
	}
	return words
}

// Resolve returns a copy of m in which paths are absolute, taken as relative
// to dir, and servers given as paths are file addresses.
func (m *Manifest) Resolve(dir string) *Manifest {
	out := m.clone()
	for i := range out.Repositories {
		r := &out.Repositories[i]
		if r.Key != "" {
			r.Key = absolute(dir, r.Key)
		}
		for j, s := range r.Servers {
			if isPath(s) {
				r.Servers[j] = fileURL(absolute(dir, s))
			}
		}
	}
	return out
}

func absolute(dir, path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(dir, path)
}

// fileURL is the address of a path; $repo and $arch stay as they are.
func fileURL(path string) string {
	u := url.URL{Scheme: "file", Path: path}
	return strings.ReplaceAll(u.String(), "%24", "$")
}

// clone copies m so deeply that changing the copy leaves m alone.
func (m *Manifest) clone() *Manifest {
	out := *m
	if m.System.Agent != nil {
		agent := *m.System.Agent
		out.System.Agent = &agent
	}
	out.Disk.Formats = slices.Clone(m.Disk.Formats)
	out.Repositories = slices.Clone(m.Repositories)
	for i := range out.Repositories {
		r := &out.Repositories[i]
		r.Servers, r.Usage = slices.Clone(r.Servers), slices.Clone(r.Usage)
	}
	out.Users = slices.Clone(m.Users)
	out.Services = slices.Clone(m.Services)
	for i := range out.Services {
		out.Services[i].Environment = maps.Clone(out.Services[i].Environment)
	}
	out.Health = slices.Clone(m.Health)
	return &out
}
