// SPDX-License-Identifier: GPL-3.0-or-later

package show

import "github.com/rastos/rastos/alpm/desc"

// Found prints one result of a search: repository, name, version, groups and,
// if one is installed, its version; then the description.
func (p Page) Found(repo string, q *desc.Package, installed *desc.Package) {
	p.Heading(repo, q)
	p.Groups(q)
	p.Present(q, installed)
	p.print("\n    ")
	p.Indented(q.Description, 4)
	p.print("\n")
}

// Heading prints repository, name and version.
func (p Page) Heading(repo string, q *desc.Package) {
	t := p.Tint
	p.print(t.Repo, repo, "/", t.Title, q.Name, " ", t.Version, q.Version, t.Off)
}

// Groups prints the groups of a package in brackets.
func (p Page) Groups(q *desc.Package) {
	if len(q.Groups) == 0 {
		return
	}
	p.print(" ", p.Tint.Groups, "(")
	for i, g := range q.Groups {
		if i > 0 {
			p.print(" ")
		}
		p.print(g)
	}
	p.print(")", p.Tint.Off)
}

// Present tells whether a package is installed, and in which other version.
func (p Page) Present(q, installed *desc.Package) {
	switch {
	case installed == nil:
	case installed.Version == q.Version:
		p.print(" ", p.Tint.Meta, "[installed]", p.Tint.Off)
	default:
		p.print(" ", p.Tint.Meta, "[installed: ", installed.Version, "]", p.Tint.Off)
	}
}
