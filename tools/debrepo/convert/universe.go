// SPDX-License-Identifier: GPL-3.0-or-later

package convert

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/tools/debrepo/debian"
)

// Source is a Debian package that is to be converted.
type Source struct {
	Path    string // of the .deb
	Name    string // in the repository
	Built   time.Time
	Control *debian.Control
}

func (s *Source) debianName() string    { return s.Control.Paragraph["Package"] }
func (s *Source) debianVersion() string { return s.Control.Paragraph["Version"] }

// ReadSource reads the control part of a package.
func ReadSource(path string, nameOf func(string) string) (*Source, error) {
	a, err := debian.Open(path)
	if err != nil {
		return nil, err
	}
	defer a.Close()
	c, err := a.Control()
	if err != nil {
		return nil, err
	}
	return &Source{Path: path, Name: nameOf(c.Paragraph["Package"]), Built: a.Built, Control: c}, nil
}

// Universe is all the packages of a repository, among which relations are
// settled.
type Universe struct {
	byName   map[string]*Source    // Debian's names
	provides map[string][]provider // Debian's virtual names
}

type provider struct {
	source  *Source
	version string // empty for none
}

// NewUniverse indexes the packages.
func NewUniverse(sources []*Source) (*Universe, error) {
	u := &Universe{byName: make(map[string]*Source), provides: make(map[string][]provider)}
	for _, s := range sources {
		u.byName[s.debianName()] = s
		groups, err := s.relations("Provides")
		if err != nil {
			return nil, err
		}
		for _, r := range slices.Concat(groups...) {
			u.provides[r.Name] = append(u.provides[r.Name], provider{s, r.Version})
		}
	}
	return u, nil
}

func (s *Source) relations(fields ...string) ([][]debian.Relation, error) {
	var all [][]debian.Relation
	for _, field := range fields {
		groups, err := debian.ParseRelations(s.Control.Paragraph[field])
		if err != nil {
			return nil, fmt.Errorf("%s, field %s: %w", s.debianName(), field, err)
		}
		all = append(all, groups...)
	}
	return all, nil
}

// meets lists the packages of the repository that a relation is about.
func (u *Universe) meets(r debian.Relation) []*Source {
	var found []*Source
	if s := u.byName[r.Name]; s != nil && r.Allows(s.debianVersion()) {
		found = append(found, s)
	}
	for _, p := range u.provides[r.Name] {
		if r.Op == "" || p.version != "" && r.Allows(p.version) {
			found = append(found, p.source)
		}
	}
	return found
}

// Describe maps the control fields to a package's description.
func (u *Universe) Describe(s *Source) (*desc.Package, error) {
	c := s.Control.Paragraph
	p := &desc.Package{
		Name:        s.Name,
		Base:        sourceName(c),
		Version:     Version(c["Version"]),
		Description: firstLine(c["Description"]),
		URL:         c["Homepage"],
		Arch:        arch(c["Architecture"]),
		Packager:    c["Maintainer"],
		Licenses:    []string{"custom"}, // see usr/share/doc/NAME/copyright
		BuildDate:   s.Built.Unix(),
	}
	if s.Name != s.debianName() {
		p.Base = s.Name
		p.Provides = append(p.Provides, s.debianName()+"="+p.Version)
	}
	for _, fill := range []func(*Source, *desc.Package) error{
		u.depends, u.optional, u.provided, u.conflicts, u.replaces,
	} {
		if err := fill(s, p); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func sourceName(c debian.Paragraph) string {
	if name, _, _ := strings.Cut(c["Source"], " "); name != "" {
		return name
	}
	return c["Package"]
}

func arch(debian string) string {
	switch debian {
	case "all":
		return "any"
	case "amd64":
		return "x86_64"
	case "arm64":
		return "aarch64"
	}
	return debian
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// depends takes of each group the first alternative that the repository has.
// A group that it has nothing for belongs to a package that the list leaves
// out.
func (u *Universe) depends(s *Source, p *desc.Package) error {
	groups, err := s.relations("Pre-Depends", "Depends")
	if err != nil {
		return err
	}
	for _, group := range groups {
		for _, r := range group {
			found := u.meets(r)
			if len(found) == 0 {
				continue
			}
			switch {
			case slices.Contains(found, s):
			case circular[s.debianName()] == r.Name:
				p.OptDepends = append(p.OptDepends, u.name(r.Name)+": needs this package itself")
			default:
				p.Depends = appendNew(p.Depends, u.spell(r))
			}
			break
		}
	}
	if s.debianName() == "libc6" { // so that it comes first, as Arch's glibc does
		p.Depends = append([]string{"filesystem"}, p.Depends...)
	}
	return nil
}

func (u *Universe) optional(s *Source, p *desc.Package) error {
	for _, field := range []string{"Recommends", "Suggests"} {
		groups, err := s.relations(field)
		if err != nil {
			return err
		}
		for _, group := range groups {
			dep := u.name(group[0].Name)
			text := dep + ": " + map[string]string{"Recommends": "recommended", "Suggests": "suggested"}[field]
			if !slices.ContainsFunc(p.OptDepends, func(have string) bool { return strings.HasPrefix(have, dep+": ") }) {
				p.OptDepends = append(p.OptDepends, text)
			}
		}
	}
	return nil
}

func (u *Universe) provided(s *Source, p *desc.Package) error {
	groups, err := s.relations("Provides")
	if err != nil {
		return err
	}
	for _, r := range slices.Concat(groups...) {
		text := r.Name
		if r.Version != "" {
			text += "=" + Version(r.Version)
		}
		p.Provides = appendNew(p.Provides, text)
	}
	return nil
}

// conflicts keeps those that hold within the repository. Debian states many
// about versions long gone, which would only cost time.
func (u *Universe) conflicts(s *Source, p *desc.Package) error {
	groups, err := s.relations("Conflicts", "Breaks")
	if err != nil {
		return err
	}
	for _, r := range slices.Concat(groups...) {
		others := slices.DeleteFunc(u.meets(r), func(o *Source) bool { return o == s })
		if len(others) > 0 {
			p.Conflicts = appendNew(p.Conflicts, u.spell(r))
		}
	}
	return nil
}

// replaces keeps what Debian calls a replacement of the whole package: a
// conflict with the same name beside it. Replaces alone is about single files.
func (u *Universe) replaces(s *Source, p *desc.Package) error {
	conflicts, err := s.relations("Conflicts")
	if err != nil {
		return err
	}
	replaces, err := s.relations("Replaces")
	if err != nil {
		return err
	}
	gone := make(map[string]bool)
	for _, r := range slices.Concat(conflicts...) {
		gone[r.Name] = true
	}
	for _, r := range slices.Concat(replaces...) {
		if gone[r.Name] && u.byName[r.Name] == nil && len(u.provides[r.Name]) == 0 {
			p.Replaces = appendNew(p.Replaces, u.spell(r))
		}
	}
	return nil
}

// name is the repository's name for a package of Debian's.
func (u *Universe) name(debian string) string {
	if s := u.byName[debian]; s != nil {
		return s.Name
	}
	return debian
}

// spell writes a relation as pacman does.
func (u *Universe) spell(r debian.Relation) string {
	op := map[string]string{"<<": "<", ">>": ">"}[r.Op]
	if op == "" {
		op = r.Op
	}
	if op == "" {
		return u.name(r.Name)
	}
	return u.name(r.Name) + op + Bound(r.Op, r.Version)
}

func appendNew(list []string, text string) []string {
	if slices.Contains(list, text) {
		return list
	}
	return append(list, text)
}
